/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests prove_health of the storage port, against the store in memory and MongoDB: it succeeds on a
 * database that works, also between transactions that fail; and it fails if any of its own calls
 * does. Siblings of a store are tested here as well: their attempt records are those of one store.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_world.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/fake_clock.h"

static enum store_status prove(struct session *session, uint64_t *ret_primary)
{
    return session->store->ops->prove_health(session->store, ret_primary, &session->error);
}

static void test_a_database_that_works_is_proven_to(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    uint64_t first = 0, second = 0;
    assert_status(&session, STORE_OK, prove(&session, &first));
    assert_status(&other, STORE_OK, prove(&other, &second));
    assert_true(first > 0);
    assert_int_equal(first, second);
    session_close(&other);
    session_close(&session);
}

/* It has a session of its own: a transaction before it or after it has nothing of it. */
static void test_a_proof_does_not_touch_transactions(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    uint64_t primary = 0;
    stage_provider(&session, &content);
    assert_status(&session, STORE_OK, session_write(&session));
    session_restart(&session); /* aborted */
    assert_status(&session, STORE_OK, prove(&session, &primary));
    stage_provider(&session, &content);
    session_save(&session);
    assert_same_provider(&content, open_provider(&session, content.id));
    session_close(&session);
}

static void test_siblings_have_the_attempt_records_of_one_store(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session sibling = session;
    struct session other = session_open(world);
    struct text key = world_text(world, "key");
    struct attempt_key of = {conductor(), key};
    sibling.store = world->pool != NULL ? mongo_store_sibling(session.store, &session.error)
                                        : memory_store_sibling(session.store);
    assert_non_null(sibling.store);
    assert_status(&session, STORE_OK, session_record_attempts(&session, &key, 1));
    assert_int_equal(session_find_attempts(&sibling, key).alone, 0);
    assert_int_equal(session_find_attempts(&other, key).alone, 1);
    assert_status(&sibling, STORE_OK,
                  sibling.store->ops->withdraw_attempts(sibling.store, &of, 1, &sibling.error));
    assert_int_equal(session_find_attempts(&other, key).alone, 0);
    sibling.store->ops->free(sibling.store);
    session_close(&other);
    session_close(&session);
}

/* --- on MongoDB only --- */

static void test_a_call_that_fails_is_no_proof(void **state)
{
    static const char *const commands[] = {"aggregate",         "insert", "update", "delete",
                                           "commitTransaction", "hello"};
    static const char *const faults[] = {"\"errorCode\": 50", "\"errorCode\": 14031"};
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < 2 * sizeof commands / sizeof *commands; i++) {
        char quoted[32];
        uint64_t primary = 0;
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", commands[i / 2]);
        admin_fail(quoted, 2, faults[i % 2]); /* libmongoc repeats a commit once itself */
        assert_status(&session, STORE_UNAVAILABLE, prove(&session, &primary));
        admin_clear_faults();
        assert_status(&session, STORE_OK, prove(&session, &primary));
    }
    session_close(&session);
}

/* The clock says that each call takes a second. */
static void test_a_database_that_takes_longer_than_the_timeout_is_no_proof(void **state)
{
    struct store_world *world = *state;
    struct fake_clock clock = fake_clock_make();
    struct mongo_pool *pool = store_world_pool_with(world, 5000, &clock.base);
    struct session session = {.world = world, .arena = arena_new(0)};
    uint64_t primary = 0;
    session.store = mongo_store_new(pool, &session.error);
    session.snapshot = snapshot_new(session.arena);
    assert_non_null(session.store);
    clock.step_ms = 1000;
    assert_status(&session, STORE_OK, prove(&session, &primary));
    clock.step_ms = 1001;
    assert_status(&session, STORE_UNAVAILABLE, prove(&session, &primary));
    assert_non_null(strstr(session.error.text, "took more than 5005 ms"));
    session_close(&session);
    mongo_pool_free(pool);
}

static void test_a_proof_leaves_nothing(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    uint64_t primary = 0;
    int64_t attempts = admin_count(world->database, "attempts", "{}");
    assert_status(&session, STORE_OK, prove(&session, &primary));
    assert_int_equal(admin_count(world->database, "attempts", "{}"), attempts);
    session_close(&session);
}

#define BOTH                                                                                       \
    cmocka_unit_test(test_a_database_that_works_is_proven_to),                                     \
        cmocka_unit_test(test_a_proof_does_not_touch_transactions),                                \
        cmocka_unit_test(test_siblings_have_the_attempt_records_of_one_store)

static const struct CMUnitTest in_memory[] = {BOTH};

static const struct CMUnitTest on_mongodb[] = {
    BOTH,
    cmocka_unit_test_teardown(test_a_call_that_fails_is_no_proof, admin_tear_down),
    cmocka_unit_test(test_a_database_that_takes_longer_than_the_timeout_is_no_proof),
    cmocka_unit_test(test_a_proof_leaves_nothing),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("proof of health in memory", in_memory,
                                             store_world_memory, store_world_end);
    failed += cmocka_run_group_tests_name("proof of health on MongoDB", on_mongodb,
                                          store_world_mongo, store_world_end);
    return failed != 0;
}
