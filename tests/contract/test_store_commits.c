/* SPDX-License-Identifier: Apache-2.0 */
/* Commits whose answer is lost, time limits and attempts, on MongoDB. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/contract/store_admin.h"
#include "tests/contract/store_world.h"

#include <stdio.h>
#include <time.h>

/* Enough for the library to find a node again that it had given up. */
enum { SELECTION_MS = 1500 };

static struct text who(void)
{
    return text_of("conductor");
}

/* A session of a pool with a time limit of its own. */
struct quick {
    struct mongo_pool *pool;
    struct session session;
};

static struct quick open_quick(struct store_world *world, int64_t timeout_ms)
{
    struct quick quick = {.pool = store_world_pool(world, timeout_ms)};
    assert_non_null(quick.pool);
    quick.session = (struct session){.world = world, .arena = arena_new(0)};
    quick.session.store = mongo_store_new(quick.pool, &quick.session.error);
    quick.session.snapshot = snapshot_new(quick.session.arena);
    assert_non_null(quick.session.store);
    return quick;
}

static void close_quick(struct quick *quick)
{
    session_close(&quick->session);
    mongo_pool_free(quick->pool);
}

static int heal(void **state)
{
    (void)state;
    admin_clear_faults();
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_ms(int64_t milliseconds)
{
    struct timespec wait = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000L};
    (void)nanosleep(&wait, NULL);
}

#define CUT "\"closeConnection\": true"

static void stage_provider(struct session *session, const struct provider *content)
{
    (void)open_provider(session, content->id);
    put_provider(session, content);
}

/* --- commits --- */

static void test_a_commit_whose_answer_is_lost_is_repeated(void **state)
{
    static const char *const faults[] = {
        CUT, "\"errorCode\": 91", "\"errorCode\": 50",
        "\"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting timed out\"}"};
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct provider content = plain_provider(world);
        stage_provider(&session, &content);
        assert_status(&session, STORE_OK, session_write(&session));
        admin_fail("\"commitTransaction\"", 3, faults[i]); /* the library repeats it once itself */
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
    struct quick quick = open_quick(world, SELECTION_MS);
    struct provider content = plain_provider(world);
    stage_provider(&quick.session, &content);
    assert_status(&quick.session, STORE_OK, session_write(&quick.session));
    admin_fail("\"commitTransaction\"", 0, CUT);
    int64_t began_ms = now_ms();
    assert_status(&quick.session, STORE_UNKNOWN, session_commit(&quick.session));
    assert_true(now_ms() - began_ms < 4 * SELECTION_MS);
    admin_clear_faults();
    assert_status(&quick.session, STORE_OK, session_commit(&quick.session));
    session_restart(&quick.session);
    assert_same_provider(&content, open_provider(&quick.session, content.id));
    close_quick(&quick);
}

/* It took effect and nobody said so: the record tells, in a new session. */
static void test_after_an_unknown_commit_the_record_decides(void **state)
{
    struct store_world *world = *state;
    struct quick quick = open_quick(world, 400);
    struct text key = world_text(world, "key");
    (void)open_outcome(&quick.session, who(), key);
    put_outcome(&quick.session, who(), key, "{}");
    assert_status(&quick.session, STORE_OK, session_write(&quick.session));
    admin_fail("\"commitTransaction\"", 0,
               "\"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting timed out\"}");
    assert_status(&quick.session, STORE_UNKNOWN, session_commit(&quick.session));
    admin_clear_faults();
    quick.session.store->ops->end(quick.session.store);
    quick.session.store->ops->renew(quick.session.store);
    session_restart(&quick.session);
    assert_true(open_outcome(&quick.session, who(), key)->state.exists);
    close_quick(&quick);
}

/* It never arrived and still may: until the server has ended it, nobody else gets that key. */
static void test_an_unknown_commit_keeps_its_key_until_it_is_resolved(void **state)
{
    struct store_world *world = *state;
    struct quick quick = open_quick(world, SELECTION_MS);
    struct session other = session_open(world);
    struct text key = world_text(world, "key");
    (void)open_outcome(&quick.session, who(), key);
    put_outcome(&quick.session, who(), key, "{}");
    assert_status(&quick.session, STORE_OK, session_write(&quick.session));
    admin_fail("\"commitTransaction\"", 0, CUT);
    assert_status(&quick.session, STORE_UNKNOWN, session_commit(&quick.session));
    admin_clear_faults();
    assert_false(open_outcome(&other, who(), key)->state.exists);
    put_outcome(&other, who(), key, "{\"other\":1}");
    assert_status(&other, STORE_CONFLICT, session_write(&other));
    session_restart(&other);
    assert_status(&quick.session, STORE_OK, session_commit(&quick.session));
    assert_text(text_of("{}"), open_outcome(&other, who(), key)->body);
    session_close(&other);
    close_quick(&quick);
}

