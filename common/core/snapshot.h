/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshot: the part of the stored state that a batch needs. It has one slot for each document
 * that a command names or touches. The store fills the slots inside the transaction, the planner
 * updates them, and the store writes back those that are dirty.
 *
 * A document that does not exist has a slot with `exists == false`. A load either fills all slots
 * or fails as a whole, so a database outage is never mistaken for "not found".
 *
 * Use: call snapshot_want_... for every key, then snapshot_seal; the store fills the slots that are
 * not `loaded`. Do the same for the second round. Then look slots up. Pointers to slots are valid
 * until the next snapshot_want_... or snapshot_seal. Between wanting and sealing, look-up finds the
 * providers that are sealed.
 */
#ifndef ALLOT_CORE_SNAPSHOT_H
#define ALLOT_CORE_SNAPSHOT_H

#include "common/core/request.h"
#include "common/core/verdict.h"

/* An inventory and its usage. */
struct inventory_record {
    struct inventory inventory;
    int64_t used; /* the sum of the allocations of all consumers */
    bool dirty;   /* `used` must be written, unless the provider's `records_dirty` writes all */
};

/* Whether the document of a slot exists, and whether it must be written. */
struct slot_state {
    bool loaded;
    bool stored; /* it existed when it was loaded */
    bool exists; /* it exists after the commands that are planned so far */
    bool dirty;  /* a successful command depends on it: write it, even if only `rev` changes */
};

struct provider {
    struct uuid id;
    struct slot_state state;
    struct text name;
    bool has_parent;
    struct uuid parent;
    struct uuid root;
    int64_t generation;
    struct inventory_record *records; /* by class */
    size_t record_count;
    bool place_dirty;   /* name, parent or root changed */
    bool records_dirty; /* the list as a whole is replaced */
};

struct consumer {
    struct uuid id;
    struct slot_state state;
    struct text project_id;
    struct text user_id;
    struct text consumer_type;
    struct text mappings;   /* JSON; absent: none, or not loaded */
    bool mappings_unloaded; /* `mappings` was not loaded: an update leaves the stored ones */
    int64_t generation;
    const struct allocation *allocations; /* by provider, then class; not empty if it exists */
    size_t allocation_count;
};

/* The recorded outcome of one key of one principal. */
struct outcome {
    struct text principal;
    struct text key;
    struct slot_state state; /* dirty && !exists: insert and delete it, to cause a conflict */
    struct fingerprint fingerprint;
    enum verdict_code code;
    struct text command;    /* its name */
    struct text body;       /* of the reply; absent until the reply of `decided_by` is encoded */
    size_t decided_by;      /* the request of this batch that has this outcome */
    int64_t recorded_at_ms; /* of a stored one, by the database's clock; 0: not known */
};

/* A provider as a member of a tree, without its inventories. */
struct tree_node {
    struct uuid id;
    bool has_parent;
    struct uuid parent;
    struct uuid root;
    bool dirty; /* its root changed: write it, and its `rev`, though it has no slot */
};

/* Whether a provider has this name. */
struct name_slot {
    struct text name;
    bool loaded;
    bool taken;
    struct uuid holder; /* the provider that has the name */
};

/* One provider.allocations and its page. The provider has a slot of its own. */
struct page_slot {
    size_t request;
    struct page_params params;
    bool loaded;
    struct consumer_page page;
};

/* One provider.list and its page. */
struct list_slot {
    size_t request;
    struct list_params params;
    bool loaded;
    struct provider_page page;
};

/* One usage.get and its groups, by consumer type; the amounts of a group are by class. */
struct usage_slot {
    size_t request;
    struct usage_params params;
    bool loaded;
    struct usage_group *groups;
    size_t group_count;
};

