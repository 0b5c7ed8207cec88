/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. memory_load() fills the slots that are not loaded from the versions that the
 * transaction's snapshot sees. Sections: single documents (one function for each kind), trees,
 * pages of consumers, lists of providers, and usages. All but the first look at every document of a
 * table; the real store uses indexes and aggregations for them.
 *
 * Guarantees. A document that does not exist gives a slot that is loaded and empty. All content is
 * copied to the snapshot's arena. Rows, nodes, groups and amounts are sorted as the real store
 * sorts them, and a page ends by the same limits of rows and bytes.
 *
 * Not here: a load cannot fail. Injected faults and aborted transactions are handled before it, in
 * memory_store.c. `documents_returned` counts the documents that a load returns; the sums of usages
 * are not counted.
 */
#include "tests/support/memory_document.h"

#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/base/array.h"

/* An estimate of the bytes that a row and an amount take in a reply, for PAGE_BYTES_MAX. */
enum { ROW_BYTES = 120, AMOUNT_BYTES = 60 };

/* --- single documents --- */

/* Returns the version that the transaction sees, and counts it; NULL if there is none. */
static const struct memory_version *read_document(const struct memory_transaction *transaction,
                                                  enum memory_kind kind, struct text key)
{
    const struct memory_document *document = memory_find(transaction->database, kind, key);
    const struct memory_version *version = memory_visible(document, transaction->snapshot);
    if (version != NULL)
        transaction->database->counters.documents_returned++;
    return version;
}

static void load_provider(const struct memory_transaction *transaction, struct arena *arena,
                          struct provider *slot)
{
    if (slot->state.loaded)
        return;
    const struct memory_version *version =
        read_document(transaction, KIND_PROVIDER, memory_uuid_key(&slot->id));
    slot->state = (struct slot_state){.loaded = true};
    if (version != NULL)
        memory_copy_provider(arena, &version->provider, slot);
}

static void load_consumer(const struct memory_transaction *transaction,
                          const struct snapshot *snapshot, struct consumer *slot)
{
    if (slot->state.loaded)
        return;
    const struct memory_version *version =
        read_document(transaction, KIND_CONSUMER, memory_uuid_key(&slot->id));
    slot->state = (struct slot_state){.loaded = true};
    if (version == NULL)
        return;
    memory_copy_consumer(snapshot->arena, &version->consumer, slot);
    slot->mappings_unloaded = !snapshot->mappings_wanted;
    if (slot->mappings_unloaded)
        slot->mappings = TEXT_NONE;
}

static void load_outcome(const struct memory_transaction *transaction, struct arena *arena,
                         struct outcome *slot)
{
    if (slot->state.loaded)
        return;
    struct text key;
    char *owned = memory_command_key(slot->principal, slot->key, &key);
    const struct memory_version *version = read_document(transaction, KIND_OUTCOME, key);
    free(owned);
    slot->state = (struct slot_state){.loaded = true};
    if (version != NULL)
        memory_copy_outcome(arena, &version->outcome, slot);
}

static void load_name(const struct memory_transaction *transaction, struct name_slot *slot)
{
    if (slot->loaded)
        return;
    const struct memory_version *version = read_document(transaction, KIND_NAME, slot->name);
    slot->loaded = true;
    slot->taken = version != NULL;
    if (version != NULL)
        slot->holder = version->holder;
}

/* --- trees --- */

static bool is_wanted_root(const struct snapshot *snapshot, struct uuid root)
{
    for (size_t i = 0; i < snapshot->root_count; i++) {
        if (uuid_equal(snapshot->roots[i], root))
            return true;
    }
    return false;
}

/* Loads up to one provider more than a tree may have, so that the planner notices the excess. */
static void load_trees(const struct memory_transaction *transaction, struct snapshot *snapshot)
{
    const struct memory_table *table = &transaction->database->tables[KIND_PROVIDER];
    size_t limit = snapshot->root_count * (TREE_PROVIDERS_MAX + 1);
    if (snapshot->roots_loaded || snapshot->root_count == 0)
        return;
    snapshot->nodes = ARENA_ARRAY(snapshot->arena, struct tree_node, table->count);
    snapshot->node_count = 0;
    for (size_t i = 0; i < table->count && snapshot->node_count < limit; i++) {
        const struct memory_version *version =
            memory_visible(table->items[i], transaction->snapshot);
        if (version == NULL || !is_wanted_root(snapshot, version->provider.root))
            continue;
        const struct provider *provider = &version->provider;
        snapshot->nodes[snapshot->node_count++] =
            (struct tree_node){.id = provider->id,
                               .has_parent = provider->has_parent,
                               .parent = provider->parent,
                               .root = provider->root};
        transaction->database->counters.documents_returned++;
    }
    snapshot->roots_loaded = true;
}

