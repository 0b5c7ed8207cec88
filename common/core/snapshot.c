/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structure: wanting appends slots to the lists; sealing sorts each list by its key and drops
 * duplicates; look-up is a binary search; writing is about the dirty flags. Slots for reads (pages,
 * usages, lists) are few, so these lists are searched from the start.
 *
 * Guarantees: a loaded slot survives a second round of wanting the same key, with its content.
 *
 * Not here: which documents a command needs (its functions, command_table.h), the queries that fill
 * the slots (the store), and provider trees (tree.h).
 */
#include "common/core/snapshot.h"

#include <assert.h>
#include <string.h>

#include "common/base/array.h"

/* The lists that grow, as indexes of `capacities`. */
enum list { PROVIDERS, CONSUMERS, OUTCOMES, NAMES, ROOTS, PAGES, USAGES, LISTS };

struct snapshot *snapshot_new(struct arena *arena)
{
    struct snapshot *snapshot = ARENA_NEW(arena, struct snapshot);
    snapshot->arena = arena;
    return snapshot;
}

/* --- wanting -------------------------------------------------------------------------------- */

void snapshot_want_provider(struct snapshot *snapshot, struct uuid id)
{
    snapshot->providers =
        arena_grown(snapshot->arena, snapshot->providers, snapshot->provider_count,
                    &snapshot->capacities[PROVIDERS], sizeof *snapshot->providers);
    snapshot->providers[snapshot->provider_count++] = (struct provider){.id = id};
}

void snapshot_want_consumer(struct snapshot *snapshot, struct uuid id)
{
    snapshot->consumers =
        arena_grown(snapshot->arena, snapshot->consumers, snapshot->consumer_count,
                    &snapshot->capacities[CONSUMERS], sizeof *snapshot->consumers);
    snapshot->consumers[snapshot->consumer_count++] = (struct consumer){.id = id};
}

void snapshot_want_outcome(struct snapshot *snapshot, struct text principal, struct text key)
{
    snapshot->outcomes = arena_grown(snapshot->arena, snapshot->outcomes, snapshot->outcome_count,
                                     &snapshot->capacities[OUTCOMES], sizeof *snapshot->outcomes);
    snapshot->outcomes[snapshot->outcome_count++] =
        (struct outcome){.principal = principal, .key = key};
}

void snapshot_want_name(struct snapshot *snapshot, struct text name)
{
    snapshot->names = arena_grown(snapshot->arena, snapshot->names, snapshot->name_count,
                                  &snapshot->capacities[NAMES], sizeof *snapshot->names);
    snapshot->names[snapshot->name_count++] = (struct name_slot){.name = name};
}

void snapshot_want_providers_of(struct snapshot *snapshot, struct uuid consumer)
{
    const struct consumer *stored = snapshot_consumer(snapshot, consumer);
    for (size_t i = 0; i < consumer_allocation_count(stored); i++) {
        if (allocation_begins_provider(stored->allocations, i))
            snapshot_want_provider(snapshot, stored->allocations[i].provider);
    }
}

void snapshot_want_tree(struct snapshot *snapshot, struct uuid root)
{
    assert(!snapshot->roots_loaded);
    snapshot->roots = arena_grown(snapshot->arena, snapshot->roots, snapshot->root_count,
                                  &snapshot->capacities[ROOTS], sizeof *snapshot->roots);
    snapshot->roots[snapshot->root_count++] = root;
}

void snapshot_want_page(struct snapshot *snapshot, size_t request, struct page_params params)
{
    snapshot->pages = arena_grown(snapshot->arena, snapshot->pages, snapshot->page_count,
                                  &snapshot->capacities[PAGES], sizeof *snapshot->pages);
    snapshot->pages[snapshot->page_count++] =
        (struct page_slot){.request = request, .params = params};
}

void snapshot_want_usage(struct snapshot *snapshot, size_t request, struct usage_params params)
{
    snapshot->usages = arena_grown(snapshot->arena, snapshot->usages, snapshot->usage_count,
                                   &snapshot->capacities[USAGES], sizeof *snapshot->usages);
    snapshot->usages[snapshot->usage_count++] =
        (struct usage_slot){.request = request, .params = params};
}

void snapshot_want_list(struct snapshot *snapshot, size_t request, struct list_params params)
{
    snapshot->lists = arena_grown(snapshot->arena, snapshot->lists, snapshot->list_count,
                                  &snapshot->capacities[LISTS], sizeof *snapshot->lists);
    snapshot->lists[snapshot->list_count++] =
        (struct list_slot){.request = request, .params = params};
}

/* --- sealing -------------------------------------------------------------------------------- */

