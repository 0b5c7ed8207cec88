/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the storage port (include/allot/store.h) promises of documents, one session at a time.
 * Each test runs against the store in memory and against MongoDB: the simulations use the one in
 * memory, so both have to behave alike. Sections: absence, content, updates, a large batch.
 *
 *   this file                 load and write
 *   test_store_life.c         end, commit, validators, attempt records
 *   test_store_conflicts.c    concurrent transactions, snapshots
 *   test_store_lock.c         the advisory lock
 *   test_store_lists.c        trees, pages, usages
 *   test_store_memory.c       faults of the store in memory
 *   test_store_prepare.c, test_store_faults.c, test_store_commits.c, test_store_cost.c
 *                             MongoDB only: start, failures, lost answers, round trips
 *   store_world.[ch], store_pair.[ch], store_admin.[ch]   what the tests share
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_world.h"

#include <string.h>

#include "allot/limits.h"

/* --- absence --- */

static void test_an_absent_document_is_an_empty_slot(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct uuid id = world_uuid(world);
    struct text name = world_text(world, "nobody");
    session_begin(&session);
    snapshot_want_provider(session.snapshot, id);
    snapshot_want_consumer(session.snapshot, id);
    snapshot_want_outcome(session.snapshot, conductor(), name);
    snapshot_want_name(session.snapshot, name);
    snapshot_want_tree(session.snapshot, id);
    session_load(&session);
    struct slot_state states[] = {snapshot_provider(session.snapshot, id)->state,
                                  snapshot_consumer(session.snapshot, id)->state,
                                  snapshot_outcome(session.snapshot, conductor(), name)->state};
    for (size_t i = 0; i < 3; i++) {
        assert_true(states[i].loaded);
        assert_false(states[i].stored || states[i].exists || states[i].dirty);
    }
    assert_true(snapshot_name(session.snapshot, name)->loaded);
    assert_false(snapshot_name(session.snapshot, name)->taken);
    assert_true(session.snapshot->roots_loaded);
    assert_int_equal(session.snapshot->node_count, 0);
    session_close(&session);
}

static void test_a_loaded_slot_is_not_filled_again(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider stored = plain_provider(world);
    world_add_provider(world, &stored);
    struct provider *slot = open_provider(&session, stored.id);
    slot->generation = 77;
    snapshot_want_provider(session.snapshot, stored.id);
    snapshot_want_consumer(session.snapshot, world_uuid(world));
    session_load(&session);
    assert_true(snapshot_provider(session.snapshot, stored.id)->generation == 77);
    session_close(&session);
}

/* --- a load returns what was written --- */

enum { MANY_CLASSES = 60 };

static void fill_records(struct store_world *world, struct provider *provider)
{
    provider->records = ARENA_ARRAY(world->arena, struct inventory_record, MANY_CLASSES);
    provider->record_count = MANY_CLASSES;
    for (int i = 0; i < MANY_CLASSES; i++) {
        provider->records[i] = (struct inventory_record){
            .inventory = {.resource_class = text_format(world->arena, "CUSTOM_CLASS_%02d", i),
                          .total = AMOUNT_MAX - i,
                          .reserved = i,
                          .min_unit = 1 + i,
                          .max_unit = AMOUNT_MAX,
                          .step_size = 2 + i,
                          .ratio = i % 2 == 0 ? RATIO_MIN : RATIO_MAX},
            .used = i % 3 == 0 ? INT64_MAX : i,
        };
    }
}

static void test_a_provider_comes_back_as_it_was_written(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    content.name = text_format(world->arena, "h\xc3\xb6st \xe2\x82\xac \xf0\x9f\x90\x98 %.*s",
                               TEXT_ARGS(content.name));
    content.has_parent = true;
    content.parent = world_uuid(world);
    content.root = world_uuid(world);
    content.generation = INT64_MAX - 1;
    fill_records(world, &content);
    world_add_provider(world, &content);
    assert_same_provider(&content, open_provider(&session, content.id));
    session_close(&session);
}

static void test_a_provider_without_inventory_comes_back_empty(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    content.record_count = 0;
    world_add_provider(world, &content);
    assert_same_provider(&content, open_provider(&session, content.id));
    session_close(&session);
}