/* Only the label says that nothing took effect; a code without it does not. */
static void test_a_commit_that_failed_without_a_label_is_unknown(void **state)
{
    struct store_world *world = *state;
    struct quick quick = open_quick(world, 300);
    static const char *const faults[] = {
        "\"errorCode\": 8, \"errorLabels\": []", "\"errorCode\": 251, \"errorLabels\": []",
        "\"errorCode\": 13, \"errorLabels\": []",
        "\"writeConcernError\": {\"code\": 100, \"errmsg\": \"not enough nodes\"}"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct provider content = plain_provider(world);
        stage_provider(&quick.session, &content);
        assert_status(&quick.session, STORE_OK, session_write(&quick.session));
        admin_fail("\"commitTransaction\"", 0, faults[i]);
        assert_status(&quick.session, STORE_UNKNOWN, session_commit(&quick.session));
        admin_clear_faults();
        assert_status(&quick.session, STORE_OK, session_commit(&quick.session));
        session_restart(&quick.session);
    }
    close_quick(&quick);
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

/* --- time --- */

static enum store_status load_one(struct session *session, struct uuid id)
{
    session_begin(session);
    snapshot_want_provider(session->snapshot, id);
    snapshot_seal(session->snapshot);
    return session->store->ops->load(session->store, session->snapshot, &session->error);
}

static void test_a_call_to_a_server_that_hangs_times_out(void **state)
{
    struct store_world *world = *state;
    struct quick quick = open_quick(world, 300);
    struct uuid id = world_uuid(world);
    admin_fail("\"aggregate\"", 1, "\"blockConnection\": true, \"blockTimeMS\": 3000");
    int64_t began_ms = now_ms();
    assert_status(&quick.session, STORE_UNAVAILABLE, load_one(&quick.session, id));
    assert_true(now_ms() - began_ms < 1500);
    assert_false(snapshot_provider(quick.session.snapshot, id)->state.loaded);
    close_quick(&quick);
}

static void set_lifetime(int64_t seconds)
{
    char json[128];
    (void)snprintf(json, sizeof json,
                   "{\"setParameter\": 1, \"transactionLifetimeLimitSeconds\": %lld}",
                   (long long)seconds);
    admin_run("admin", json);
}

static void test_a_transaction_that_outlives_its_limit_is_expired(void **state)
{
    struct store_world *world = *state;
    struct quick quick = open_quick(world, 5000);
    struct session *session = &quick.session;
    struct provider content = plain_provider(world);
    int64_t before = admin_parameter("transactionLifetimeLimitSeconds");
    set_lifetime(1);
    enum store_status prepared = session->store->ops->prepare(session->store, &session->error);
    stage_provider(session, &content);
    wait_ms(3000);
    enum store_status written = session_write(session);
    set_lifetime(before);
    assert_status(session, STORE_OK, prepared);
    assert_status(session, STORE_EXPIRED, written);
    session_restart(session);
    stage_provider(session, &content);
    session_keep(session);
    close_quick(&quick);
}

static void test_a_commit_of_a_transaction_that_expired_is_expired(void **state)
{
    struct store_world *world = *state;
    struct quick quick = open_quick(world, 5000);
    struct session *session = &quick.session;
    struct provider content = plain_provider(world);
    int64_t before = admin_parameter("transactionLifetimeLimitSeconds");
    set_lifetime(1);
    enum store_status prepared = session->store->ops->prepare(session->store, &session->error);
    stage_provider(session, &content);
    enum store_status written = session_write(session);
    wait_ms(3000);
    enum store_status committed = session_commit(session);
    set_lifetime(before);
    assert_status(session, STORE_OK, prepared);
    assert_status(session, STORE_OK, written);
    assert_status(session, STORE_EXPIRED, committed);
    session_restart(session);
    assert_false(open_provider(session, content.id)->state.exists);
    close_quick(&quick);
}

/* --- attempts --- */

static void test_an_attempt_whose_answer_is_lost_counts_once(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct session other = session_open(world);
    struct text key = world_text(world, "key");
    int64_t deaths = -1;
    admin_fail("\"findAndModify\"", 1,
               "\"writeConcernError\": {\"code\": 91, \"errmsg\": \"shutting down\"}");
    assert_status(
        &session, STORE_OK,
        session.store->ops->record_attempt(session.store, who(), key, 1, &deaths, &session.error));
    assert_status(
        &other, STORE_OK,
        other.store->ops->record_attempt(other.store, who(), key, 1, &deaths, &other.error));
    assert_int_equal(deaths, 1);
    session_close(&other);
    session_close(&session);
}

static void test_an_attempt_that_is_not_durable_is_not_recorded(void **state)
{
    static const char *const faults[] = {
        CUT, "\"errorCode\": 13", "\"errorCode\": 10107",
        "\"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting timed out\"}"};
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        int64_t before = -1;
        admin_fail("\"findAndModify\"", 2, faults[i]);
        assert_status(&session, STORE_UNAVAILABLE,
                      session.store->ops->record_attempt(session.store, who(),
                                                         world_text(world, "key"), 1, &before,
                                                         &session.error));
        assert_int_equal(before, -1);
        admin_clear_faults();
    }
    session_close(&session);
}

#define CLAIM(test) cmocka_unit_test_teardown(test, heal)

static const struct CMUnitTest tests[] = {
    CLAIM(test_a_commit_whose_answer_is_lost_is_repeated),
    CLAIM(test_a_commit_that_stays_unknown_can_be_repeated_later),
    CLAIM(test_after_an_unknown_commit_the_record_decides),
    CLAIM(test_an_unknown_commit_keeps_its_key_until_it_is_resolved),
    CLAIM(test_a_commit_that_failed_without_a_label_is_unknown),
    CLAIM(test_a_commit_with_the_transient_label_had_no_effect),
    CLAIM(test_a_call_to_a_server_that_hangs_times_out),
    CLAIM(test_a_transaction_that_outlives_its_limit_is_expired),
    CLAIM(test_a_commit_of_a_transaction_that_expired_is_expired),
    CLAIM(test_an_attempt_whose_answer_is_lost_counts_once),
    CLAIM(test_an_attempt_that_is_not_durable_is_not_recorded),
};

int main(void)
{
    return cmocka_run_group_tests_name("store commits on MongoDB", tests, store_world_mongo,
                                       store_world_end) != 0;
}
