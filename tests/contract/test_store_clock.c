/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that every time a store gives or writes is the database's, however wrong the wall clock of
 * the worker's machine is. The tests of the first section run against the store in memory too; the
 * others run on MongoDB only, where the store has to measure the database's clock.
 *
 * Each test on MongoDB has a pool whose clock is a fake one (struct clocked). Its wall clock is
 * eight days off, or jumps while the store lives. Its monotonic clock stands still unless the test
 * moves it, so a measurement never becomes too old by itself. Times are compared with the
 * database's with a tolerance of an hour, which no test takes.
 *
 * A change of the primary is made with a fail point that cuts a connection, after which libmongoc
 * forgets the primary and finds it again; one test lets the primary step down. So the primary may
 * be another server after this program.
 *
 * Not here: deadlines in the planner (tests/sim/test_clocks.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_letters.h"
#include "tests/contract/store_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TIMEOUT_MS = 5000, SHORT_MS = 1500, TOLERANCE_MS = 3600 * 1000, FILTER_MAX = 512 };
enum { LONG_MS = 10 * TOLERANCE_MS };
enum { TRIES_MAX = 600, PAUSE_NS = 100 * 1000 * 1000 }; /* for an election: a minute */

static const int64_t wall_errors_ms[] = {-EIGHT_DAYS_MS, EIGHT_DAYS_MS, 0};

enum { WALL_ERRORS = sizeof wall_errors_ms / sizeof wall_errors_ms[0] };

/* A session of a pool with a clock of its own. */
struct clocked {
    struct fake_clock clock;
    struct mongo_pool *pool;
    struct session session;
};

static void set_wall_error(struct clocked *clocked, int64_t error_ms)
{
    clocked->clock.wall_ms = admin_now_ms() + error_ms;
}

static struct clocked *open_clocked(struct store_world *world, int64_t timeout_ms)
{
    struct clocked *clocked = ARENA_NEW(world->arena, struct clocked);
    clocked->clock = fake_clock_make();
    clocked->pool = store_world_pool_with(world, timeout_ms, &clocked->clock.base);
    assert_non_null(clocked->pool);
    clocked->session = (struct session){.world = world, .arena = arena_new(0)};
    clocked->session.store = mongo_store_new(clocked->pool, &clocked->session.error);
    clocked->session.snapshot = snapshot_new(clocked->session.arena);
    assert_non_null(clocked->session.store);
    return clocked;
}

static void close_clocked(struct clocked *clocked)
{
    session_close(&clocked->session);
    mongo_pool_free(clocked->pool);
}

static uint64_t measurements(const struct clocked *clocked)
{
    return mongo_pool_counters(clocked->pool).clock_measurements;
}

/* Begins and ends a transaction. */
static void begin_and_end(struct session *session)
{
    session_begin(session);
    session_restart(session);
}

static void assert_near(int64_t expected_ms, int64_t actual_ms)
{
    if (actual_ms > expected_ms - TOLERANCE_MS && actual_ms < expected_ms + TOLERANCE_MS)
        return;
    fail_msg("expected about %" PRId64 ", got %" PRId64, expected_ms, actual_ms);
}

static int64_t now_ms(const struct session *session)
{
    return session->store->ops->now_ms(session->store);
}

/* --- both stores ---------------------------------------------------------------------------- */

static void test_the_time_after_begin_is_the_databases(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    session_begin(&session);
    assert_near(world->memory != NULL ? world->clock.wall_ms : admin_now_ms(), now_ms(&session));
    session_close(&session);
}

static void test_the_time_after_prepare_is_the_databases(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    assert_status(&session, STORE_OK, session_prepare(&session));
    assert_near(world->memory != NULL ? world->clock.wall_ms : admin_now_ms(), now_ms(&session));
    session_close(&session);
}

/* --- the time on MongoDB -------------------------------------------------------------------- */

static void test_the_time_does_not_depend_on_the_wall_clock(void **state)
{
    struct store_world *world = *state;
    for (size_t i = 0; i < WALL_ERRORS; i++) {
        struct clocked *clocked = open_clocked(world, TIMEOUT_MS);
        set_wall_error(clocked, wall_errors_ms[i]);
        session_begin(&clocked->session);
        assert_near(admin_now_ms(), now_ms(&clocked->session));
        close_clocked(clocked);
    }
}

static void test_the_time_passes_with_the_monotonic_clock_only(void **state)
{
    struct clocked *clocked = open_clocked(*state, TIMEOUT_MS);
    session_begin(&clocked->session);
    int64_t before_ms = now_ms(&clocked->session);
    clocked->clock.wall_ms -= EIGHT_DAYS_MS;
    assert_true(now_ms(&clocked->session) == before_ms);
    clocked->clock.monotonic_ms += 1234;
    assert_true(now_ms(&clocked->session) == before_ms + 1234);
    close_clocked(clocked);
}

/* Each look at the monotonic clock takes ten hours, so each round trip does. The first look of the
   second measurement finds that it is due. */
static void test_the_databases_time_counts_for_the_middle_of_the_round_trip(void **state)
{
    struct clocked *clocked = open_clocked(*state, TIMEOUT_MS);
    struct fake_clock *clock = &clocked->clock;
    begin_and_end(&clocked->session); /* finds the primary */
    int64_t middle_ms = clock->monotonic_ms + 2 * LONG_MS + LONG_MS / 2;
    clock->step_ms = LONG_MS;
    begin_and_end(&clocked->session);
    clock->step_ms = 0;
    assert_near(admin_now_ms() + clock->monotonic_ms - middle_ms, now_ms(&clocked->session));
    close_clocked(clocked);
}

static void test_a_tool_reads_the_time_without_a_transaction(void **state)
{
    struct clocked *clocked = open_clocked(*state, TIMEOUT_MS);
    int64_t time_ms = 0;
    assert_status(&clocked->session, STORE_OK,
                  mongo_read_clock(clocked->session.store, &time_ms, &clocked->session.error));
    assert_near(admin_now_ms(), time_ms);
    close_clocked(clocked);
}

/* --- stored times --------------------------------------------------------------------------- */

/* Fails if there is no document with this field, or one whose time is not near `expected_ms`. */
static void assert_dated(const struct store_world *world, const char *collection, const char *field,
                         int64_t expected_ms)
{
    char all[FILTER_MAX], near[FILTER_MAX];
    (void)snprintf(all, sizeof all, "{\"%s\": {\"$exists\": true}}", field);
    (void)snprintf(near, sizeof near,
                   "{\"%s\": {\"$gt\": {\"$date\": {\"$numberLong\": \"%" PRId64 "\"}}, "
                   "\"$lt\": {\"$date\": {\"$numberLong\": \"%" PRId64 "\"}}}}",
                   field, expected_ms - TOLERANCE_MS, expected_ms + TOLERANCE_MS);
    int64_t count = admin_count(world->database, collection, all);
    assert_true(count > 0);
    if (admin_count(world->database, collection, near) != count)
        fail_msg("%s.%s is not by the database's clock", collection, field);
}

/* Writes an outcome, a published letter and an attempt record. */
static void write_all(struct session *session)
{
    struct store_world *world = session->world;
    struct text attempted = world_text(world, "key"), key = world_text(world, "key");
    struct letter letter = full_letter(world);
    letter.published = true;
    assert_status(session, STORE_OK, session_record_attempts(session, &attempted, 1));
    (void)open_outcome(session, conductor(), key);
    put_outcome(session, conductor(), key, "{}");
    assert_status(session, STORE_OK, session_write_letters(session, &letter, 1));
    session_save(session);
}

/* The wall clock is wrong from the start, and then jumps in the life of the store. */
static void test_expiry_is_counted_from_the_databases_time(void **state)
{
    struct store_world *world = *state;
    struct clocked *clocked = open_clocked(world, TIMEOUT_MS);
    for (size_t i = 0; i < WALL_ERRORS; i++) {
        set_wall_error(clocked, wall_errors_ms[i]);
        write_all(&clocked->session);
    }
    close_clocked(clocked);
    int64_t time_ms = admin_now_ms();
    assert_dated(world, "outcomes", "at", time_ms);
    assert_dated(world, "outcomes", "expires_at", time_ms + WORLD_RETENTION_MS);
    assert_dated(world, "attempts", "expires_at", time_ms + WORLD_RETENTION_MS);
    assert_dated(world, "letters", "published_at", time_ms);
    assert_dated(world, "letters", "expires_at", time_ms + MEMORY_LETTERS_RETENTION_MS);
}

/* --- measuring ------------------------------------------------------------------------------ */

static void test_a_measurement_holds_for_a_minute(void **state)
{
    struct clocked *clocked = open_clocked(*state, TIMEOUT_MS);
    begin_and_end(&clocked->session);
    uint64_t before = measurements(clocked);
    assert_true(before > 0);
    begin_and_end(&clocked->session);
    clocked->clock.monotonic_ms += 59999;
    begin_and_end(&clocked->session);
    assert_true(measurements(clocked) == before);
    clocked->clock.monotonic_ms += 1;
    begin_and_end(&clocked->session);
    assert_true(measurements(clocked) == before + 1);
    assert_near(admin_now_ms(), now_ms(&clocked->session));
    close_clocked(clocked);
}

/* Cuts the connection of the next command. Libmongoc then forgets the primary. */
static void lose_primary(struct clocked *clocked)
{
    struct session *session = &clocked->session;
    admin_fail("\"aggregate\"", 1, ADMIN_CUT);
    session_begin(session);
    snapshot_want_provider(session->snapshot, world_uuid(session->world));
    assert_status(session, STORE_UNEXPLAINED, session_try_load(session));
    session_restart(session);
}

static void test_a_change_of_the_primary_is_followed_by_a_measurement(void **state)
{
    struct clocked *clocked = open_clocked(*state, TIMEOUT_MS);
    struct text key = world_text(*state, "key");
    for (int by_begin = 0; by_begin < 2; by_begin++) {
        begin_and_end(&clocked->session);
        lose_primary(clocked);
        uint64_t before = measurements(clocked);
        /* This call makes libmongoc find the primary. It is no measurement if it comes first. */
        (void)session_find_attempts(&clocked->session, key);
        if (by_begin)
            begin_and_end(&clocked->session);
        else
            assert_status(&clocked->session, STORE_OK,
                          session_record_attempts(&clocked->session, &key, 1));
        assert_true(measurements(clocked) > before);
        assert_near(admin_now_ms(), now_ms(&clocked->session));
    }
    close_clocked(clocked);
}

/* A primary that steps down makes another server the primary. */
static void test_an_election_is_followed_by_a_measurement(void **state)
{
    struct clocked *clocked = open_clocked(*state, TIMEOUT_MS);
    struct session *session = &clocked->session;
    begin_and_end(session);
    uint64_t before = measurements(clocked);
    admin_run("admin", "{\"replSetStepDown\": 10, \"force\": true}");
    for (int tries = 0; tries < TRIES_MAX && measurements(clocked) == before; tries++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        if (session->store->ops->begin(session->store, &session->error) == STORE_OK)
            session_restart(session);
    }
    assert_true(measurements(clocked) > before);
    assert_near(admin_now_ms(), now_ms(session));
    close_clocked(clocked);
}

/* The store must not go on with a time that it does not know. */
static void test_without_a_measurement_no_transaction_begins(void **state)
{
    struct clocked *clocked = open_clocked(*state, SHORT_MS);
    struct session *session = &clocked->session;
    struct text key = world_text(*state, "key");
    begin_and_end(
        session); /* starts the session, so that `begin` needs no server but for the time */
    clocked->clock.monotonic_ms += 60000;
    admin_fail("\"hello\"", 0, ADMIN_CUT);
    assert_status(session, STORE_UNEXPLAINED,
                  session->store->ops->begin(session->store, &session->error));
    assert_true(strlen(session->error.text) > 0);
    assert_status(session, STORE_UNEXPLAINED, session_record_attempts(session, &key, 1));
    admin_clear_faults();
    begin_and_end(session);
    close_clocked(clocked);
}

/* --- the warning ---------------------------------------------------------------------------- */

struct warnings {
    size_t count;
    char last[512];
};

static void keep_warning(void *context, int level, const char *domain, const char *message)
{
    struct warnings *warnings = context;
    (void)level;
    if (strcmp(domain, "allot") != 0 || strstr(message, "clock") == NULL)
        return;
    warnings->count++;
    (void)snprintf(warnings->last, sizeof warnings->last, "%s", message);
}

static void measure_with(struct clocked *clocked, int64_t wall_error_ms)
{
    set_wall_error(clocked, wall_error_ms);
    clocked->clock.monotonic_ms += 60000;
    begin_and_end(&clocked->session);
}

static void test_a_wrong_wall_clock_is_warned_of_once(void **state)
{
    static struct warnings warnings;
    struct clocked *clocked = open_clocked(*state, TIMEOUT_MS);
    mongo_set_log(keep_warning, &warnings);
    measure_with(clocked, -EIGHT_DAYS_MS);
    measure_with(clocked, -EIGHT_DAYS_MS);
    size_t behind = warnings.count;
    bool says_behind = strstr(warnings.last, "behind") != NULL;
    measure_with(clocked, 0);
    size_t right = warnings.count;
    measure_with(clocked, EIGHT_DAYS_MS);
    size_t ahead = warnings.count;
    bool says_ahead = strstr(warnings.last, "ahead of") != NULL;
    mongo_set_log(NULL, NULL);
    close_clocked(clocked);
    assert_int_equal(behind, 1);
    assert_true(says_behind);
    assert_int_equal(right, 1);
    assert_int_equal(ahead, 2);
    assert_true(says_ahead);
}

#define FAULT_TEST(test) cmocka_unit_test_teardown(test, admin_tear_down)

/* Libmongoc is started once in a process, so MongoDB has one group. */
static const struct CMUnitTest in_memory[] = {
    cmocka_unit_test(test_the_time_after_begin_is_the_databases),
    cmocka_unit_test(test_the_time_after_prepare_is_the_databases),
};

static const struct CMUnitTest on_mongo[] = {
    cmocka_unit_test(test_the_time_after_begin_is_the_databases),
    cmocka_unit_test(test_the_time_after_prepare_is_the_databases),
    cmocka_unit_test(test_the_time_does_not_depend_on_the_wall_clock),
    cmocka_unit_test(test_the_time_passes_with_the_monotonic_clock_only),
    cmocka_unit_test(test_the_databases_time_counts_for_the_middle_of_the_round_trip),
    cmocka_unit_test(test_a_tool_reads_the_time_without_a_transaction),
    cmocka_unit_test(test_expiry_is_counted_from_the_databases_time),
    cmocka_unit_test(test_a_measurement_holds_for_a_minute),
    FAULT_TEST(test_a_change_of_the_primary_is_followed_by_a_measurement),
    cmocka_unit_test(test_an_election_is_followed_by_a_measurement),
    FAULT_TEST(test_without_a_measurement_no_transaction_begins),
    cmocka_unit_test(test_a_wrong_wall_clock_is_warned_of_once),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store clock in memory", in_memory, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store clock on MongoDB", on_mongo, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