static struct consumer rich_consumer(struct store_world *world)
{
    enum { PROVIDERS = 20, CLASSES = 3 };
    static const char *const classes[CLASSES] = {"CUSTOM_A", "MEMORY_MB", "VCPU"};
    struct consumer consumer = plain_consumer(world, world_uuid(world), 1);
    struct allocation *allocations =
        ARENA_ARRAY(world->arena, struct allocation, PROVIDERS * CLASSES);
    for (size_t i = 0; i < PROVIDERS; i++) {
        struct uuid provider = world_uuid(world);
        for (size_t k = 0; k < CLASSES; k++)
            allocations[i * CLASSES + k] = (struct allocation){
                provider, text_of(classes[k]), k == 0 ? INT64_MAX : (int64_t)(i + k + 1)};
    }
    consumer.allocations = allocations;
    consumer.allocation_count = PROVIDERS * CLASSES;
    consumer.project_id = text_of("\xe9\xa1\xb9\xe7\x9b\xae \"quoted\" $dollar.dot");
    consumer.user_id = text_of("u");
    consumer.mappings =
        text_of("{\"\":[\"30c36b4b-5a25-4b0c-9d0f-4b1b4ac2c7e0\"],\"_A\":[\"30c36b4b-5a25-4b0c-"
                "9d0f-4b1b4ac2c7e0\"]}");
    consumer.generation = INT64_MAX;
    return consumer;
}

static void test_a_consumer_comes_back_as_it_was_written(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct consumer content = rich_consumer(world);
    world_add_consumer(world, &content);
    assert_same_consumer(&content, open_consumer(&session, content.id));
    session_close(&session);
}

static void test_an_outcome_comes_back_byte_for_byte(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    const char *body =
        "{\"status\":\"failure\",\"message\":\"\xc3\xa4\\u0001 \\\" \xf0\x9f\x90\x98\"}";
    struct outcome *slot = open_outcome(&session, conductor(), key);
    put_outcome(&session, conductor(), key, body);
    slot->code = VERDICT_CAPACITY_EXCEEDED;
    int64_t before_ms = session.store->ops->now_ms(session.store);
    session_save(&session);
    int64_t after_ms = session.store->ops->now_ms(session.store);
    slot = open_outcome(&session, conductor(), key);
    assert_true(slot->state.loaded && slot->state.stored && slot->state.exists);
    assert_text(text_of(body), slot->body);
    assert_text(text_of("allocation.set"), slot->command);
    assert_int_equal(slot->code, VERDICT_CAPACITY_EXCEEDED);
    assert_int_equal(slot->fingerprint.bytes[0], 0xa5);
    assert_int_equal(slot->fingerprint.bytes[FINGERPRINT_BYTES - 1], 0xa5);
    assert_in_range(slot->recorded_at_ms, before_ms, after_ms);
    session_close(&session);
}

static void test_one_key_of_two_principals_is_two_outcomes(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    world_add_outcome(world, text_of("a"), key, "{\"of\":\"a\"}");
    session_begin(&session);
    snapshot_want_outcome(session.snapshot, text_of("a"), key);
    snapshot_want_outcome(session.snapshot, text_of("b"), key);
    session_load(&session);
    assert_true(snapshot_outcome(session.snapshot, text_of("a"), key)->state.exists);
    assert_false(snapshot_outcome(session.snapshot, text_of("b"), key)->state.exists);
    session_close(&session);
}

/* --- updates --- */

/* Stores a provider with two classes, and returns its content. */
static struct provider two_classes(struct store_world *world)
{
    struct provider content = plain_provider(world);
    struct inventory_record *records = ARENA_ARRAY(world->arena, struct inventory_record, 2);
    records[0] = records[1] = content.records[0];
    records[0].inventory.resource_class = text_of("MEMORY_MB");
    records[0].used = 5;
    records[1].used = 7;
    content.records = records;
    content.record_count = 2;
    world_add_provider(world, &content);
    return content;
}

static void test_an_update_writes_only_the_usages_that_are_dirty(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = two_classes(world);
    struct provider *slot = open_provider(&session, content.id);
    slot->state.dirty = true;
    slot->generation = 9;
    slot->records[1].used = 20;
    slot->records[1].dirty = true;
    slot->records[0].used = 999; /* not flagged as dirty, like the name and the total below */
    slot->records[1].inventory.total = 1;
    slot->name = text_of("not to be written");
    session_save(&session);
    content.generation = 9;
    content.records[1].used = 20;
    assert_same_provider(&content, open_provider(&session, content.id));
    session_close(&session);
}

static void test_an_update_of_the_whole_inventory_replaces_it(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = two_classes(world);
    struct provider *slot = open_provider(&session, content.id);
    struct inventory_record fresh = slot->records[1];
    fresh.inventory.resource_class = text_of("DISK_GB");
    fresh.inventory.total = 11;
    fresh.used = 3;
    slot->records = &fresh;
    slot->record_count = 1;
    slot->state.dirty = slot->records_dirty = true;
    slot->generation = 1;
    content = *slot;
    session_save(&session);
    assert_same_provider(&content, open_provider(&session, content.id));
    session_close(&session);
}