/* --- pages --- */

static size_t count_allocations_on(const struct consumer *consumer, struct uuid provider)
{
    size_t count = 0;
    for (size_t i = 0; i < consumer->allocation_count; i++)
        count += uuid_equal(consumer->allocations[i].provider, provider);
    return count;
}

/* Copies a consumer with its allocations on `provider` only. `ret_bytes`: its size in a reply. */
static struct consumer make_row(struct arena *arena, const struct consumer *consumer,
                                struct uuid provider, size_t *ret_bytes)
{
    struct consumer row = {.id = consumer->id,
                           .state = {.loaded = true, .stored = true, .exists = true},
                           .generation = consumer->generation};
    struct allocation *allocations =
        ARENA_ARRAY(arena, struct allocation, count_allocations_on(consumer, provider));
    size_t bytes = ROW_BYTES;
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        struct allocation allocation = consumer->allocations[i];
        if (!uuid_equal(allocation.provider, provider))
            continue;
        allocation.resource_class = text_copy(arena, allocation.resource_class);
        allocations[row.allocation_count++] = allocation;
        bytes += AMOUNT_BYTES + allocation.resource_class.length;
    }
    row.allocations = allocations;
    *ret_bytes = bytes;
    return row;
}

static bool is_on_page(const struct memory_version *version, const struct page_params *params)
{
    if (version == NULL || count_allocations_on(&version->consumer, params->provider) == 0)
        return false;
    return !params->has_after || uuid_compare(version->consumer.id, params->after) > 0;
}

static void load_page(const struct memory_transaction *transaction, struct arena *arena,
                      struct page_slot *slot)
{
    const struct memory_table *table = &transaction->database->tables[KIND_CONSUMER];
    size_t limit = (size_t)slot->params.limit, bytes = 0;
    struct consumer *rows = ARENA_ARRAY(arena, struct consumer, limit);
    if (slot->loaded)
        return;
    slot->page = (struct consumer_page){.rows = rows};
    for (size_t i = 0; i < table->count && !slot->page.more; i++) {
        const struct memory_version *version =
            memory_visible(table->items[i], transaction->snapshot);
        if (!is_on_page(version, &slot->params))
            continue;
        size_t more = 0;
        struct consumer row = make_row(arena, &version->consumer, slot->params.provider, &more);
        transaction->database->counters.documents_returned++;
        slot->page.more =
            slot->page.count == limit || (slot->page.count > 0 && bytes + more > PAGE_BYTES_MAX);
        if (slot->page.more)
            break;
        rows[slot->page.count++] = row;
        bytes += more;
    }
    slot->loaded = true;
}

/* --- lists of providers --- */

static bool is_on_list(const struct memory_version *version, const struct list_params *params)
{
    if (version == NULL)
        return false;
    struct text name = version->provider.name;
    struct text prefix = params->prefix;
    if (text_present(prefix) &&
        (name.length < prefix.length || memcmp(name.bytes, prefix.bytes, prefix.length) != 0))
        return false;
    return !text_present(params->after) || text_compare(name, params->after) > 0;
}

static int compare_names(const void *a, const void *b)
{
    return text_compare(((const struct provider *)a)->name, ((const struct provider *)b)->name);
}

/* Collects all matching providers, then cuts the sorted list. */
static void load_list(const struct memory_transaction *transaction, struct arena *arena,
                      struct list_slot *slot)
{
    const struct memory_table *table = &transaction->database->tables[KIND_PROVIDER];
    struct provider *rows = ARENA_ARRAY(arena, struct provider, table->count);
    size_t count = 0, limit = (size_t)slot->params.limit;
    if (slot->loaded)
        return;
    for (size_t i = 0; i < table->count; i++) {
        const struct memory_version *version =
            memory_visible(table->items[i], transaction->snapshot);
        if (!is_on_list(version, &slot->params))
            continue;
        memory_copy_provider(arena, &version->provider, &rows[count++]);
    }
    array_sort(rows, count, sizeof *rows, compare_names);
    slot->page = (struct provider_page){rows, count < limit ? count : limit, count > limit};
    transaction->database->counters.documents_returned += slot->page.count;
    slot->loaded = true;
}

/* --- usages --- */

