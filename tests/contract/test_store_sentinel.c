/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB what happens when somebody drops a collection, an index or a validator while
 * workers run. Without the sentinel, the next insert would make the collection again, without
 * validator, unique index and TTL.
 *
 * Each test has a database of its own, so that it may drop what it likes. What the worker does then
 * is in tests/system/test_worker_schema.c.
 */
#include "tests/support/cmocka.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"
#include "tests/contract/store_world.h"

#define SENTINEL_TEST(test) cmocka_unit_test_teardown(test, admin_tear_down)

static void drop_collection(const struct store_world *world, const char *name)
{
    char json[128];
    (void)snprintf(json, sizeof json, "{\"drop\": \"%s\"}", name);
    admin_run(world->database, json);
}

static enum store_status load_something(struct session *session)
{
    session_begin(session);
    snapshot_want_provider(session->snapshot, world_uuid(session->world));
    return session_try_load(session);
}

static void test_a_dropped_collection_ends_the_transaction_and_can_be_repaired(void **state)
{
    static const char *const collections[] = {"providers", "consumers", "outcomes"};
    struct store_world *world = *state;
    struct session session = session_open(world);
    assert_status(&session, STORE_OK, session_prepare(&session));
    for (size_t i = 0; i < 3; i++) {
        drop_collection(world, collections[i]);
        assert_status(&session, STORE_MISCONFIGURED, load_something(&session));
        assert_non_null(strstr(session.error.text, collections[i]));
        session_restart(&session);
        assert_status(&session, STORE_OK, session_prepare(&session));
        assert_status(&session, STORE_OK, load_something(&session));
        session_restart(&session);
    }
    assert_int_equal(admin_index_count(world->database, "providers", "{\"unique\": true}"), 1);
    assert_int_equal(admin_index_count(world->database, "outcomes", "{\"expireAfterSeconds\": 0}"),
                     1);
    session_close(&session);
}

static void test_letters_are_not_written_into_a_dropped_collection(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    assert_status(&session, STORE_OK, session_prepare(&session));
    drop_collection(world, "letters");
    session_begin(&session);
    assert_status(&session, STORE_MISCONFIGURED, session_write_letters(&session, &letter, 1));
    session_restart(&session);
    assert_status(&session, STORE_OK, session_prepare(&session));
    session_begin(&session);
    assert_status(&session, STORE_OK, session_write_letters(&session, &letter, 1));
    assert_status(&session, STORE_OK, session_commit(&session));
    session_close(&session);
}

static void *drop_providers(void *world)
{
    drop_collection(world, "providers");
    return NULL;
}

/* The transaction has read the sentinel, so the drop waits for its end, and the write goes into the
   collection that was read. */
static void test_a_drop_between_load_and_write_waits(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    pthread_t dropper;
    assert_status(&session, STORE_OK, session_prepare(&session));
    stage_provider(&session, &content);
    assert_int_equal(pthread_create(&dropper, NULL, drop_providers, world), 0);
    admin_await_waiting_drop(world->database);
    assert_status(&session, STORE_OK, session_write(&session));
    assert_status(&session, STORE_OK, session_commit(&session));
    assert_int_equal(pthread_join(dropper, NULL), 0);
    session_restart(&session);
    assert_int_equal(admin_count(world->database, "providers", "{}"), 0);
    assert_status(&session, STORE_MISCONFIGURED, load_something(&session));
    session_close(&session);
}

/* --- repair --- */

/* Repairs, and fails unless the status is this one and the gap is named so. Returns whether it
   stopped the writes. */
static bool repair(struct session *session, enum store_status expected, const char *names)
{
    struct store_gap gap;
    enum store_status status = session->store->ops->repair(session->store, &gap, &session->error);
    assert_status(session, expected, status);
    assert_string_equal(gap.names.text, names);
    return gap.stops_writes;
}