static void test_an_update_of_the_place_writes_name_parent_and_root(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = two_classes(world);
    struct text old = content.name;
    struct provider *slot = open_provider(&session, content.id);
    content.name = world_text(world, "renamed");
    content.has_parent = true;
    content.parent = content.root = world_uuid(world);
    slot->name = content.name;
    slot->has_parent = true;
    slot->parent = slot->root = content.root;
    slot->state.dirty = slot->place_dirty = true;
    session_save(&session);
    snapshot_want_name(session.snapshot, old);
    snapshot_want_name(session.snapshot, content.name);
    assert_same_provider(&content, open_provider(&session, content.id));
    assert_false(snapshot_name(session.snapshot, old)->taken);
    assert_true(snapshot_name(session.snapshot, content.name)->taken);
    session_close(&session);
}

static void test_a_consumer_update_replaces_all_of_it(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct consumer content = rich_consumer(world);
    world_add_consumer(world, &content);
    struct consumer fresh = plain_consumer(world, world_uuid(world), 3);
    fresh.id = content.id;
    fresh.generation = 2;
    fresh.project_id = text_of("another");
    struct consumer *slot = open_consumer(&session, content.id);
    fresh.state = slot->state;
    fresh.state.dirty = true;
    *slot = fresh;
    session_save(&session);
    assert_same_consumer(&fresh, open_consumer(&session, content.id));
    session_close(&session);
}

/* Begins, and loads the consumer as a write does. */
static struct consumer *open_without_mappings(struct session *session, struct uuid id)
{
    session_begin(session);
    snapshot_want_consumer(session->snapshot, id);
    session_load(session);
    return snapshot_consumer(session->snapshot, id);
}

static void test_mappings_that_are_not_wanted_are_not_loaded(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct consumer content = rich_consumer(world);
    world_add_consumer(world, &content);
    content.mappings = TEXT_NONE;
    struct consumer *slot = open_without_mappings(&session, content.id);
    assert_true(slot->mappings_unloaded);
    assert_same_consumer(&content, slot);
    session_restart(&session);
    assert_false(open_consumer(&session, content.id)->mappings_unloaded);
    session_close(&session);
}

static void test_an_update_keeps_mappings_that_were_not_loaded(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct consumer content = rich_consumer(world);
    world_add_consumer(world, &content);
    struct consumer *slot = open_without_mappings(&session, content.id);
    slot->generation = content.generation = 5;
    slot->state.dirty = true;
    session_save(&session);
    assert_same_consumer(&content, open_consumer(&session, content.id));
    session_close(&session);
}

static void test_an_update_replaces_mappings_that_were_not_loaded(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    static const char *const given[] = {NULL, "{\"\":[\"30c36b4b-5a25-4b0c-9d0f-4b1b4ac2c7e0\"]}"};
    for (size_t i = 0; i < 2; i++) {
        struct consumer content = rich_consumer(world);
        world_add_consumer(world, &content);
        struct consumer *slot = open_without_mappings(&session, content.id);
        content.mappings = text_of(given[i]);
        content.state = slot->state;
        content.state.dirty = true;
        *slot = content;
        session_save(&session);
        assert_same_consumer(&content, open_consumer(&session, content.id));
        session_restart(&session);
    }
    session_close(&session);
}

static void test_a_slot_that_is_not_dirty_is_not_written(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = two_classes(world);
    struct provider *slot = open_provider(&session, content.id);
    slot->generation = 5;
    slot->place_dirty = slot->records_dirty = true;
    session_save(&session);
    assert_same_provider(&content, open_provider(&session, content.id));
    session_close(&session);
}

static void test_a_delete_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider provider = two_classes(world);
    struct consumer consumer = plain_consumer(world, provider.id, 1);
    world_add_consumer(world, &consumer);
    snapshot_want_consumer(session.snapshot, consumer.id);
    struct provider *slot = open_provider(&session, provider.id);
    slot->state.exists = false;
    slot->state.dirty = true;
    struct slot_state *of_consumer = &snapshot_consumer(session.snapshot, consumer.id)->state;
    of_consumer->exists = false;
    of_consumer->dirty = true;
    session_save(&session);
    snapshot_want_consumer(session.snapshot, consumer.id);
    snapshot_want_name(session.snapshot, provider.name);
    assert_false(open_provider(&session, provider.id)->state.exists);
    assert_false(snapshot_consumer(session.snapshot, consumer.id)->state.exists);
    assert_false(snapshot_name(session.snapshot, provider.name)->taken);
    session_close(&session);
}