static int compare_uuids(const void *a, const void *b)
{
    return uuid_compare(*(const struct uuid *)a, *(const struct uuid *)b);
}

/* A loaded slot sorts before a duplicate that is not loaded, so the duplicate is dropped. */
static int loaded_first(bool a, bool b)
{
    return (int)b - (int)a;
}

static int compare_providers(const void *a, const void *b)
{
    const struct provider *x = a, *y = b;
    int order = uuid_compare(x->id, y->id);
    return order != 0 ? order : loaded_first(x->state.loaded, y->state.loaded);
}

static int compare_consumers(const void *a, const void *b)
{
    const struct consumer *x = a, *y = b;
    int order = uuid_compare(x->id, y->id);
    return order != 0 ? order : loaded_first(x->state.loaded, y->state.loaded);
}

static int compare_keys(const struct outcome *x, const struct outcome *y)
{
    int order = text_compare(x->principal, y->principal);
    return order != 0 ? order : text_compare(x->key, y->key);
}

static int compare_outcomes(const void *a, const void *b)
{
    const struct outcome *x = a, *y = b;
    int order = compare_keys(x, y);
    return order != 0 ? order : loaded_first(x->state.loaded, y->state.loaded);
}

static int compare_names(const void *a, const void *b)
{
    const struct name_slot *x = a, *y = b;
    int order = text_compare(x->name, y->name);
    return order != 0 ? order : loaded_first(x->loaded, y->loaded);
}

static bool same_uuid(const void *a, const void *b)
{
    return compare_uuids(a, b) == 0; /* `id` is the first member of providers and consumers */
}

static bool same_outcome(const void *a, const void *b)
{
    return compare_keys(a, b) == 0;
}

static bool same_name(const void *a, const void *b)
{
    const struct name_slot *x = a, *y = b;
    return text_equal(x->name, y->name);
}

/* Sorts the items and drops duplicates; returns how many are left. */
static size_t sort_unique(void *items, size_t count, size_t size, array_compare compare,
                          bool (*same)(const void *, const void *))
{
    array_sort(items, count, size, compare);
    char *bytes = items;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && same(bytes + (kept - 1) * size, bytes + i * size))
            continue;
        if (kept != i)
            memcpy(bytes + kept * size, bytes + i * size, size);
        kept++;
    }
    return kept;
}

static const struct slot_state absent = {.loaded = true};

/* Makes all slots but those of outcomes loaded, and absent. */
static void assume_absent(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->provider_count; i++)
        snapshot->providers[i].state = absent;
    for (size_t i = 0; i < snapshot->consumer_count; i++)
        snapshot->consumers[i].state = absent;
    for (size_t i = 0; i < snapshot->name_count; i++)
        snapshot->names[i].loaded = true;
    for (size_t i = 0; i < snapshot->page_count; i++)
        snapshot->pages[i].loaded = true;
    for (size_t i = 0; i < snapshot->usage_count; i++)
        snapshot->usages[i].loaded = true;
    for (size_t i = 0; i < snapshot->list_count; i++)
        snapshot->lists[i].loaded = true;
    snapshot->roots_loaded = true;
}

void snapshot_seal(struct snapshot *snapshot)
{
    snapshot->provider_count =
        sort_unique(snapshot->providers, snapshot->provider_count, sizeof *snapshot->providers,
                    compare_providers, same_uuid);
    snapshot->providers_sealed = snapshot->provider_count;
    snapshot->consumer_count =
        sort_unique(snapshot->consumers, snapshot->consumer_count, sizeof *snapshot->consumers,
                    compare_consumers, same_uuid);
    snapshot->outcome_count =
        sort_unique(snapshot->outcomes, snapshot->outcome_count, sizeof *snapshot->outcomes,
                    compare_outcomes, same_outcome);
    snapshot->name_count = sort_unique(snapshot->names, snapshot->name_count,
                                       sizeof *snapshot->names, compare_names, same_name);
    snapshot->root_count = sort_unique(snapshot->roots, snapshot->root_count,
                                       sizeof *snapshot->roots, compare_uuids, same_uuid);
    if (snapshot->outcomes_only)
        assume_absent(snapshot);
}

/* --- look-up -------------------------------------------------------------------------------- */

struct provider *snapshot_find_provider(struct snapshot *snapshot, struct uuid id)
{
    return array_find(&id, snapshot->providers, snapshot->providers_sealed,
                      sizeof *snapshot->providers, compare_uuids);
}

struct provider *snapshot_provider(struct snapshot *snapshot, struct uuid id)
{
    struct provider *slot = snapshot_find_provider(snapshot, id);
    assert(slot != NULL);
    return slot;
}

