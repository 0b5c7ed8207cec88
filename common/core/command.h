/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decoded command: its kind and its parameters. The decoder has checked everything that does not
 * depend on the stored state. All texts and lists are borrowed from the arena of the delivery.
 * Lists are sorted by UUID or class and have no duplicates. Source: docs/protocol.md, section 2.
 *
 * A new command begins with a row in COMMANDS(X); command_table.h says how to go on.
 */
#ifndef ALLOT_CORE_COMMAND_H
#define ALLOT_CORE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"
#include "common/base/uuid.h"

/*
 * How commands are grouped into batches; a batch is one transaction.
 *   BATCHED    goes with other batched commands. Its parameters must be a `struct change_params`,
 *              because batches are limited by the documents that these name (plan_prefix).
 *   EXCLUSIVE  has a batch of its own: it changes the set of providers, or moves inventories and
 *              allocations in one step. The planner would decide it rightly beside others too.
 *   READ       goes with other reads. It writes nothing, and its outcome is not recorded.
 */
enum command_mode { MODE_BATCHED, MODE_EXCLUSIVE, MODE_READ };

/* X(identifier, name on the wire, mode, summary) */
#define COMMANDS(X)                                                                                \
    X(PROVIDER_CREATE, "provider.create", MODE_EXCLUSIVE,                                          \
      "Creates a provider, as a root or below a parent.")                                          \
    X(PROVIDER_UPDATE, "provider.update", MODE_EXCLUSIVE,                                          \
      "Renames a provider or moves it, with its subtree, below another parent.")                   \
    X(PROVIDER_DELETE, "provider.delete", MODE_EXCLUSIVE,                                          \
      "Deletes a provider that has no children and no allocations.")                               \
    X(PROVIDER_GET, "provider.get", MODE_READ,                                                     \
      "Shows a provider, its inventories and their usage.")                                        \
    X(PROVIDER_LIST, "provider.list", MODE_READ, "Lists providers by name, page by page.")         \
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

/* Returns the name on the wire. Static. */
const char *command_name(enum command_kind kind);
enum command_mode command_mode(enum command_kind kind);
/* Returns false if no command has this name. */
ALLOT_CHECK bool command_parse(struct text name, enum command_kind *ret_kind);

/* provider.create, .update, .delete and .get. Only create and update have more than `uuid`. */
struct provider_params {
    struct uuid uuid;
    struct text name;
    bool parent_given; /* the command has the member; it may be null */
    bool has_parent;   /* the member is not null */
    struct uuid parent;
};

/* The inventory of one class on one provider. The decoder has checked the ranges. */
struct inventory {
    struct text resource_class;
    int64_t total;
    int64_t reserved;
    int64_t min_unit;
    int64_t max_unit;
    int64_t step_size;
    int64_t ratio; /* allocation_ratio, in millionths */
};

/* The new inventories of one provider; they replace all that it had. */
struct inventory_change {
    struct uuid provider;
    int64_t generation;                  /* that the provider must have */
    const struct inventory *inventories; /* by class */
    size_t count;
};

/* An amount of one class on one provider, allocated to one consumer. */
struct allocation {
    struct uuid provider;
    struct text resource_class;
    int64_t amount;
};

/* A provider that a claim names, and the generation that it must have, if the claim gives one. */
struct named_provider {
    struct uuid provider;
    bool has_generation;
    int64_t generation;
};

/* The new allocations of one consumer; they replace all that it had. */
struct claim {
    struct uuid consumer;
    bool is_delete;      /* allocation.delete: only `consumer` and the generation are used */
    bool has_generation; /* false: the consumer must not exist; for a delete: any generation */
    int64_t generation;
    struct text project_id;
    struct text user_id;
    struct text consumer_type;
    struct text mappings;                 /* JSON with canonical UUIDs; absent: none */
    const struct allocation *allocations; /* by provider, then class */
    size_t allocation_count;
    const struct named_provider *providers; /* by provider; each has allocations above */
    size_t provider_count;
};

/*
 * inventory.set, allocation.set, .batch, .delete and reshape. All of it takes effect, or nothing.
 */
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
    bool has_after; /* the page begins after the consumer `after` */
    struct uuid after;
};

/* provider.list; the texts may be absent. */
struct list_params {
    int64_t limit;
    struct text after;  /* the page begins after this name, which need not exist */
    struct text prefix; /* only names that begin with it */
};

/* usage.get; the optional texts may be absent. */
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
        struct list_params list;
        struct usage_params usage;
        struct uuid consumer; /* allocation.get */
    } params;
};

#endif
