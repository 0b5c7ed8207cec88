/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consistency check behind `allotctl audit`. It compares collections, validators and indexes
 * with the schema, reads the database in one snapshot, recomputes the usages, and checks consumers,
 * outcomes, names and trees of providers, and letters. It shares the schema and the readers of
 * documents with the rest of this folder, but no rule of the planner. It writes nothing, unless it
 * is asked to repair usages.
 */
#ifndef ALLOT_MONGO_AUDIT_H
#define ALLOT_MONGO_AUDIT_H

#include "common/mongo/mongo_store.h"

/* What `letter` of the options says. */
enum audit_finding { AUDIT_RIGHT, AUDIT_WARNING, AUDIT_WRONG };

struct audit_options {
    /* Set wrong usages to the sums of the allocations, with one transaction for each provider. */
    bool repair;
    void *context;
    /* Called for each discrepancy, and for each repaired usage. `text` is borrowed. */
    void (*found)(void *context, const char *text);
    void (*repaired)(void *context, const char *text);
    /* Judges a letter that fits its validator, and sets `ret_why` unless it is right. */
    enum audit_finding (*letter)(void *context, const struct letter_record *record,
                                 struct error *ret_why);
};

struct audit_result {
    int64_t providers;
    int64_t consumers;
    int64_t outcomes;
    int64_t discrepancies;
    int64_t repaired; /* usages */
    int64_t letters;  /* that fit their validator */
    int64_t warnings; /* of letters; they are no discrepancies */
};

/*
 * Checks the whole database. `store` is one of mongo_store_new() that is not in a transaction. With
 * a status other than OK the check is incomplete: what was not reported may be wrong as well.
 */
enum store_status mongo_audit(struct store *store, const struct audit_options *options,
                              struct audit_result *ret_result, struct error *error);

#endif