struct consumer *snapshot_consumer(struct snapshot *snapshot, struct uuid id)
{
    struct consumer *slot = array_find(&id, snapshot->consumers, snapshot->consumer_count,
                                       sizeof *snapshot->consumers, compare_uuids);
    assert(slot != NULL);
    return slot;
}

static int compare_outcome_key(const void *key, const void *slot)
{
    return compare_keys(key, slot);
}

struct outcome *snapshot_outcome(struct snapshot *snapshot, struct text principal, struct text key)
{
    struct outcome wanted = {.principal = principal, .key = key};
    struct outcome *slot = array_find(&wanted, snapshot->outcomes, snapshot->outcome_count,
                                      sizeof *snapshot->outcomes, compare_outcome_key);
    assert(slot != NULL);
    return slot;
}

static int compare_name(const void *key, const void *slot)
{
    return text_compare(*(const struct text *)key, ((const struct name_slot *)slot)->name);
}

static struct name_slot *find_name(struct snapshot *snapshot, struct text name)
{
    return array_find(&name, snapshot->names, snapshot->name_count, sizeof *snapshot->names,
                      compare_name);
}

struct name_slot *snapshot_name(struct snapshot *snapshot, struct text name)
{
    struct name_slot *slot = find_name(snapshot, name);
    assert(slot != NULL);
    return slot;
}

struct page_slot *snapshot_page(struct snapshot *snapshot, size_t request)
{
    for (size_t i = 0; i < snapshot->page_count; i++) {
        if (snapshot->pages[i].request == request)
            return &snapshot->pages[i];
    }
    assert(false && "a page that was wanted");
    return NULL;
}

struct usage_slot *snapshot_usage(struct snapshot *snapshot, size_t request)
{
    for (size_t i = 0; i < snapshot->usage_count; i++) {
        if (snapshot->usages[i].request == request)
            return &snapshot->usages[i];
    }
    assert(false && "a usage that was wanted");
    return NULL;
}

struct list_slot *snapshot_list(struct snapshot *snapshot, size_t request)
{
    for (size_t i = 0; i < snapshot->list_count; i++) {
        if (snapshot->lists[i].request == request)
            return &snapshot->lists[i];
    }
    assert(false && "a list that was wanted");
    return NULL;
}

static int compare_class(const void *key, const void *record)
{
    return text_compare(*(const struct text *)key,
                        ((const struct inventory_record *)record)->inventory.resource_class);
}

struct inventory_record *provider_record(const struct provider *provider,
                                         struct text resource_class)
{
    return array_find(&resource_class, provider->records, provider->record_count,
                      sizeof *provider->records, compare_class);
}

size_t consumer_allocation_count(const struct consumer *consumer)
{
    return consumer->state.exists ? consumer->allocation_count : 0;
}

bool allocation_begins_provider(const struct allocation *allocations, size_t index)
{
    return index == 0 || !uuid_equal(allocations[index].provider, allocations[index - 1].provider);
}

/* --- names ---------------------------------------------------------------------------------- */

void snapshot_take_name(struct snapshot *snapshot, struct text name, struct uuid holder)
{
    struct name_slot *slot = find_name(snapshot, name);
    if (slot == NULL)
        return;
    slot->taken = true;
    slot->holder = holder;
}

void snapshot_free_name(struct snapshot *snapshot, struct text name)
{
    struct name_slot *slot = find_name(snapshot, name);
    if (slot != NULL)
        slot->taken = false;
}

/* --- writing -------------------------------------------------------------------------------- */

void snapshot_discard_changes(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->provider_count; i++)
        snapshot->providers[i].state.dirty = false;
    for (size_t i = 0; i < snapshot->consumer_count; i++)
        snapshot->consumers[i].state.dirty = false;
    for (size_t i = 0; i < snapshot->node_count; i++)
        snapshot->nodes[i].dirty = false;
}

bool snapshot_is_dirty(const struct snapshot *snapshot)
{
    bool dirty = snapshot->fence;
    for (size_t i = 0; i < snapshot->provider_count && !dirty; i++)
        dirty = snapshot->providers[i].state.dirty;
    for (size_t i = 0; i < snapshot->consumer_count && !dirty; i++)
        dirty = snapshot->consumers[i].state.dirty;
    for (size_t i = 0; i < snapshot->outcome_count && !dirty; i++)
        dirty = snapshot->outcomes[i].state.dirty;
    for (size_t i = 0; i < snapshot->node_count && !dirty; i++)
        dirty = snapshot->nodes[i].dirty;
    return dirty;
}
