/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the documents of workers, and what they mean for attempt records: those of a worker that
 * has stopped in order do not count, all others do. Those tests run against the store in memory
 * too. On MongoDB only: the content of the documents, their expiry, and the fence documents, of
 * which each store has one of its own that expires as well.
 *
 * A worker here is a struct life. On MongoDB it has a pool of its own, as each process has one.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/host/system_clock.h"

enum { TIMEOUT_MS = 5000, FILTER_MAX = 512, TOLERANCE_MS = 600 * 1000, AHEAD_MS = 1234567 };

struct life {
    struct mongo_pool *pool; /* NULL: in memory */
    struct session session;
};

static struct life begin_life_with(struct store_world *world, struct clock *clock)
{
    struct life life = {.session = {.world = world, .arena = arena_new(0)}};
    if (world->memory != NULL) {
        life.session.store = memory_store_new(world->memory);
    } else {
        life.pool = store_world_pool_with(world, TIMEOUT_MS, clock);
        assert_non_null(life.pool);
        life.session.store = mongo_store_new(life.pool, &life.session.error);
    }
    assert_non_null(life.session.store);
    life.session.snapshot = snapshot_new(life.session.arena);
    return life;
}

static struct life begin_life(struct store_world *world)
{
    return begin_life_with(world, system_clock());
}

static void end_life(struct life *life)
{
    session_close(&life->session);
    mongo_pool_free(life->pool);
}

static struct worker_report report_of(enum worker_state state)
{
    return (struct worker_report){.state = state, .version = text_of("$1.2"), .lanes = 2};
}

static void report(struct life *life, enum worker_state state)
{
    struct worker_report content = report_of(state);
    struct session *session = &life->session;
    assert_status(session, STORE_OK,
                  session->store->ops->report_worker(session->store, &content, &session->error));
}

static void record(struct life *life, struct text key)
{
    assert_status(&life->session, STORE_OK, session_record_attempts(&life->session, &key, 1));
}

/* Returns how many deaths another worker finds. */
static int64_t deaths(struct life *other, struct text key)
{
    struct attempt_history history = session_find_attempts(&other->session, key);
    assert_int_equal(history.smallest, history.alone > 0);
    return history.alone;
}

/* --- attempt records -------------------------------------------------------------------------- */

static void test_records_count_until_their_worker_has_stopped(void **state)
{
    struct store_world *world = *state;
    struct life life = begin_life(world), other = begin_life(world);
    struct text key = world_text(world, "key");
    record(&life, key);
    assert_int_equal(deaths(&other, key), 1); /* it has not reported */
    report(&life, WORKER_RUNNING);
    assert_int_equal(deaths(&other, key), 1);
    report(&life, WORKER_STOPPING);
    assert_int_equal(deaths(&other, key), 1);
    report(&life, WORKER_STOPPED);
    assert_int_equal(deaths(&other, key), 0);
    end_life(&other);
    end_life(&life);
}

static void test_a_worker_that_has_stopped_stays_so(void **state)
{
    struct store_world *world = *state;
    struct life life = begin_life(world), other = begin_life(world);
    struct text key = world_text(world, "key");
    record(&life, key);
    report(&life, WORKER_STOPPED);
    report(&life, WORKER_RUNNING);
    assert_int_equal(deaths(&other, key), 0);
    end_life(&other);
    end_life(&life);
}

static void test_a_report_leaves_the_records_of_others(void **state)
{
    struct store_world *world = *state;
    struct life dead = begin_life(world), stopped = begin_life(world), other = begin_life(world);
    struct text key = world_text(world, "key");
    record(&dead, key);
    record(&stopped, key);
    assert_int_equal(deaths(&other, key), 2);
    report(&dead, WORKER_RUNNING);
    report(&stopped, WORKER_STOPPED);
    report(&other, WORKER_STOPPED);
    assert_int_equal(deaths(&other, key), 1);
    end_life(&other);
    end_life(&stopped);
    end_life(&dead);
}

static int64_t count_workers(const struct store_world *world, enum worker_state state)
{
    char filter[FILTER_MAX];
    if (world->memory != NULL)
        return (int64_t)memory_database_workers(world->memory, state);
    (void)snprintf(filter, sizeof filter, "{\"state\": \"%s\"}", worker_state_name(state));
    return admin_count(world->database, "workers", filter);
}

static void test_a_worker_has_one_document(void **state)
{
    struct store_world *world = *state;
    struct life life = begin_life(world);
    int64_t running = count_workers(world, WORKER_RUNNING);
    int64_t stopped = count_workers(world, WORKER_STOPPED);
    for (int i = 0; i < 3; i++)
        report(&life, WORKER_RUNNING);
    assert_int_equal(count_workers(world, WORKER_RUNNING), running + 1);
    for (int i = 0; i < 3; i++)
        report(&life, WORKER_STOPPED);
    assert_int_equal(count_workers(world, WORKER_RUNNING), running);
    assert_int_equal(count_workers(world, WORKER_STOPPED), stopped + 1);
    end_life(&life);
}

/* --- records on MongoDB ----------------------------------------------------------------------- */