static void test_a_touched_document_leaves_no_trace(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct uuid id = world_uuid(world);
    struct text key = world_text(world, "key");
    for (int round = 0; round < 2; round++) {
        snapshot_want_provider(session.snapshot, id);
        snapshot_want_consumer(session.snapshot, id);
        struct outcome *outcome = open_outcome(&session, conductor(), key);
        assert_false(outcome->state.exists);
        assert_false(snapshot_provider(session.snapshot, id)->state.exists);
        assert_false(snapshot_consumer(session.snapshot, id)->state.exists);
        outcome->state.dirty = true;
        snapshot_provider(session.snapshot, id)->state.dirty = true;
        snapshot_consumer(session.snapshot, id)->state.dirty = true;
        session_save(&session);
    }
    session_close(&session);
}

/* --- a large batch --- */

enum { BATCH = 40 };

static void want_batch(struct session *session, const struct uuid *ids, const struct text *keys)
{
    for (size_t i = 0; i < BATCH; i++) {
        snapshot_want_provider(session->snapshot, ids[i]);
        snapshot_want_consumer(session->snapshot, ids[i]);
        snapshot_want_outcome(session->snapshot, conductor(), keys[i]);
    }
    session_begin(session);
    session_load(session);
}

static void put_batch(struct session *session, const struct uuid *ids, const struct text *keys)
{
    for (size_t i = 0; i < BATCH; i++) {
        struct provider provider = plain_provider(session->world);
        provider.id = provider.root = ids[i];
        put_provider(session, &provider);
        struct consumer consumer = plain_consumer(session->world, ids[i], (int64_t)i + 1);
        consumer.id = ids[i];
        put_consumer(session, &consumer);
        put_outcome(session, conductor(), keys[i], "{}");
    }
}

/* Of every three documents one is kept, one changed and one deleted. */
static void change_batch(struct session *session, const struct uuid *ids)
{
    for (size_t i = 0; i < BATCH; i++) {
        struct provider *provider = snapshot_provider(session->snapshot, ids[i]);
        struct consumer *consumer = snapshot_consumer(session->snapshot, ids[i]);
        provider->state.dirty = consumer->state.dirty = i % 3 != 0;
        provider->state.exists = consumer->state.exists = i % 3 != 2;
        provider->generation += 1;
        consumer->generation += 1;
    }
}

static void check_batch(struct session *session, const struct uuid *ids, const struct text *keys)
{
    for (size_t i = 0; i < BATCH; i++) {
        const struct provider *provider = snapshot_provider(session->snapshot, ids[i]);
        const struct consumer *consumer = snapshot_consumer(session->snapshot, ids[i]);
        assert_int_equal(provider->state.exists, i % 3 != 2);
        assert_int_equal(consumer->state.exists, i % 3 != 2);
        if (i % 3 != 2) {
            assert_int_equal(provider->generation, i % 3 == 1);
            assert_int_equal(consumer->generation, 1 + (i % 3 == 1));
        }
        assert_true(snapshot_outcome(session->snapshot, conductor(), keys[i])->state.exists);
    }
}

static void test_one_write_inserts_updates_and_deletes(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct uuid ids[BATCH];
    struct text keys[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        ids[i] = world_uuid(world);
        keys[i] = world_text(world, "key");
    }
    want_batch(&session, ids, keys);
    put_batch(&session, ids, keys);
    session_save(&session);
    want_batch(&session, ids, keys);
    change_batch(&session, ids);
    session_save(&session);
    want_batch(&session, ids, keys);
    check_batch(&session, ids, keys);
    session_close(&session);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_an_absent_document_is_an_empty_slot),
    cmocka_unit_test(test_a_loaded_slot_is_not_filled_again),
    cmocka_unit_test(test_a_provider_comes_back_as_it_was_written),
    cmocka_unit_test(test_a_provider_without_inventory_comes_back_empty),
    cmocka_unit_test(test_a_consumer_comes_back_as_it_was_written),
    cmocka_unit_test(test_an_outcome_comes_back_byte_for_byte),
    cmocka_unit_test(test_one_key_of_two_principals_is_two_outcomes),
    cmocka_unit_test(test_an_update_writes_only_the_usages_that_are_dirty),
    cmocka_unit_test(test_an_update_of_the_whole_inventory_replaces_it),
    cmocka_unit_test(test_an_update_of_the_place_writes_name_parent_and_root),
    cmocka_unit_test(test_a_consumer_update_replaces_all_of_it),
    cmocka_unit_test(test_mappings_that_are_not_wanted_are_not_loaded),
    cmocka_unit_test(test_an_update_keeps_mappings_that_were_not_loaded),
    cmocka_unit_test(test_an_update_replaces_mappings_that_were_not_loaded),
    cmocka_unit_test(test_a_slot_that_is_not_dirty_is_not_written),
    cmocka_unit_test(test_a_delete_leaves_nothing),
    cmocka_unit_test(test_a_touched_document_leaves_no_trace),
    cmocka_unit_test(test_one_write_inserts_updates_and_deletes),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store in memory", tests, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store on MongoDB", tests, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
