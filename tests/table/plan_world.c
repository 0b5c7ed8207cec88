/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stored state of a case, and the fake store that loads it. Two halves:
 *
 * - world_add_provider, world_add_consumer and world_add_usage read the lines of a case, word by
 *   word, into `struct world`; a malformed word fails the test;
 * - world_fill fills every slot of a snapshot from that state, as a load would. It has a function
 *   fill_... for each kind of slot.
 *
 * The format of the lines is in tests/table/README.md. The fake store has no errors and no
 * transactions; tests/contract tests those. It shares no code with the memory store of
 * tests/support.
 */
#include "tests/support/cmocka.h"

#include "tests/table/plan_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/codec/ratio.h"
#include "tests/table/plan_expand.h"

struct uuid world_uuid(const char *short_name)
{
    char chars[UUID_TEXT_LENGTH + 1];
    char letter = short_name[0] == 'p' ? 'a' : 'c';
    (void)snprintf(chars, sizeof chars, "%c0000000-0000-0000-0000-%012d", letter,
                   atoi(short_name + 1) % 1000000);
    struct uuid uuid;
    assert_true(uuid_parse(text_of(chars), &uuid));
    return uuid;
}

static struct text copy(struct world *world, const char *string)
{
    return text_copy(world->arena, text_of(string));
}

/* Ends the word at its first `separator`, and returns the text behind it, borrowed from the word.
 */
static char *split(char *word, char separator)
{
    char *end = strchr(word, separator);
    if (end == NULL)
        fail_msg("no '%c' in '%s'", separator, word);
    *end = '\0';
    return end + 1;
}

static void add_record(struct world *world, struct provider *provider, const char *name,
                       const char *amounts)
{
    long long used = 0, total = 0;
    assert_int_equal(sscanf(amounts, "%lld/%lld", &used, &total), 2);
    provider->records[provider->record_count++] = (struct inventory_record){
        .inventory = {.resource_class = copy(world, name),
                      .total = total,
                      .min_unit = 1,
                      .max_unit = AMOUNT_MAX,
                      .step_size = 1,
                      .ratio = RATIO_ONE},
        .used = used,
    };
}

static void set_unit(struct inventory *inventory, const char *key, const char *value)
{
    if (strcmp(key, "reserved") == 0)
        inventory->reserved = atoll(value);
    else if (strcmp(key, "min") == 0)
        inventory->min_unit = atoll(value);
    else if (strcmp(key, "max") == 0)
        inventory->max_unit = atoll(value);
    else if (strcmp(key, "step") == 0)
        inventory->step_size = atoll(value);
    else if (strcmp(key, "ratio") == 0)
        assert_true(ratio_from_double(atof(value), &inventory->ratio));
    else
        fail_msg("unknown word '%s' of an inventory", key);
}

static void set_provider(struct world *world, struct provider *provider, char *word)
{
    char *value = split(word, '=');
    if (strcmp(word, "gen") == 0) {
        provider->generation = atoll(value);
    } else if (strcmp(word, "name") == 0) {
        provider->name = copy(world, value);
    } else if (strcmp(word, "parent") == 0) {
        provider->has_parent = true;
        provider->parent = world_uuid(value);
    } else if (strchr(value, '/') != NULL) {
        add_record(world, provider, word, value);
    } else {
        assert_true(provider->record_count > 0);
        set_unit(&provider->records[provider->record_count - 1].inventory, word, value);
    }
}

