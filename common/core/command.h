/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command, decoded and valid in itself: what a producer asks for, before anybody looks at the
 * state. Everything points into the arena of its delivery. Lists are sorted (by uuid, by class) and
 * free of duplicates: the decoder sees to it. Source: docs/protocol.md, section 2.
 */
#ifndef ALLOT_CORE_COMMAND_H
#define ALLOT_CORE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/base/uuid.h"

/*
 * How a command is grouped: SHARED commands are planned many to a transaction, ALONE ones close the
 * batch and have a transaction to themselves (they change the set of providers, or move inventories
 * and allocations at once), READ ones run outside the writes.
 */
enum command_mode { MODE_BATCHED, MODE_EXCLUSIVE, MODE_READ };

/* X(identifier, name on the wire, mode, summary) */
#define COMMANDS(X)                                                                                \
    X(PROVIDER_CREATE, "provider.create", MODE_EXCLUSIVE,                                          \
      "Creates a provider, alone or below a parent.")                                              \
    X(PROVIDER_UPDATE, "provider.update", MODE_EXCLUSIVE,                                          \
      "Renames a provider or moves it, with its subtree, below another parent.")                   \
    X(PROVIDER_DELETE, "provider.delete", MODE_EXCLUSIVE,                                          \
      "Deletes a provider that has no children and no allocations.")                               \
    X(PROVIDER_GET, "provider.get", MODE_READ,                                                     \
      "Shows a provider, its inventories and their usage.")                                        \
    X(PROVIDER_ALLOCATIONS, "provider.allocations", MODE_READ,                                     \
      "Lists the allocations on a provider, page by page.")                                        \
    X(INVENTORY_SET, "inventory.set", MODE_BATCHED, "Replaces the whole inventory of a provider.") \
    X(ALLOCATION_SET, "allocation.set", MODE_BATCHED, "Replaces all allocations of a consumer.")   \
    X(ALLOCATION_BATCH, "allocation.batch", MODE_BATCHED,                                          \
      "Replaces the allocations of many consumers; all or nothing.")                               \
    X(ALLOCATION_DELETE, "allocation.delete", MODE_BATCHED,                                        \
      "Removes all allocations of a consumer, and the consumer with them.")                        \
    X(ALLOCATION_GET, "allocation.get", MODE_READ, "Shows the allocations of a consumer.")         \
    X(USAGE_GET, "usage.get", MODE_READ, "Sums the usage of a project by consumer type.")          \
    X(RESHAPE, "reshape", MODE_EXCLUSIVE, "Replaces inventories and allocations in one step.")

enum command_kind {
#define X(id, name, mode, summary) COMMAND_##id,
    COMMANDS(X)
#undef X
};

const char *command_name(enum command_kind kind); /* static */
enum command_mode command_mode(enum command_kind kind);
ALLOT_CHECK bool command_parse(struct text name, enum command_kind *ret_kind);

/* provider.create, .update, .delete, .get: `uuid`; the rest for create and update. */
struct provider_params {
    struct uuid uuid;
    struct text name;
    bool parent_given; /* the member was there, be it null */
    bool has_parent;   /* and named a provider */
    struct uuid parent;
};

/* One record of an inventory; `ratio` in millionths. Ranges hold (include/allot/limits.h). */
struct inventory {
    struct text resource_class;
    int64_t total;
    int64_t reserved;
    int64_t min_unit;
    int64_t max_unit;
    int64_t step_size;
    int64_t ratio;
};

/* The whole new inventory of one provider. */
struct inventory_change {
    struct uuid provider;
    int64_t generation;
    const struct inventory *inventories; /* by class */
    size_t count;
};

/* An amount of one class on one provider. */
struct allocation {
    struct uuid provider;
    struct text resource_class;
    int64_t amount;
};

/* A provider that a claim names, with the generation that it expects, if any. */
struct named_provider {
    struct uuid provider;
    bool has_generation;
    int64_t generation;
};

/* What one consumer shall hold afterwards: all of it. */
struct claim {
    struct uuid consumer;
    bool is_delete;      /* allocation.delete: only `consumer` and the generation count */
    bool has_generation; /* false: null, "must not exist yet"; for a delete: not given */
    int64_t generation;
    struct text project_id;
    struct text user_id;
    struct text consumer_type;
    struct text mappings;                 /* JSON, canonical UUIDs; absent = none */
    const struct allocation *allocations; /* by provider, then class */
    size_t allocation_count;
    const struct named_provider *providers; /* by provider: those of the allocations */
    size_t provider_count;
};

/* inventory.set, allocation.set, .batch, .delete and reshape: all one thing to the planner. */
struct change_params {
    const struct inventory_change *inventories; /* by provider */
    size_t inventory_count;
    const struct claim *claims; /* by consumer */
    size_t claim_count;
};

/* provider.allocations */
struct page_params {
    struct uuid provider;
    int64_t limit;
    bool has_after;
    struct uuid after;
};

/* usage.get; absent texts were not given */
struct usage_params {
    struct text project_id;
    struct text user_id;
    struct text consumer_type;
};

struct command {
    enum command_kind kind;
    union {
        struct provider_params provider;
        struct change_params change;
        struct page_params page;
        struct usage_params usage;
        struct uuid consumer; /* allocation.get */
    } params;
};

#endif
