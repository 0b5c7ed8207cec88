/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB what the store costs in commands and returned documents, and two properties of
 * the documents that it writes. The numbers are exact, so a change that costs one more round trip
 * is noticed here, long before a benchmark shows it.
 *
 * The pool of the world counts commands and documents (mongo_pool_counters). A test takes the
 * counters, makes its calls, and compares with since(). A commit is one command; a load is one
 * command, as long as that is not too large; a write is one command for each collection and kind of
 * change. Results of several queries in one command are separated by documents, which are counted
 * too.
 *
 * Not here: time. Latency and throughput are measured by bench/, and docs/performance.md has their
 * targets. Loads that are too large for one command are in test_store_faults.c.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"

#include <stdio.h>

/* --- cost --- */

/* The answer to three queries in one command has two documents that separate the results; and the
   first load of a transaction reads three sentinels. */
enum { KEYS_MAX = 500, SEPARATORS = 2, SENTINELS = 3 };

struct keys {
    struct uuid ids[KEYS_MAX];
    struct text texts[KEYS_MAX];
};

static void want_keys(struct session *session, const struct keys *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        snapshot_want_provider(session->snapshot, keys->ids[i]);
        snapshot_want_consumer(session->snapshot, keys->ids[i]);
        snapshot_want_outcome(session->snapshot, conductor(), keys->texts[i]);
    }
}

/* Puts a provider, a consumer and an outcome for each key. */
static void put_keys(struct session *session, const struct keys *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct provider provider = plain_provider(session->world);
        struct consumer consumer = plain_consumer(session->world, keys->ids[i], 1);
        provider.id = provider.root = consumer.id = keys->ids[i];
        put_provider(session, &provider);
        put_consumer(session, &consumer);
        put_outcome(session, conductor(), keys->texts[i], "{}");
    }
}

/* Returns what the counters have grown by. */
static struct mongo_counters since(const struct store_world *world, struct mongo_counters before)
{
    struct mongo_counters now = mongo_pool_counters(world->pool);
    return (struct mongo_counters){.commands = now.commands - before.commands,
                                   .documents_returned =
                                       now.documents_returned - before.documents_returned};
}

static void make_keys(struct store_world *world, struct keys *keys)
{
    for (size_t i = 0; i < KEYS_MAX; i++) {
        keys->ids[i] = world_uuid(world);
        keys->texts[i] = world_text(world, "key");
    }
}

static void load_keys(struct session *session, const struct keys *keys, size_t count)
{
    session_begin(session);
    want_keys(session, keys, count);
    session_load(session);
}

static void test_a_load_and_a_write_cost_the_same_for_any_number_of_keys(void **state)
{
    static const size_t counts[] = {1, 10, KEYS_MAX};
    struct store_world *world = *state;
    struct keys *keys = ARENA_NEW(world->arena, struct keys);
    for (size_t i = 0; i < 3; i++) {
        struct session session = session_open(world);
        make_keys(world, keys);
        struct mongo_counters before = mongo_pool_counters(world->pool);
        load_keys(&session, keys, counts[i]);
        assert_int_equal(since(world, before).commands, 1);
        assert_int_equal(since(world, before).documents_returned, SEPARATORS + SENTINELS);
        put_keys(&session, keys, counts[i]);
        session_save(&session);
        assert_int_equal(since(world, before).commands, 1 + 3 + 1); /* load, inserts, commit */
        before = mongo_pool_counters(world->pool);
        load_keys(&session, keys, counts[i]);
        assert_int_equal(since(world, before).commands, 1);
        assert_int_equal(since(world, before).documents_returned,
                         3 * counts[i] + SEPARATORS + SENTINELS);
        session_close(&session);
    }
}

static void test_updates_and_deletes_are_one_command_a_collection(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct keys *keys = ARENA_NEW(world->arena, struct keys);
    make_keys(world, keys);
    load_keys(&session, keys, KEYS_MAX);
    put_keys(&session, keys, KEYS_MAX);
    session_save(&session);
    load_keys(&session, keys, KEYS_MAX);
    for (size_t i = 0; i < KEYS_MAX; i++) {
        session.snapshot->providers[i].state.dirty = true;
        session.snapshot->consumers[i].state.dirty = true;
        session.snapshot->consumers[i].state.exists = i % 2 == 0;
    }
    struct mongo_counters before = mongo_pool_counters(world->pool);
    session_save(&session);
    assert_int_equal(since(world, before).commands, 1 + 2 + 1); /* updates, deletes, commit */
    session_close(&session);
}

static void test_a_second_load_queries_only_slots_that_are_not_loaded(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct keys *keys = ARENA_NEW(world->arena, struct keys);
    make_keys(world, keys);
    load_keys(&session, keys, 10);
    struct mongo_counters before = mongo_pool_counters(world->pool);
    session_load(&session);
    assert_int_equal(since(world, before).commands, 0);
    snapshot_want_provider(session.snapshot, world_uuid(world));
    snapshot_want_name(session.snapshot, world_text(world, "name"));
    session_load(&session);
    assert_int_equal(since(world, before).commands, 1);
    session_close(&session);
}