/* The stores of one process have attempt records of their own, but end together. */
static void test_the_report_of_one_store_is_for_its_whole_process(void **state)
{
    struct store_world *world = *state;
    struct life life = begin_life(world), other = begin_life(world);
    struct text key = world_text(world, "key");
    struct life lane = life;
    lane.session = (struct session){.world = world, .arena = arena_new(0)};
    lane.session.store = mongo_store_new(life.pool, NULL);
    lane.session.snapshot = snapshot_new(lane.session.arena);
    record(&lane, key);
    report(&life, WORKER_STOPPED);
    assert_int_equal(deaths(&other, key), 0);
    session_close(&lane.session);
    end_life(&other);
    end_life(&life);
}

/* Replaces the list of records of a command, past the validator. */
static void damage_records(const struct store_world *world, struct text key, const char *marks)
{
    char json[FILTER_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"update\": \"attempts\", \"bypassDocumentValidation\": true, \"updates\": "
                   "[{\"q\": {\"_id.key\": \"%.*s\"}, \"u\": {\"$set\": {\"marks\": %s}}}]}",
                   TEXT_ARGS(key), marks);
    admin_run(world->database, json);
}

static void test_damaged_records_do_not_count(void **state)
{
    static const char *const damaged[] = {"7", "[7, null, {\"a\": 1}]", "null"};
    struct store_world *world = *state;
    struct life life = begin_life(world);
    struct text key = world_text(world, "key");
    record(&life, key);
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct attempt_key named = {conductor(), key};
        struct attempt_history history;
        damage_records(world, key, damaged[i]);
        assert_status(&life.session, STORE_OK,
                      life.session.store->ops->find_attempts(life.session.store, &named, 1,
                                                             &history, &life.session.error));
    }
    end_life(&life);
}

/* --- documents of workers on MongoDB ---------------------------------------------------------- */

static void assert_worker(const struct store_world *world, const char *filter)
{
    if (admin_count(world->database, "workers", filter) != 1)
        fail_msg("there is not one document with %s", filter);
}

static void test_a_report_has_what_operators_ask_for(void **state)
{
    struct store_world *world = *state;
    struct fake_clock clock = fake_clock_make();
    char filter[FILTER_MAX];
    clock.wall_ms = admin_now_ms() + AHEAD_MS;
    struct life life = begin_life_with(world, &clock.base);
    struct worker_report content = report_of(WORKER_STOPPING);
    content.rates[WORKER_RATE_COMMANDS_COMMITTED] = 12.5;
    assert_status(
        &life.session, STORE_OK,
        life.session.store->ops->report_worker(life.session.store, &content, &life.session.error));
    (void)snprintf(filter, sizeof filter,
                   "{\"name\": \"contract\", \"version\": \"$1.2\", \"schema\": 2, \"lanes\": 2, "
                   "\"state\": \"stopping\", \"rates.commands_committed\": 12.5, "
                   "\"rates.deliveries_received\": 0, \"clock_ahead_ms\": {\"$gt\": %d, \"$lt\": "
                   "%d}}",
                   AHEAD_MS - TOLERANCE_MS, AHEAD_MS + TOLERANCE_MS);
    assert_worker(world, filter);
    end_life(&life);
}

/* Its first report may come late, after an outage of the database. */
static void test_the_start_is_that_of_the_process(void **state)
{
    enum { AGE_MS = 24 * 3600 * 1000 };
    struct store_world *world = *state;
    struct fake_clock clock = fake_clock_make();
    char filter[FILTER_MAX];
    struct life life = begin_life_with(world, &clock.base);
    fake_clock_advance(&clock, AGE_MS);
    report(&life, WORKER_RUNNING);
    fake_clock_advance(&clock, AGE_MS);
    report(&life, WORKER_RUNNING);
    (void)snprintf(
        filter, sizeof filter,
        "{\"$expr\": {\"$and\": [{\"$gt\": [{\"$subtract\": [\"$at\", \"$started_at\"]}, "
        "%d]}, {\"$lt\": [{\"$subtract\": [\"$at\", \"$started_at\"]}, %d]}]}}",
        AGE_MS - TOLERANCE_MS, AGE_MS + TOLERANCE_MS);
    assert_worker(world, filter);
    end_life(&life);
}

/* Counts the documents in this state that are kept for so long after the last report. */
static int64_t count_kept(const struct store_world *world, enum worker_state state, int64_t kept_ms)
{
    char filter[FILTER_MAX];
    (void)snprintf(filter, sizeof filter,
                   "{\"state\": \"%s\", \"$expr\": {\"$eq\": [{\"$subtract\": [\"$expires_at\", "
                   "\"$at\"]}, %" PRId64 "]}}",
                   worker_state_name(state), kept_ms);
    return admin_count(world->database, "workers", filter);
}