static void test_a_repair_names_and_creates_what_is_missing(void **state)
{
    static const struct {
        const char *damage;
        const char *names;
        bool stops_writes;
    } cases[] = {
        {"{\"dropIndexes\": \"providers\", \"index\": \"name\"}", "providers: index 'name'", true},
        {"{\"dropIndexes\": \"attempts\", \"index\": \"expiry\"}", "attempts: index 'expiry'",
         false},
        {"{\"drop\": \"fences\"}", "fences: the collection", false},
        {"{\"drop\": \"outcomes\"}", "outcomes: the collection", true},
        {"{\"collMod\": \"workers\", \"validator\": {}}", "workers: validator", false},
        {"{\"collMod\": \"consumers\", \"validationAction\": \"warn\"}", "consumers: validator",
         false},
        {"{\"delete\": \"letters\", \"deletes\": [{\"q\": {\"_id\": \"allotd.sentinel\"}, "
         "\"limit\": 1}]}",
         "letters: sentinel", true},
    };
    struct store_world *world = *state;
    struct session session = session_open(world);
    assert_status(&session, STORE_OK, session_prepare(&session));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        admin_run(world->database, cases[i].damage);
        assert_int_equal(repair(&session, STORE_OK, cases[i].names), cases[i].stops_writes);
        assert_false(repair(&session, STORE_OK, ""));
    }
    session_close(&session);
}

/* Nobody but an operator drops an index. */
static void test_an_index_of_another_kind_counts_as_missing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    assert_status(&session, STORE_OK, session_prepare(&session));
    admin_run(world->database, "{\"dropIndexes\": \"providers\", \"index\": \"name\"}");
    admin_run(world->database, "{\"createIndexes\": \"providers\", \"indexes\": "
                               "[{\"key\": {\"name\": 1}, \"name\": \"name\"}]}");
    admin_run(world->database, "{\"collMod\": \"attempts\", \"index\": "
                               "{\"name\": \"expiry\", \"expireAfterSeconds\": 3600}}");
    assert_true(
        repair(&session, STORE_MISCONFIGURED, "providers: index 'name'; attempts: index 'expiry'"));
    admin_run(world->database, "{\"dropIndexes\": \"providers\", \"index\": \"name\"}");
    admin_run(world->database, "{\"dropIndexes\": \"attempts\", \"index\": \"expiry\"}");
    assert_true(
        repair(&session, STORE_OK, "providers: index 'name', sentinel; attempts: index 'expiry'"));
    assert_false(repair(&session, STORE_OK, ""));
    session_close(&session);
}

/* Other workers must not wait for locks while one looks at the database. */
static void test_what_is_complete_is_only_read(void **state)
{
    struct session session = session_open(*state);
    assert_status(&session, STORE_OK, session_prepare(&session));
    admin_fail("\"create\", \"collMod\", \"createIndexes\", \"update\", \"insert\"", 0,
               "\"errorCode\": 13");
    enum store_status prepared = session_prepare(&session);
    assert_false(repair(&session, STORE_OK, ""));
    admin_clear_faults();
    assert_status(&session, STORE_OK, prepared);
    session_close(&session);
}

/* Names must not be given twice while their index is missing. */
static void test_without_the_right_to_repair_a_unique_index_nothing_is_written(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    assert_status(&session, STORE_OK, session_prepare(&session));
    admin_run(world->database, "{\"dropIndexes\": \"providers\", \"index\": \"name\"}");
    admin_fail("\"createIndexes\"", 0, "\"errorCode\": 13");
    assert_true(repair(&session, STORE_MISCONFIGURED, "providers: index 'name'"));
    assert_non_null(strstr(session.error.text, "providers"));
    assert_status(&session, STORE_MISCONFIGURED, load_something(&session));
    session_restart(&session);
    assert_true(repair(&session, STORE_MISCONFIGURED, "providers: index 'name', sentinel"));
    admin_clear_faults();
    assert_true(repair(&session, STORE_OK, "providers: index 'name', sentinel"));
    assert_status(&session, STORE_OK, load_something(&session));
    session_close(&session);
}

