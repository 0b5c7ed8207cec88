/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB what a transaction and an attempt record do when an answer is lost or time runs
 * out. Sections: commits (repeated, unknown, resolved by the stored outcome), time limits (a server
 * that hangs, a transaction that outlives the server's limit), attempt records.
 *
 * Fail points of the server (store_admin.h) cut the connection or replace the answer of a command.
 * A writeConcernError is an answer after the write took effect; a cut or an errorCode comes before
 * it. Tests of a commit that stays unknown use `struct timed`: a pool with a short time limit,
 * because the store repeats a commit for as long as that limit.
 *
 * Guarantees for later tests: admin_tear_down() clears the fail points after each test, and a test
 * that changes the lifetime of transactions restores it before it checks anything.
 *
 * Not here: the same cases with the store in memory (test_store_memory.c), and errors of queries
 * and writes (test_store_faults.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_world.h"

/* A time limit that lets libmongoc find a node again after a connection was cut. */
enum { SELECTION_MS = 1500 };

#define LIFETIME "transactionLifetimeLimitSeconds"

/* A session of a pool with a time limit of its own. */
struct timed {
    struct mongo_pool *pool;
    struct session session;
};

static struct timed open_timed(struct store_world *world, int64_t timeout_ms)
{
    struct timed timed = {.pool = store_world_pool(world, timeout_ms)};
    assert_non_null(timed.pool);
    timed.session = (struct session){.world = world, .arena = arena_new(0)};
    timed.session.store = mongo_store_new(timed.pool, &timed.session.error);
    timed.session.snapshot = snapshot_new(timed.session.arena);
    assert_non_null(timed.session.store);
    return timed;
}

static void close_timed(struct timed *timed)
{
    session_close(&timed->session);
    mongo_pool_free(timed->pool);
}

/* --- commits --- */

static void test_a_commit_whose_answer_is_lost_is_repeated(void **state)
{
    static const char *const faults[] = {ADMIN_CUT, "\"errorCode\": 91", "\"errorCode\": 50",
                                         ADMIN_WRITE_CONCERN_TIMEOUT};
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct provider content = plain_provider(world);
        stage_provider(&session, &content);
        assert_status(&session, STORE_OK, session_write(&session));
        admin_fail("\"commitTransaction\"", 3, faults[i]); /* libmongoc repeats it once itself */
        assert_status(&session, STORE_OK, session_commit(&session));
        admin_clear_faults();
        session_restart(&session);
        assert_same_provider(&content, open_provider(&session, content.id));
        session_restart(&session);
    }
    session_close(&session);
}

static void test_a_commit_that_stays_unknown_can_be_repeated_later(void **state)
{
    struct store_world *world = *state;
    struct timed timed = open_timed(world, SELECTION_MS);
    struct provider content = plain_provider(world);
    stage_provider(&timed.session, &content);
    assert_status(&timed.session, STORE_OK, session_write(&timed.session));
    admin_fail("\"commitTransaction\"", 0, ADMIN_CUT);
    assert_status(&timed.session, STORE_UNKNOWN, session_commit(&timed.session)); /* it returns */
    admin_clear_faults();
    assert_status(&timed.session, STORE_OK, session_commit(&timed.session));
    session_restart(&timed.session);
    assert_same_provider(&content, open_provider(&timed.session, content.id));
    close_timed(&timed);
}

/* The commit took effect, but the store got no answer: a new session finds the outcome. */
static void test_after_an_unknown_commit_the_record_decides(void **state)
{
    struct store_world *world = *state;
    struct timed timed = open_timed(world, 400);
    struct text key = world_text(world, "key");
    (void)open_outcome(&timed.session, conductor(), key);
    put_outcome(&timed.session, conductor(), key, "{}");
    assert_status(&timed.session, STORE_OK, session_write(&timed.session));
    admin_fail("\"commitTransaction\"", 0, ADMIN_WRITE_CONCERN_TIMEOUT);
    assert_status(&timed.session, STORE_UNKNOWN, session_commit(&timed.session));
    admin_clear_faults();
    timed.session.store->ops->end(timed.session.store);
    timed.session.store->ops->renew(timed.session.store);
    session_restart(&timed.session);
    assert_true(open_outcome(&timed.session, conductor(), key)->state.exists);
    close_timed(&timed);
}

/* The commit has not arrived, but still may: until then no other transaction can write the key. */
static void test_an_unknown_commit_keeps_its_key_until_it_is_resolved(void **state)
{
    struct store_world *world = *state;
    struct timed timed = open_timed(world, SELECTION_MS);
    struct session other = session_open(world);
    struct text key = world_text(world, "key");
    (void)open_outcome(&timed.session, conductor(), key);
    put_outcome(&timed.session, conductor(), key, "{}");
    assert_status(&timed.session, STORE_OK, session_write(&timed.session));
    admin_fail("\"commitTransaction\"", 0, ADMIN_CUT);
    assert_status(&timed.session, STORE_UNKNOWN, session_commit(&timed.session));
    admin_clear_faults();
    assert_false(open_outcome(&other, conductor(), key)->state.exists);
    put_outcome(&other, conductor(), key, "{\"other\":1}");
    assert_status(&other, STORE_CONFLICT, session_write(&other));
    session_restart(&other);
    assert_status(&timed.session, STORE_OK, session_commit(&timed.session));
    assert_text(text_of("{}"), open_outcome(&other, conductor(), key)->body);
    session_close(&other);
    close_timed(&timed);
}

/* Only the label TransientTransactionError says that nothing took effect; a code alone does not. */
static void test_a_commit_that_failed_without_a_label_is_unknown(void **state)
{
    struct store_world *world = *state;
    struct timed timed = open_timed(world, 300);
    static const char *const faults[] = {
        "\"errorCode\": 8, \"errorLabels\": []", "\"errorCode\": 251, \"errorLabels\": []",
        "\"errorCode\": 13, \"errorLabels\": []",
        "\"writeConcernError\": {\"code\": 100, \"errmsg\": \"not enough nodes\"}"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct provider content = plain_provider(world);
        stage_provider(&timed.session, &content);
        assert_status(&timed.session, STORE_OK, session_write(&timed.session));
        admin_fail("\"commitTransaction\"", 0, faults[i]);
        assert_status(&timed.session, STORE_UNKNOWN, session_commit(&timed.session));
        admin_clear_faults();
        assert_status(&timed.session, STORE_OK, session_commit(&timed.session));
        session_restart(&timed.session);
    }
    close_timed(&timed);
}

static void test_a_commit_with_the_transient_label_had_no_effect(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider content = plain_provider(world);
    stage_provider(&session, &content);
    assert_status(&session, STORE_OK, session_write(&session));
    admin_fail("\"commitTransaction\"", 1,
               "\"errorCode\": 112, \"errorLabels\": [\"TransientTransactionError\"]");
    assert_status(&session, STORE_CONFLICT, session_commit(&session));
    session_close(&session);
}

/* --- time limits --- */

static void test_a_call_to_a_server_that_hangs_times_out(void **state)
{
    struct store_world *world = *state;
    struct timed timed = open_timed(world, 300);
    struct uuid id = world_uuid(world);
    admin_fail("\"aggregate\"", 1, "\"blockConnection\": true, \"blockTimeMS\": 3000");
    session_begin(&timed.session);
    snapshot_want_provider(timed.session.snapshot, id);
    assert_status(&timed.session, STORE_UNEXPLAINED, session_try_load(&timed.session));
    assert_false(snapshot_provider(timed.session.snapshot, id)->state.loaded);
    close_timed(&timed);
}

static void test_a_transaction_that_outlives_its_limit_is_expired(void **state)
{
    struct store_world *world = *state;
    struct timed timed = open_timed(world, 5000);
    struct session *session = &timed.session;
    struct provider content = plain_provider(world);
    int64_t before = admin_parameter(LIFETIME);
    admin_set_parameter(LIFETIME, 1);
    enum store_status prepared = session_prepare(session);
    stage_provider(session, &content);
    admin_await_no_transaction();
    enum store_status written = session_write(session);
    admin_set_parameter(LIFETIME, before);
    assert_status(session, STORE_OK, prepared);
    assert_status(session, STORE_EXPIRED, written);
    session_restart(session);
    stage_provider(session, &content);
    session_save(session);
    close_timed(&timed);
}

static void test_a_commit_of_a_transaction_that_expired_is_expired(void **state)
{
    struct store_world *world = *state;
    struct timed timed = open_timed(world, 5000);
    struct session *session = &timed.session;
    struct provider content = plain_provider(world);
    int64_t before = admin_parameter(LIFETIME);
    admin_set_parameter(LIFETIME, 1);
    enum store_status prepared = session_prepare(session);
    stage_provider(session, &content);
    enum store_status written = session_write(session);
    admin_await_no_transaction();
    enum store_status committed = session_commit(session);
    admin_set_parameter(LIFETIME, before);
    assert_status(session, STORE_OK, prepared);
    assert_status(session, STORE_OK, written);
    assert_status(session, STORE_EXPIRED, committed);
    session_restart(session);
    assert_false(open_provider(session, content.id)->state.exists);
    close_timed(&timed);
}

/* --- attempt records --- */

static void test_an_attempt_whose_answer_is_lost_counts_once(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    struct text key = world_text(world, "key");
    admin_fail("\"update\"", 1,
               "\"writeConcernError\": {\"code\": 91, \"errmsg\": \"shutting down\"}");
    assert_status(&session, STORE_OK, session_record_attempts(&session, &key, 1));
    assert_int_equal(session_find_attempts(&other, key).alone, 1);
    session_close(&other);
    session_close(&session);
}

static void test_an_attempt_that_is_not_durable_is_not_recorded(void **state)
{
    static const char *const faults[] = {ADMIN_CUT, "\"errorCode\": 13", "\"errorCode\": 10107",
                                         ADMIN_WRITE_CONCERN_TIMEOUT};
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct text key = world_text(world, "key");
        admin_fail("\"update\"", 2, faults[i]);
        enum store_status expected = i == 0 ? STORE_UNEXPLAINED : STORE_UNAVAILABLE;
        assert_status(&session, expected, session_record_attempts(&session, &key, 1));
        admin_clear_faults();
    }
    session_close(&session);
}

#define FAULT_TEST(test) cmocka_unit_test_teardown(test, admin_tear_down)

static const struct CMUnitTest tests[] = {
    FAULT_TEST(test_a_commit_whose_answer_is_lost_is_repeated),
    FAULT_TEST(test_a_commit_that_stays_unknown_can_be_repeated_later),
    FAULT_TEST(test_after_an_unknown_commit_the_record_decides),
    FAULT_TEST(test_an_unknown_commit_keeps_its_key_until_it_is_resolved),
    FAULT_TEST(test_a_commit_that_failed_without_a_label_is_unknown),
    FAULT_TEST(test_a_commit_with_the_transient_label_had_no_effect),
    FAULT_TEST(test_a_call_to_a_server_that_hangs_times_out),
    FAULT_TEST(test_a_transaction_that_outlives_its_limit_is_expired),
    FAULT_TEST(test_a_commit_of_a_transaction_that_expired_is_expired),
    FAULT_TEST(test_an_attempt_whose_answer_is_lost_counts_once),
    FAULT_TEST(test_an_attempt_that_is_not_durable_is_not_recorded),
};

int main(void)
{
    return cmocka_run_group_tests_name("store commits on MongoDB", tests, store_world_mongo,
                                       store_world_end) != 0;
}