/* Otherwise the records of a worker that has stopped would count as crashes in the end. */
static void test_the_document_of_a_stopped_worker_outlives_its_records(void **state)
{
    struct store_world *world = *state;
    struct life running = begin_life(world), stopped = begin_life(world);
    int64_t before_running = count_kept(world, WORKER_RUNNING, WORKER_KEPT_MS);
    int64_t before_stopped = count_kept(world, WORKER_STOPPED, WORKER_KEPT_MS + WORLD_RETENTION_MS);
    report(&running, WORKER_RUNNING);
    report(&stopped, WORKER_STOPPED);
    assert_int_equal(count_kept(world, WORKER_RUNNING, WORKER_KEPT_MS), before_running + 1);
    assert_int_equal(count_kept(world, WORKER_STOPPED, WORKER_KEPT_MS + WORLD_RETENTION_MS),
                     before_stopped + 1);
    end_life(&stopped);
    end_life(&running);
}

static void test_workers_and_fences_expire(void **state)
{
    static const char expiry[] = "{\"key\": {\"expires_at\": 1}, \"expireAfterSeconds\": 0}";
    struct store_world *world = *state;
    assert_int_equal(admin_index_count(world->database, "workers", expiry), 1);
    assert_int_equal(admin_index_count(world->database, "fences", expiry), 1);
}

/* --- fence documents -------------------------------------------------------------------------- */

static const char lasting[] =
    "{\"expires_at\": {\"$exists\": false}, \"_id.turn\": {\"$exists\": false}}";

static void write_fence(struct session *session)
{
    session_begin(session);
    session_load(session);
    session->snapshot->fence = true;
    assert_status(session, STORE_OK, session_write(session));
}

static void commit_fence(struct session *session)
{
    assert_status(session, STORE_OK, session_commit(session));
    session_restart(session);
}

/* Both workers have the same name, as the workers of a test or of a wrong configuration do. */
static void test_fences_of_workers_with_one_name_do_not_conflict(void **state)
{
    struct store_world *world = *state;
    struct life first = begin_life(world), second = begin_life(world);
    for (int i = 0; i < 2; i++) {
        write_fence(&first.session);
        write_fence(&second.session);
        report(&first, WORKER_RUNNING);
        commit_fence(&first.session);
        commit_fence(&second.session);
    }
    end_life(&second);
    end_life(&first);
}

static void test_a_store_has_one_fence_document_that_expires(void **state)
{
    struct store_world *world = *state;
    struct life life = begin_life(world);
    int64_t before = admin_count(world->database, "fences", "{}");
    for (int i = 0; i < 3; i++) {
        write_fence(&life.session);
        commit_fence(&life.session);
    }
    assert_int_equal(admin_count(world->database, "fences", "{}"), before + 1);
    assert_int_equal(admin_count(world->database, "fences", lasting), 0);
    end_life(&life);
}

static void take_lock(struct session *session)
{
    bool contended = false;
    session_begin(session);
    assert_status(
        session, STORE_OK,
        session->store->ops->take_advisory_lock(session->store, &contended, &session->error));
    commit_fence(session);
}

static void test_fences_of_older_versions_are_deleted_at_the_start(void **state)
{
    struct store_world *world = *state;
    struct life life = begin_life(world);
    take_lock(&life.session);
    write_fence(&life.session);
    commit_fence(&life.session);
    admin_run(
        world->database,
        "{\"insert\": \"fences\", \"documents\": ["
        "{\"_id\": {\"worker\": \"a:1\", \"store\": \"0\"}, \"n\": {\"$numberLong\": \"1\"}}, "
        "{\"_id\": {\"worker\": \"a:2\", \"store\": \"0\"}, \"n\": {\"$numberLong\": \"9\"}}]}");
    int64_t before = admin_count(world->database, "fences", "{}");
    assert_int_equal(admin_count(world->database, "fences", lasting), 2);
    assert_status(&life.session, STORE_OK, session_prepare(&life.session));
    assert_int_equal(admin_count(world->database, "fences", lasting), 0);
    assert_int_equal(admin_count(world->database, "fences", "{}"), before - 2);
    end_life(&life);
}

/* Libmongoc is started once in a process, so MongoDB has one group. */
#define BOTH                                                                                       \
    cmocka_unit_test(test_records_count_until_their_worker_has_stopped),                           \
        cmocka_unit_test(test_a_worker_that_has_stopped_stays_so),                                 \
        cmocka_unit_test(test_a_report_leaves_the_records_of_others),                              \
        cmocka_unit_test(test_a_worker_has_one_document)

static const struct CMUnitTest in_memory[] = {BOTH};

static const struct CMUnitTest on_mongo[] = {
    BOTH,
    cmocka_unit_test(test_the_report_of_one_store_is_for_its_whole_process),
    cmocka_unit_test(test_damaged_records_do_not_count),
    cmocka_unit_test(test_a_report_has_what_operators_ask_for),
    cmocka_unit_test(test_the_start_is_that_of_the_process),
    cmocka_unit_test(test_the_document_of_a_stopped_worker_outlives_its_records),
    cmocka_unit_test(test_workers_and_fences_expire),
    cmocka_unit_test(test_fences_of_workers_with_one_name_do_not_conflict),
    cmocka_unit_test(test_a_store_has_one_fence_document_that_expires),
    cmocka_unit_test(test_fences_of_older_versions_are_deleted_at_the_start),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("workers in memory", in_memory, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("workers on MongoDB", on_mongo, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
