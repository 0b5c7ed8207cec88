/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the state that a batch needs: slots for exactly the documents it names, filled by the
 * store inside the transaction, kept up to date by the planner, and written back by the store.
 *
 * A document that does not exist is a slot with `exists == false`: absence is data. The store can
 * only fill a slot or fail as a whole, so an outage cannot be mistaken for absence.
 *
 * Use: want_* for every key; seal (sorts, drops doubles); store fills the slots that are not
 * `loaded`; want_* again for the second round, seal, fill; then look up and plan. Pointers to slots
 * are valid until the next seal.
 */
#ifndef ALLOT_CORE_SNAPSHOT_H
#define ALLOT_CORE_SNAPSHOT_H

#include "common/core/request.h"
#include "common/core/verdict.h"

/* An inventory record and how much of it is used. */
struct inventory_record {
    struct inventory inventory;
    int64_t used;
    bool dirty; /* `used` differs from what is stored (where the list as a whole is unchanged) */
};

/* How a slot's document is to be written. `stored`: it was there when loaded. */
struct slot_state {
    bool loaded;
    bool stored;
    bool exists;
    bool dirty; /* an accepted command rests on it: it must be written, be it only `rev` */
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
    struct text mappings; /* JSON; absent = none */
    int64_t generation;
    const struct allocation *allocations; /* by provider, then class; never empty where it exists */
    size_t allocation_count;
};

/* The outcome on record of one (principal, key). */
struct outcome {
    struct text principal;
    struct text key;
    struct slot_state state; /* dirty && !exists: touched (inserted and deleted) */
    struct fingerprint fingerprint;
    enum verdict_code code;
    struct text command; /* its name */
    struct text body; /* the reply's; absent while request `decided_by` still has to be encoded */
    size_t decided_by;
};

/* A member of a provider tree, without its inventory. */
struct tree_node {
    struct uuid id;
    bool has_parent;
    struct uuid parent;
    struct uuid root;
    bool dirty; /* its root changed: to be written, with `rev`, though it has no slot */
};

/* Is this provider name used, and by whom? */
struct name_slot {
    struct text name;
    bool loaded;
    bool taken;
    struct uuid holder;
};

/* What provider.allocations asks for, and what it gets. `params.provider` is wanted as well. */
struct page_slot {
    size_t request;
    struct page_params params;
    bool loaded;
    struct consumer_page page;
};

/* What usage.get asks for, and what it gets: groups by type, amounts by class. */
struct usage_slot {
    size_t request;
    struct usage_params params;
    bool loaded;
    struct usage_group *groups;
    size_t group_count;
};

struct snapshot {
    struct arena *arena; /* of the batch; not owned */
    struct provider *providers;
    size_t provider_count;
    struct consumer *consumers;
    size_t consumer_count;
    struct outcome *outcomes;
    size_t outcome_count;
    struct name_slot *names;
    size_t name_count;
    struct uuid *roots; /* the trees that are wanted whole */
    size_t root_count;
    bool roots_loaded;
    struct tree_node *nodes; /* all members of those trees, by id; from the store */
    size_t node_count;
    struct page_slot *pages;
    size_t page_count;
    struct usage_slot *usages;
    size_t usage_count;
    bool fence;           /* reads: the commit must show that the node is the primary still */
    size_t capacities[7]; /* of the lists above */
};

struct snapshot *snapshot_new(struct arena *arena);

void snapshot_want_provider(struct snapshot *snapshot, struct uuid id);
void snapshot_want_consumer(struct snapshot *snapshot, struct uuid id);
void snapshot_want_outcome(struct snapshot *snapshot, struct text principal, struct text key);
void snapshot_want_name(struct snapshot *snapshot, struct text name);
void snapshot_want_tree(struct snapshot *snapshot, struct uuid root);
void snapshot_want_page(struct snapshot *snapshot, size_t request, struct page_params params);
void snapshot_want_usage(struct snapshot *snapshot, size_t request, struct usage_params params);
/* Sorts each list and drops doubles; slots that are loaded keep their content. */
void snapshot_seal(struct snapshot *snapshot);

/* The slot of a key that was wanted; a key that was not is our own mistake (assert). */
struct provider *snapshot_provider(struct snapshot *snapshot, struct uuid id);
struct consumer *snapshot_consumer(struct snapshot *snapshot, struct uuid id);
struct outcome *snapshot_outcome(struct snapshot *snapshot, struct text principal, struct text key);
struct name_slot *snapshot_name(struct snapshot *snapshot, struct text name);
struct page_slot *snapshot_page(struct snapshot *snapshot, size_t request);
struct usage_slot *snapshot_usage(struct snapshot *snapshot, size_t request);

/* NULL where the provider has no inventory of the class. */
struct inventory_record *provider_record(const struct provider *provider,
                                         struct text resource_class);

/* Nothing has to be written after all. The documents' content is spoilt by what was planned: only
   for a command that stands alone, as the last use of the snapshot's documents. */
void snapshot_forget_changes(struct snapshot *snapshot);

/* Does anything have to be written? */
bool snapshot_is_dirty(const struct snapshot *snapshot);

#endif
