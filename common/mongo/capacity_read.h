/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads providers, their inventories and who uses them, for people. These functions change nothing,
 * and need no transaction, so two calls may see different states. `store` is one of
 * mongo_store_new() that is not in a transaction. Each list is bounded, and says whether there is
 * more. Lists and texts are in `arena`.
 */
#ifndef ALLOT_MONGO_CAPACITY_READ_H
#define ALLOT_MONGO_CAPACITY_READ_H

#include "common/mongo/mongo_store.h"

/* Providers, by name unless a function says otherwise. Their `state` is not set. */
struct capacity_providers {
    struct provider *list;
    size_t count;
    bool more;
};

/* Reads up to `limit` roots, from the first name after `after` on (absent: from the beginning). */
enum store_status mongo_capacity_roots(struct store *store, struct text after, size_t limit,
                                       struct arena *arena,
                                       struct capacity_providers *ret_providers,
                                       struct error *error);
/* Reads up to `limit` providers that are below these roots, without the roots. In no order. */
enum store_status mongo_capacity_below(struct store *store, const struct uuid *roots, size_t count,
                                       size_t limit, struct arena *arena,
                                       struct capacity_providers *ret_providers,
                                       struct error *error);
/* Finds up to `limit` providers whose name contains a text, whatever its case, or whose UUID it is.
   REFUSED: the text is not valid UTF-8, or contains a control character. */
enum store_status mongo_capacity_search(struct store *store, struct text text, size_t limit,
                                        struct arena *arena,
                                        struct capacity_providers *ret_providers,
                                        struct error *error);
/* Reads one provider; an empty list: there is none. */
enum store_status mongo_capacity_provider(struct store *store, struct uuid id, struct arena *arena,
                                          struct capacity_providers *ret_providers,
                                          struct error *error);

/* Consumers, by UUID. They have only the allocations on the provider; mappings and `state` are not
   set. */
struct capacity_consumers {
    struct consumer *list;
    size_t count;
    bool more;
};

/* Reads up to `limit` consumers of a provider, after the UUID `after` (NULL: from the beginning).
 */
enum store_status mongo_capacity_consumers(struct store *store, struct uuid provider,
                                           const struct uuid *after, size_t limit,
                                           struct arena *arena,
                                           struct capacity_consumers *ret_consumers,
                                           struct error *error);

struct capacity_amount {
    struct text resource_class;
    int64_t amount;
};

/* What the consumers of a project have, by class. */
struct capacity_project {
    struct text project_id;
    int64_t consumers;
    struct capacity_amount *amounts;
    size_t amount_count;
};

struct capacity_projects {
    struct capacity_project *list;
    size_t count;
    bool more;
};

/* Adds up the usage of up to `limit` projects, by name, after `after` (absent: from the
   beginning). TIMED_OUT: they have too many consumers to be added up in time. */
enum store_status mongo_capacity_projects(struct store *store, struct text after, size_t limit,
                                          struct arena *arena,
                                          struct capacity_projects *ret_projects,
                                          struct error *error);

#endif
