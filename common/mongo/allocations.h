/* SPDX-License-Identifier: Apache-2.0 */
/* What the consumers hold together, summed up by the server; and the repair of counters by it. */
#ifndef ALLOT_MONGO_HOLDINGS_H
#define ALLOT_MONGO_HOLDINGS_H

#include "common/mongo/audit.h"
#include "common/mongo/session.h"

/* Of one class on one provider, by all consumers. */
struct held {
    struct uuid provider;
    struct text resource_class;
    int64_t amount;
};

struct allocations {
    struct arena *arena; /* not owned */
    struct held *items;  /* by provider, then class */
    size_t count;
    size_t capacity;
};

/* All, or those of the consumers that hold something of `provider`, where it is not NULL. */
enum store_status allocations_read(struct mongo_store *store, const bson_t *session_options,
                                   const struct uuid *provider, struct allocations *ret_holdings,
                                   struct error *error);

/* Sets the counters of one provider in a transaction, and says what it changed once that is
   committed; `ret_repaired` is counted up. Whatever else is off stays as it is. */
enum store_status audit_repair(struct mongo_store *store, const struct audit_options *options,
                               struct uuid id, int64_t *ret_repaired, struct error *error);

/* A list with room for one more: itself, or a larger copy in the arena. */
void *arena_grown(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size);

#endif