void world_add_provider(struct world *world, char *words)
{
    char *rest = NULL;
    const char *name = strtok_r(words, " ", &rest);
    struct provider *provider = &world->providers[world->provider_count++];
    assert_true(world->provider_count < WORLD_MAX);
    provider->id = world_uuid(name);
    provider->name = copy(world, name);
    provider->records = ARENA_ARRAY(world->arena, struct inventory_record, WORLD_MAX);
    for (char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        set_provider(world, provider, word);
}

static void set_consumer(struct world *world, struct consumer *consumer,
                         struct allocation *allocations, char *word)
{
    char *colon = strchr(word, ':');
    char *equals = strchr(word, '=');
    if (colon != NULL && equals != NULL && colon < equals) {
        char *amount = split(word, '=');
        char *resource_class = split(word, ':');
        allocations[consumer->allocation_count++] =
            (struct allocation){world_uuid(word), copy(world, resource_class), atoll(amount)};
        return;
    }
    char *value = split(word, '=');
    if (strcmp(word, "gen") == 0)
        consumer->generation = atoll(value);
    else if (strcmp(word, "project") == 0)
        consumer->project_id = copy(world, value);
    else if (strcmp(word, "user") == 0)
        consumer->user_id = copy(world, value);
    else if (strcmp(word, "type") == 0)
        consumer->consumer_type = copy(world, value);
    else if (strcmp(word, "mappings") == 0)
        consumer->mappings = plan_expand(world->arena, value);
    else
        fail_msg("unknown word '%s' of a consumer", word);
}

void world_read_consumer(struct world *world, char *words, struct consumer *ret_consumer)
{
    char *rest = NULL;
    struct allocation *allocations = ARENA_ARRAY(world->arena, struct allocation, WORLD_MAX);
    *ret_consumer = (struct consumer){
        .id = world_uuid(strtok_r(words, " ", &rest)),
        .project_id = text_of("blue"),
        .user_id = text_of("u"),
        .consumer_type = text_of("INSTANCE"),
        .generation = 1,
        .allocations = allocations,
    };
    for (char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        set_consumer(world, ret_consumer, allocations, word);
}

void world_add_consumer(struct world *world, char *words)
{
    assert_true(world->consumer_count < WORLD_MAX);
    world_read_consumer(world, words, &world->consumers[world->consumer_count++]);
}

void world_add_usage(struct world *world, char *words)
{
    char *rest = NULL;
    const char *type = strtok_r(words, " ", &rest);
    const char *consumers = strtok_r(NULL, " ", &rest);
    assert_non_null(consumers);
    assert_true(world->usage_count < WORLD_MAX);
    struct usage_amount *amounts = ARENA_ARRAY(world->arena, struct usage_amount, WORLD_MAX);
    size_t count = 0;
    for (char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        const char *amount = split(word, '=');
        amounts[count++] = (struct usage_amount){copy(world, word), atoll(amount)};
    }
    world->usages[world->usage_count++] =
        (struct usage_group){copy(world, type), atoll(consumers), amounts, count};
}

static const struct provider *find_provider(const struct world *world, struct uuid id)
{
    for (size_t i = 0; i < world->provider_count; i++) {
        if (uuid_equal(world->providers[i].id, id))
            return &world->providers[i];
    }
    return NULL;
}

static struct uuid root_of(const struct world *world, const struct provider *provider)
{
    while (provider->has_parent) {
        provider = find_provider(world, provider->parent);
        assert_non_null(provider);
    }
    return provider->id;
}

static const struct slot_state found = {.loaded = true, .stored = true, .exists = true};

static void fill_provider(const struct world *world, struct provider *slot)
{
    const struct provider *stored = find_provider(world, slot->id);
    slot->state.loaded = true;
    if (stored == NULL)
        return;
    *slot = *stored;
    slot->root = root_of(world, stored);
    slot->state = found;
}

static void fill_consumer(const struct world *world, bool mappings_wanted, struct consumer *slot)
{
    slot->state.loaded = true;
    for (size_t i = 0; i < world->consumer_count; i++) {
        if (!uuid_equal(world->consumers[i].id, slot->id))
            continue;
        *slot = world->consumers[i];
        slot->state = found;
        slot->mappings_unloaded = !mappings_wanted;
        if (slot->mappings_unloaded)
            slot->mappings = TEXT_NONE;
    }
}

static void fill_outcome(const struct world *world, struct outcome *slot)
{
    slot->state.loaded = true;
    for (size_t i = 0; i < world->outcome_count; i++) {
        const struct outcome *stored = &world->outcomes[i];
        if (!text_equal(stored->principal, slot->principal) || !text_equal(stored->key, slot->key))
            continue;
        *slot = *stored;
        slot->state = found;
    }
}

static void fill_name(const struct world *world, struct name_slot *slot)
{
    slot->loaded = true;
    for (size_t i = 0; i < world->provider_count; i++) {
        if (!text_equal(world->providers[i].name, slot->name))
            continue;
        slot->taken = true;
        slot->holder = world->providers[i].id;
    }
}

static bool is_wanted_root(const struct snapshot *snapshot, struct uuid root)
{
    for (size_t i = 0; i < snapshot->root_count; i++) {
        if (uuid_equal(snapshot->roots[i], root))
            return true;
    }
    return false;
}

/* The lines of a case are sorted by provider, so the nodes are sorted as well. */
static void fill_trees(const struct world *world, struct snapshot *snapshot)
{
    snapshot->roots_loaded = true;
    snapshot->nodes = ARENA_ARRAY(snapshot->arena, struct tree_node, WORLD_MAX);
    for (size_t i = 0; i < world->provider_count; i++) {
        const struct provider *one = &world->providers[i];
        struct uuid root = root_of(world, one);
        if (is_wanted_root(snapshot, root))
            snapshot->nodes[snapshot->node_count++] =
                (struct tree_node){one->id, one->has_parent, one->parent, root, false};
    }
}

/* Fills `ret_row` with the consumer's allocations on the provider. Returns false if it has none. */
static bool allocations_on(struct arena *arena, const struct consumer *consumer,
                           struct uuid provider, struct consumer *ret_row)
{
    struct allocation *allocations =
        ARENA_ARRAY(arena, struct allocation, consumer->allocation_count);
    *ret_row = *consumer;
    ret_row->allocations = allocations;
    ret_row->allocation_count = 0;
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        if (uuid_equal(consumer->allocations[i].provider, provider))
            allocations[ret_row->allocation_count++] = consumer->allocations[i];
    }
    return ret_row->allocation_count > 0;
}

static void fill_page(const struct world *world, struct arena *arena, struct page_slot *slot)
{
    struct consumer *rows = ARENA_ARRAY(arena, struct consumer, WORLD_MAX);
    slot->loaded = true;
    slot->page = (struct consumer_page){.rows = rows};
    for (size_t i = 0; i < world->consumer_count; i++) {
        const struct consumer *consumer = &world->consumers[i];
        struct consumer row;
        if (slot->params.has_after && uuid_compare(consumer->id, slot->params.after) <= 0)
            continue;
        if (!allocations_on(arena, consumer, slot->params.provider, &row))
            continue;
        slot->page.more = (int64_t)slot->page.count == slot->params.limit;
        if (slot->page.more)
            return;
        rows[slot->page.count++] = row;
    }
}

static bool is_on_list(const struct provider *provider, const struct list_params *params)
{
    struct text prefix = params->prefix, name = provider->name;
    if (text_present(prefix) &&
        (name.length < prefix.length || !text_equal(text_view(name.bytes, prefix.length), prefix)))
        return false;
    return !text_present(params->after) || text_compare(name, params->after) > 0;
}

static int compare_names(const void *a, const void *b)
{
    return text_compare(((const struct provider *)a)->name, ((const struct provider *)b)->name);
}

static void fill_list(const struct world *world, struct arena *arena, struct list_slot *slot)
{
    struct provider *rows = ARENA_ARRAY(arena, struct provider, WORLD_MAX);
    size_t count = 0, limit = (size_t)slot->params.limit;
    for (size_t i = 0; i < world->provider_count; i++) {
        if (!is_on_list(&world->providers[i], &slot->params))
            continue;
        rows[count] = world->providers[i];
        rows[count++].root = root_of(world, &world->providers[i]);
    }
    if (count > 0)
        qsort(rows, count, sizeof *rows, compare_names);
    slot->page = (struct provider_page){rows, count < limit ? count : limit, count > limit};
    slot->loaded = true;
}

void world_fill(struct world *world, struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->provider_count; i++) {
        if (!snapshot->providers[i].state.loaded)
            fill_provider(world, &snapshot->providers[i]);
    }
    for (size_t i = 0; i < snapshot->consumer_count; i++) {
        if (!snapshot->consumers[i].state.loaded)
            fill_consumer(world, snapshot->mappings_wanted, &snapshot->consumers[i]);
    }
    for (size_t i = 0; i < snapshot->outcome_count; i++) {
        if (!snapshot->outcomes[i].state.loaded)
            fill_outcome(world, &snapshot->outcomes[i]);
    }
    for (size_t i = 0; i < snapshot->name_count; i++)
        fill_name(world, &snapshot->names[i]);
    for (size_t i = 0; i < snapshot->page_count; i++)
        fill_page(world, snapshot->arena, &snapshot->pages[i]);
    for (size_t i = 0; i < snapshot->list_count; i++)
        fill_list(world, snapshot->arena, &snapshot->lists[i]);
    for (size_t i = 0; i < snapshot->usage_count; i++) {
        snapshot->usages[i].loaded = true;
        snapshot->usages[i].groups = world->usages;
        snapshot->usages[i].group_count = world->usage_count;
    }
    if (snapshot->root_count > 0 && !snapshot->roots_loaded)
        fill_trees(world, snapshot);
}