static void test_usages_are_summed_by_the_server(void **state)
{
    enum { CONSUMERS = 150 };
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text project = world_text(world, "project");
    session_begin(&session);
    for (int i = 0; i < CONSUMERS; i++)
        snapshot_want_consumer(session.snapshot, world_uuid(world));
    session_load(&session);
    for (size_t i = 0; i < CONSUMERS; i++) {
        struct consumer consumer = plain_consumer(world, session.snapshot->consumers[i].id, 2);
        consumer.id = session.snapshot->consumers[i].id;
        consumer.project_id = project;
        put_consumer(&session, &consumer);
    }
    session_save(&session);
    session_begin(&session);
    snapshot_want_usage(session.snapshot, 0, (struct usage_params){.project_id = project});
    struct mongo_counters before = mongo_pool_counters(world->pool);
    session_load(&session);
    assert_int_equal(since(world, before).commands, 1);
    assert_int_equal(since(world, before).documents_returned,
                     SENTINELS + SENTINELS + 2); /* each with a separator; the count, and VCPU */
    assert_int_equal(session.snapshot->usages[0].groups[0].consumer_count, CONSUMERS);
    assert_int_equal(session.snapshot->usages[0].groups[0].amounts[0].amount, 2 * CONSUMERS);
    session_close(&session);
}

static void test_a_batch_of_reads_is_one_command(void **state)
{
    enum { READS = 98 }; /* with the sentinels, as many queries as one command has */
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct consumer consumer = plain_consumer(world, world_uuid(world), 2);
    consumer.project_id = world_text(world, "project");
    world_add_consumer(world, &consumer);
    struct text none = world_text(world, "project");
    session_begin(&session);
    for (size_t i = 0; i < READS; i++) {
        bool full = i % 2 == 1;
        snapshot_want_usage(session.snapshot, i,
                            (struct usage_params){.project_id = full ? consumer.project_id : none});
        snapshot_want_page(session.snapshot, i,
                           (struct page_params){.provider = full ? consumer.allocations[0].provider
                                                                 : world_uuid(world),
                                                .limit = 5});
    }
    struct mongo_counters before = mongo_pool_counters(world->pool);
    session_load(&session);
    assert_int_equal(since(world, before).commands, 1);
    for (size_t i = 0; i < READS; i++) {
        assert_int_equal(snapshot_usage(session.snapshot, i)->group_count, i % 2);
        assert_int_equal(snapshot_page(session.snapshot, i)->page.count, i % 2);
    }
    session_close(&session);
}

static void test_a_page_returns_one_document_more_than_it_shows(void **state)
{
    enum { CONSUMERS = 120, LIMIT = 110 };
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct uuid provider = world_uuid(world);
    session_begin(&session);
    for (int i = 0; i < CONSUMERS; i++)
        snapshot_want_consumer(session.snapshot, world_uuid(world));
    session_load(&session);
    for (size_t i = 0; i < CONSUMERS; i++) {
        struct consumer consumer = plain_consumer(world, provider, 2);
        consumer.id = session.snapshot->consumers[i].id;
        put_consumer(&session, &consumer);
    }
    session_save(&session);
    session_begin(&session);
    snapshot_want_page(session.snapshot, 0,
                       (struct page_params){.provider = provider, .limit = LIMIT});
    struct mongo_counters before = mongo_pool_counters(world->pool);
    session_load(&session);
    assert_int_equal(since(world, before).commands, 1);
    assert_int_equal(since(world, before).documents_returned, SENTINELS + SENTINELS + LIMIT + 1);
    session_close(&session);
}

static void test_letters_cost_the_same_for_any_number_of_them(void **state)
{
    enum { LETTERS_MAX = 200 };
    static const size_t counts[] = {1, 10, LETTERS_MAX};
    struct store_world *world = *state;
    struct letter *letters = ARENA_ARRAY(world->arena, struct letter, LETTERS_MAX);
    struct text ids[LETTERS_MAX];
    for (size_t i = 0; i < 3; i++) {
        struct session session = session_open(world);
        for (size_t j = 0; j < counts[i]; j++) {
            letters[j] = full_letter(world);
            ids[j] = letters[j].id;
        }
        struct mongo_counters before = mongo_pool_counters(world->pool);
        world_add_letters(world, letters, counts[i]);
        assert_int_equal(since(world, before).commands, 1 + 1 + 1); /* sentinel, write, commit */
        before = mongo_pool_counters(world->pool);
        assert_int_equal(session_claim(&session, LETTERS_MAX).count, 0);
        assert_int_equal(since(world, before).commands, 1);
        world_pass_time(world, LETTER_SWEEP_AFTER_MS + 1000);
        before = mongo_pool_counters(world->pool);
        assert_int_equal(session_claim(&session, LETTERS_MAX).count, counts[i]);
        /* Find, claim, read; more than 101 documents are two answers, twice. */
        assert_int_equal(since(world, before).commands, counts[i] > 101 ? 3 + 2 : 3);
        before = mongo_pool_counters(world->pool);
        struct letter_sighting found[LETTERS_MAX];
        assert_status(&session, STORE_OK,
                      session.store->ops->find_letters(session.store, ids, counts[i], session.arena,
                                                       found, &session.error));
        assert_int_equal(since(world, before).commands, 1);
        before = mongo_pool_counters(world->pool);
        assert_status(&session, STORE_OK, session_publish(&session, ids, counts[i]));
        assert_int_equal(since(world, before).commands, 1);
        session_close(&session);
    }
}

