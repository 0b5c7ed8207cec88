/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sums of all consumers' allocations, added up by the server, and the repair of stored usages
 * with them. Used by the audit only. Internal to common/mongo.
 */
#ifndef ALLOT_MONGO_ALLOCATIONS_H
#define ALLOT_MONGO_ALLOCATIONS_H

#include "common/mongo/audit.h"
#include "common/mongo/session.h"

/* What consumers have of one class on one provider, in all. */
struct allocation_sum {
    struct uuid provider;
    struct text resource_class;
    int64_t amount;
};

struct allocation_sums {
    struct arena *arena;          /* borrowed; owns the list */
    struct allocation_sum *items; /* by provider, then class */
    size_t count;
    size_t capacity;
};

/*
 * Runs a pipeline with the options of a session, and calls `row` for each row. The server may use
 * its disk, since an audit sorts and groups whole collections.
 */
enum store_status audit_aggregate(struct mongo_store *store, const bson_t *session_options,
                                  enum mongo_collection collection, const bson_t *pipeline,
                                  mongo_row row, void *context, struct error *error);

/* Reads the sums of all consumers or, unless `provider` is NULL, of the consumers that have an
   allocation on it. The sums of such a consumer's other providers are read as well. */
enum store_status allocation_sums_read(struct mongo_store *store, const bson_t *session_options,
                                       const struct uuid *provider,
                                       struct allocation_sums *ret_sums, struct error *error);

/* Returns the amount of a class on a provider, from the sums `first` to `end` - 1; 0 if it is not
   among them. */
int64_t allocation_sums_find(const struct allocation_sums *sums, size_t first, size_t end,
                             struct uuid provider, struct text resource_class);

/*
 * Sets the usages of one provider to the sums, in one transaction. After the commit it reports each
 * change to `options->repaired`, and adds their number to `ret_repaired`. It repairs nothing else.
 */
enum store_status audit_repair(struct mongo_store *store, const struct audit_options *options,
                               struct uuid id, int64_t *ret_repaired, struct error *error);

#endif
