/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books, checked: recomputes usages, consumers and trees from the database in one consistent
 * snapshot, independently of the planner, and names each discrepancy. Shares nothing with the
 * planner but the schema. Reads only, but for the repair of counters.
 */
#ifndef ALLOT_MONGO_AUDIT_H
#define ALLOT_MONGO_AUDIT_H

#include "common/mongo/mongo_store.h"

struct audit_options {
    bool repair; /* set `used` to what the consumers hold, a provider a transaction */
    void *context;
    /* A discrepancy, or what was changed about one; the text is the caller's for the call. */
    void (*found)(void *context, const char *text);
    void (*repaired)(void *context, const char *text);
};

struct audit_result {
    int64_t providers;
    int64_t consumers;
    int64_t outcomes;
    int64_t discrepancies;
    int64_t repaired; /* counters */
};

/* `store` is of mongo_store_new, and not in a transaction. Otherwise than OK: nothing is known of
   what was not reported. */
enum store_status mongo_audit(struct store *store, const struct audit_options *options,
                              struct audit_result *ret_result, struct error *error);

#endif