/* Returns how many update statements the providers got since profiling began. */
static int64_t update_statements(const struct store_world *world)
{
    char filter[128];
    (void)snprintf(filter, sizeof filter, "{\"op\": \"update\", \"ns\": \"%s.providers\"}",
                   world->database);
    return admin_count(world->database, "system.profile", filter);
}

enum { MEMBERS = 50 };

/* Puts a root and MEMBERS children of it; returns the root. */
static struct uuid add_tree(struct store_world *world)
{
    struct session session = session_open(world);
    struct uuid root = world_uuid(world);
    session_begin(&session);
    snapshot_want_provider(session.snapshot, root);
    for (int i = 0; i < MEMBERS; i++)
        snapshot_want_provider(session.snapshot, world_uuid(world));
    session_load(&session);
    for (size_t i = 0; i <= MEMBERS; i++) {
        struct provider provider = plain_provider(world);
        provider.id = session.snapshot->providers[i].id;
        provider.root = provider.parent = root;
        provider.has_parent = i > 0;
        put_provider(&session, &provider);
    }
    session_save(&session);
    session_close(&session);
    return root;
}

static void test_a_moved_subtree_is_one_statement_and_raises_each_revision(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct uuid root = add_tree(world), to = world_uuid(world);
    char filter[128];
    session_begin(&session);
    snapshot_want_tree(session.snapshot, root);
    session_load(&session);
    assert_int_equal(session.snapshot->node_count, MEMBERS + 1);
    for (size_t i = 1; i <= MEMBERS; i++) {
        session.snapshot->nodes[i].root = to;
        session.snapshot->nodes[i].dirty = true;
    }
    admin_run(world->database, "{\"profile\": 2}");
    session_save(&session);
    admin_run(world->database, "{\"profile\": 0}");
    assert_int_equal(update_statements(world), 1);
    (void)snprintf(filter, sizeof filter, "{\"root\": {\"$uuid\": \"%s\"}, \"rev\": 1}",
                   uuid_format(to).chars);
    assert_int_equal(admin_count(world->database, "providers", filter), MEMBERS);
    (void)snprintf(filter, sizeof filter, "{\"root\": {\"$uuid\": \"%s\"}, \"rev\": 0}",
                   uuid_format(root).chars);
    assert_int_equal(admin_count(world->database, "providers", filter), 1);
    session_close(&session);
}

/* --- content of the documents --- */

static void test_outcomes_and_attempts_have_an_expiry_date(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text key = world_text(world, "key");
    world_add_outcome(world, conductor(), world_text(world, "key"), "{}");
    assert_status(&session, STORE_OK, session_record_attempts(&session, &key, 1));
    static const char dated[] =
        "{\"expires_at\": {\"$gt\": {\"$date\": {\"$numberLong\": \"0\"}}}}";
    assert_true(admin_count(world->database, "outcomes", dated) > 0);
    assert_true(admin_count(world->database, "attempts", dated) > 0);
    assert_int_equal(admin_count(world->database, "outcomes",
                                 "{\"$expr\": {\"$ne\": [{\"$subtract\": [\"$expires_at\", "
                                 "\"$at\"]}, 3600000]}}"),
                     0);
    session_close(&session);
}

static void test_uuids_are_stored_as_binary_uuids(void **state)
{
    struct store_world *world = *state;
    struct consumer consumer = plain_consumer(world, world_uuid(world), 1);
    char filter[256];
    world_add_consumer(world, &consumer);
    (void)snprintf(filter, sizeof filter,
                   "{\"_id\": {\"$uuid\": \"%s\"}, \"allocations.provider\": {\"$uuid\": \"%s\"}}",
                   uuid_format(consumer.id).chars,
                   uuid_format(consumer.allocations[0].provider).chars);
    assert_int_equal(admin_count(world->database, "consumers", filter), 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_load_and_a_write_cost_the_same_for_any_number_of_keys),
    cmocka_unit_test(test_updates_and_deletes_are_one_command_a_collection),
    cmocka_unit_test(test_a_second_load_queries_only_slots_that_are_not_loaded),
    cmocka_unit_test(test_usages_are_summed_by_the_server),
    cmocka_unit_test(test_a_batch_of_reads_is_one_command),
    cmocka_unit_test(test_a_page_returns_one_document_more_than_it_shows),
    cmocka_unit_test(test_letters_cost_the_same_for_any_number_of_them),
    cmocka_unit_test(test_a_moved_subtree_is_one_statement_and_raises_each_revision),
    cmocka_unit_test(test_outcomes_and_attempts_have_an_expiry_date),
    cmocka_unit_test(test_uuids_are_stored_as_binary_uuids),
};

int main(void)
{
    return cmocka_run_group_tests_name("store: cost on MongoDB", tests, store_world_mongo,
                                       store_world_end) != 0;
}