static void test_without_the_right_to_repair_a_validator_the_work_goes_on(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    assert_status(&session, STORE_OK, session_prepare(&session));
    admin_run(world->database, "{\"collMod\": \"providers\", \"validationLevel\": \"off\"}");
    admin_run(world->database, "{\"dropIndexes\": \"letters\", \"index\": \"expiry\"}");
    admin_fail("\"collMod\"", 0, "\"errorCode\": 13");
    assert_false(
        repair(&session, STORE_MISCONFIGURED, "providers: validator; letters: index 'expiry'"));
    assert_status(&session, STORE_OK, load_something(&session));
    session_restart(&session);
    assert_false(repair(&session, STORE_MISCONFIGURED, "providers: validator"));
    admin_clear_faults();
    assert_false(repair(&session, STORE_OK, "providers: validator"));
    session_close(&session);
}

/* Another collection cannot be repaired. The unique index was created, so nothing stops. */
static void test_a_repair_that_fails_elsewhere_stops_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct store_gap gap;
    assert_status(&session, STORE_OK, session_prepare(&session));
    admin_run(world->database, "{\"collMod\": \"letters\", \"validationLevel\": \"off\"}");
    admin_run(world->database, "{\"dropIndexes\": \"providers\", \"index\": \"name\"}");
    admin_fail("\"collMod\"", 0, "\"errorCode\": 13");
    assert_status(&session, STORE_MISCONFIGURED,
                  session.store->ops->repair(session.store, &gap, &session.error));
    assert_string_equal(gap.names.text, "providers: index 'name'; letters: validator");
    assert_string_equal(gap.left.text, "letters: validator");
    assert_false(gap.stops_writes);
    assert_status(&session, STORE_OK, load_something(&session));
    admin_clear_faults();
    session_restart(&session);
    assert_false(repair(&session, STORE_OK, "letters: validator"));
    session_close(&session);
}

/* Otherwise the two would undo each other's validators. */
static void test_a_newer_worker_that_runs_repairs(void **state)
{
    static const char newer[] =
        "{\"update\": \"workers\", \"bypassDocumentValidation\": true, \"updates\": [{\"q\": "
        "{\"_id\": \"newer\"}, \"u\": [{\"$set\": {\"state\": \"running\", \"schema\": 99, \"at\": "
        "{\"$subtract\": [\"$$NOW\", %d]}}}], \"upsert\": true}]}";
    char json[512];
    struct store_world *world = *state;
    struct session session = session_open(world);
    assert_status(&session, STORE_OK, session_prepare(&session));
    admin_run(world->database, "{\"collMod\": \"letters\", \"validationLevel\": \"off\"}");
    (void)snprintf(json, sizeof json, newer, 0);
    admin_run(world->database, json);
    assert_false(repair(&session, STORE_OK, ""));
    (void)snprintf(json, sizeof json, newer, 3600 * 1000); /* it has not reported for an hour */
    admin_run(world->database, json);
    assert_false(repair(&session, STORE_OK, "letters: validator"));
    admin_run(world->database, "{\"delete\": \"workers\", \"deletes\": [{\"q\": {\"_id\": "
                               "\"newer\"}, \"limit\": 1}]}");
    session_close(&session);
}

static const struct CMUnitTest tests[] = {
    SENTINEL_TEST(test_a_dropped_collection_ends_the_transaction_and_can_be_repaired),
    SENTINEL_TEST(test_letters_are_not_written_into_a_dropped_collection),
    SENTINEL_TEST(test_a_drop_between_load_and_write_waits),
    SENTINEL_TEST(test_a_repair_names_and_creates_what_is_missing),
    SENTINEL_TEST(test_what_is_complete_is_only_read),
    SENTINEL_TEST(test_an_index_of_another_kind_counts_as_missing),
    SENTINEL_TEST(test_without_the_right_to_repair_a_unique_index_nothing_is_written),
    SENTINEL_TEST(test_an_index_of_another_kind_counts_as_missing),
    SENTINEL_TEST(test_without_the_right_to_repair_a_validator_the_work_goes_on),
    SENTINEL_TEST(test_a_repair_that_fails_elsewhere_stops_nothing),
    SENTINEL_TEST(test_a_newer_worker_that_runs_repairs),
};

int main(void)
{
    return cmocka_run_group_tests_name("sentinels on MongoDB", tests, store_world_mongo,
                                       store_world_end) != 0;
}