struct snapshot {
    struct arena *arena; /* of the batch; borrowed. It owns the lists. */
    struct provider *providers;
    size_t provider_count;
    size_t providers_sealed; /* so many, the first ones, are sorted and can be looked up */
    struct consumer *consumers;
    size_t consumer_count;
    struct outcome *outcomes;
    size_t outcome_count;
    struct name_slot *names;
    size_t name_count;
    struct uuid *roots; /* of the trees to load; all their members become nodes */
    size_t root_count;
    bool roots_loaded;
    struct tree_node *nodes; /* by id; made by the store, then changed by the planner */
    size_t node_count;
    size_t node_capacity; /* 0: that of the store's list, which is full */
    struct page_slot *pages;
    size_t page_count;
    struct usage_slot *usages;
    size_t usage_count;
    struct list_slot *lists;
    size_t list_count;
    size_t bytes_max;     /* of the arena after a load; 0: no limit */
    bool outcomes_only;   /* all else counts as absent, and is not loaded (snapshot_seal) */
    bool mappings_wanted; /* load the mappings of consumers, which can have 1 MiB each; set it
                             before the load of the consumers */
    bool fence;           /* a read: a fence write must prove that the node is still the primary */
    size_t capacities[8]; /* of the lists above, in their order, without `nodes` */
};

/* Creates an empty snapshot; the arena owns it. */
struct snapshot *snapshot_new(struct arena *arena);

/* --- wanting: each adds a slot; adding the same key twice is allowed --- */

void snapshot_want_provider(struct snapshot *snapshot, struct uuid id);
void snapshot_want_consumer(struct snapshot *snapshot, struct uuid id);
void snapshot_want_outcome(struct snapshot *snapshot, struct text principal, struct text key);
void snapshot_want_name(struct snapshot *snapshot, struct text name);
/* Adds the providers of the stored allocations of a consumer that is loaded. */
void snapshot_want_providers_of(struct snapshot *snapshot, struct uuid consumer);
/* All members of the tree; only before the first load of trees. */
void snapshot_want_tree(struct snapshot *snapshot, struct uuid root);
/* `request` is the place of the command in its batch. */
void snapshot_want_page(struct snapshot *snapshot, size_t request, struct page_params params);
void snapshot_want_usage(struct snapshot *snapshot, size_t request, struct usage_params params);
void snapshot_want_list(struct snapshot *snapshot, size_t request, struct list_params params);
/* Sorts the slots and drops duplicates. Slots that are loaded keep their content. With
   `outcomes_only`, all slots but those of outcomes become loaded, and absent. */
void snapshot_seal(struct snapshot *snapshot);

/* --- look-up: a key that was not wanted is a bug, and fails an assertion --- */

struct provider *snapshot_provider(struct snapshot *snapshot, struct uuid id);
struct consumer *snapshot_consumer(struct snapshot *snapshot, struct uuid id);
struct outcome *snapshot_outcome(struct snapshot *snapshot, struct text principal, struct text key);
struct name_slot *snapshot_name(struct snapshot *snapshot, struct text name);
/* Returns NULL if the provider was not wanted. */
struct provider *snapshot_find_provider(struct snapshot *snapshot, struct uuid id);
struct page_slot *snapshot_page(struct snapshot *snapshot, size_t request);
struct usage_slot *snapshot_usage(struct snapshot *snapshot, size_t request);
struct list_slot *snapshot_list(struct snapshot *snapshot, size_t request);

/* Returns NULL if the provider has no inventory of the class. */
struct inventory_record *provider_record(const struct provider *provider,
                                         struct text resource_class);
/* Returns 0 if the consumer does not exist, whatever its slot contains. */
size_t consumer_allocation_count(const struct consumer *consumer);
/* Returns whether allocation `index` is the first one of its provider; the list is sorted. */
bool allocation_begins_provider(const struct allocation *allocations, size_t index);

/* --- names: a name without a slot concerns no command, and nothing is done --- */

/* Gives the name to the provider. */
void snapshot_take_name(struct snapshot *snapshot, struct text name, struct uuid holder);
/* Frees the name of a provider, which is the holder. */
void snapshot_free_name(struct snapshot *snapshot, struct text name);

/* --- writing --- */

/*
 * Clears the dirty flags of providers, consumers and nodes, so that only outcomes are written. The
 * slots keep the planned content, so nothing may be planned on the snapshot afterwards.
 */
void snapshot_discard_changes(struct snapshot *snapshot);

/* Returns whether anything has to be written. */
bool snapshot_is_dirty(const struct snapshot *snapshot);

#endif
