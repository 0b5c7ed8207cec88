/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that a worker that is stopped in order, while it has attempt records, is not taken for one
 * that a command has crashed. Each test restarts or crashes the first worker again and again while
 * one command is loaded, so that its attempt record is written and not deleted yet.
 *
 * Not here: the thread that makes the last report (tests/sim/test_registry.c), and the records in
 * the database (tests/contract/test_store_workers.c).
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/host/log.h"
#include "tests/support/world.h"

#define COMMAND                                                                                    \
    "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":"                         \
    "\"00000000-0000-4000-8000-000000000001\",\"name\":\"host\"}}"

enum { MANY = WORLD_ATTEMPTS_MAX + 2, STEPS_MAX = 1000 };

static int setup(void **state)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "restarts test");
    *state = world_new((struct world_options){.seed = 1});
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static void count_records(void *context, struct text principal, struct text key, int64_t count)
{
    (void)principal;
    (void)key;
    *(int64_t *)context += count;
}

static int64_t records(const struct world *world)
{
    int64_t count = 0;
    memory_database_visit(world->database,
                          &(struct memory_visitor){.context = &count, .attempts = count_records});
    return count;
}

/* Steps the first worker until it is about to load the only command. */
static void step_to_load(struct world *world)
{
    const struct applier *applier = world->workers[0].appliers[APPLY_WRITES].applier;
    for (int i = 0; strcmp(applier_stage_name(applier), "load") != 0; i++) {
        assert_true(i < STEPS_MAX);
        if (memory_broker_unacked(world->broker) == 0)
            world_transport_step(world, 0);
        world_apply_step_of(world, 0, APPLY_WRITES);
        fake_clock_advance(&world->clock, 50);
    }
}

/* Sends a command whose first delivery, which has no record, is over. */
static const struct sent *send_redelivered(struct world *world)
{
    const struct sent *sent = world_ask(world, "admin", "command", COMMAND);
    step_to_load(world);
    world_restart(world, 0);
    assert_int_equal(records(world), 0);
    return sent;
}

/* Restarts the worker so many times while it has a record. */
static void restart_at_load(struct world *world, int times)
{
    for (int i = 0; i < times; i++) {
        int64_t before = records(world);
        step_to_load(world);
        assert_true(records(world) > before);
        world_restart(world, 0);
    }
}

static void crash_at_load(struct world *world, int times)
{
    for (int i = 0; i < times; i++) {
        step_to_load(world);
        world_crash(world, 0, MEMORY_LOST);
    }
}

/* Lets the workers finish. */
static void expect_code(struct world *world, const struct sent *sent, const char *code)
{
    assert_true(world_run_until_idle(world));
    const struct memory_message *reply = world_reply(world, sent, 0);
    assert_non_null(reply);
    if (strstr(reply->body.bytes, code) == NULL)
        fail_msg("expected %s, got %.*s", code, TEXT_ARGS(reply->body));
}

static void test_restarts_are_no_attempts(void **state)
{
    struct world *world = *state;
    const struct sent *sent = send_redelivered(world);
    restart_at_load(world, MANY);
    expect_code(world, sent, "\"success\"");
}

/* The connection is lost first, and the worker stops before its applier has withdrawn the record.
 */
static void test_restarts_in_an_outage_of_the_broker_are_no_attempts(void **state)
{
    struct world *world = *state;
    const struct sent *sent = send_redelivered(world);
    for (int i = 0; i < MANY; i++) {
        int64_t before = records(world);
        step_to_load(world);
        memory_broker_set_down(world->broker, true);
        world_transport_step(world, 0);
        assert_true(records(world) > before);
        world_restart(world, 0);
        memory_broker_set_down(world->broker, false);
    }
    expect_code(world, sent, "\"success\"");
}

static void test_crashes_between_restarts_are_attempts(void **state)
{
    struct world *world = *state;
    const struct sent *sent = send_redelivered(world);
    for (int i = 0; i < WORLD_ATTEMPTS_MAX; i++) {
        restart_at_load(world, 1);
        crash_at_load(world, 1);
    }
    expect_code(world, sent, "\"attempts_exhausted\"");
}

static void test_crashes_that_are_not_too_many_stay_so_after_restarts(void **state)
{
    struct world *world = *state;
    const struct sent *sent = send_redelivered(world);
    crash_at_load(world, WORLD_ATTEMPTS_MAX - 1);
    restart_at_load(world, MANY);
    expect_code(world, sent, "\"success\"");
}

/* Nobody can tell such a worker from one that has crashed. */
static void test_restarts_that_cannot_be_noted_are_attempts(void **state)
{
    struct world *world = *state;
    const struct sent *sent = send_redelivered(world);
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_REPORT, .times = MANY, .status = STORE_UNAVAILABLE});
    restart_at_load(world, WORLD_ATTEMPTS_MAX);
    expect_code(world, sent, "\"attempts_exhausted\"");
}

#define RESTART_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESTART_TEST(test_restarts_are_no_attempts),
        RESTART_TEST(test_restarts_in_an_outage_of_the_broker_are_no_attempts),
        RESTART_TEST(test_crashes_between_restarts_are_attempts),
        RESTART_TEST(test_crashes_that_are_not_too_many_stay_so_after_restarts),
        RESTART_TEST(test_restarts_that_cannot_be_noted_are_attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