struct sums {
    struct arena *arena;
    struct usage_group *groups; /* sorted by type; their amounts are sorted by class */
    size_t count;
};

/* Returns the group of `type`; adds it if it is missing. Linear, because groups are few. */
static struct usage_group *find_or_add_group(struct sums *sums, struct text type)
{
    size_t index = 0;
    while (index < sums->count && text_compare(sums->groups[index].consumer_type, type) < 0)
        index++;
    if (index < sums->count && text_equal(sums->groups[index].consumer_type, type))
        return &sums->groups[index];
    struct usage_group *larger = ARENA_ARRAY(sums->arena, struct usage_group, sums->count + 1);
    for (size_t i = 0; i < sums->count; i++)
        larger[i < index ? i : i + 1] = sums->groups[i];
    larger[index] = (struct usage_group){.consumer_type = text_copy(sums->arena, type)};
    sums->groups = larger;
    sums->count++;
    return &sums->groups[index];
}

/* Adds an allocation to the sum of its class; adds the class if it is missing. */
static void add_amount(struct arena *arena, struct usage_group *group,
                       const struct allocation *allocation)
{
    size_t index = 0;
    struct usage_amount *larger = ARENA_ARRAY(arena, struct usage_amount, group->count + 1);
    while (index < group->count &&
           text_compare(group->amounts[index].resource_class, allocation->resource_class) < 0)
        index++;
    bool found = index < group->count &&
                 text_equal(group->amounts[index].resource_class, allocation->resource_class);
    for (size_t i = 0; i < group->count; i++)
        larger[i < index || found ? i : i + 1] = group->amounts[i];
    if (!found)
        larger[index].resource_class = text_copy(arena, allocation->resource_class);
    larger[index].amount += allocation->amount;
    group->amounts = larger;
    group->count += !found;
}

/* Does the consumer belong to the project, and to user and type if they are given? */
static bool matches_usage(const struct consumer *consumer, const struct usage_params *params)
{
    if (!text_equal(consumer->project_id, params->project_id))
        return false;
    if (text_present(params->user_id) && !text_equal(consumer->user_id, params->user_id))
        return false;
    return !text_present(params->consumer_type) || text_is(params->consumer_type, "all") ||
           text_equal(consumer->consumer_type, params->consumer_type);
}

static void add_consumer(struct sums *sums, const struct consumer *consumer, bool all)
{
    struct usage_group *group =
        find_or_add_group(sums, all ? text_of("all") : consumer->consumer_type);
    group->consumer_count++;
    for (size_t i = 0; i < consumer->allocation_count; i++)
        add_amount(sums->arena, group, &consumer->allocations[i]);
}

static void load_usage(const struct memory_transaction *transaction, struct arena *arena,
                       struct usage_slot *slot)
{
    const struct memory_table *table = &transaction->database->tables[KIND_CONSUMER];
    struct sums sums = {.arena = arena};
    bool all = text_is(slot->params.consumer_type, "all");
    if (slot->loaded)
        return;
    for (size_t i = 0; i < table->count; i++) {
        const struct memory_version *version =
            memory_visible(table->items[i], transaction->snapshot);
        if (version != NULL && matches_usage(&version->consumer, &slot->params))
            add_consumer(&sums, &version->consumer, all);
    }
    slot->groups = sums.groups;
    slot->group_count = sums.count;
    slot->loaded = true;
}

void memory_load(struct memory_transaction *transaction, struct snapshot *snapshot)
{
    memory_transaction_take_snapshot(transaction);
    for (size_t i = 0; i < snapshot->outcome_count; i++)
        load_outcome(transaction, snapshot->arena, &snapshot->outcomes[i]);
    for (size_t i = 0; i < snapshot->consumer_count; i++)
        load_consumer(transaction, snapshot, &snapshot->consumers[i]);
    for (size_t i = 0; i < snapshot->provider_count; i++)
        load_provider(transaction, snapshot->arena, &snapshot->providers[i]);
    for (size_t i = 0; i < snapshot->name_count; i++)
        load_name(transaction, &snapshot->names[i]);
    load_trees(transaction, snapshot);
    for (size_t i = 0; i < snapshot->page_count; i++)
        load_page(transaction, snapshot->arena, &snapshot->pages[i]);
    for (size_t i = 0; i < snapshot->usage_count; i++)
        load_usage(transaction, snapshot->arena, &snapshot->usages[i]);
    for (size_t i = 0; i < snapshot->list_count; i++)
        load_list(transaction, snapshot->arena, &snapshot->lists[i]);
}
