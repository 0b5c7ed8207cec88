/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that what two workers do does not depend on their wall clocks. In every world of the
 * simulator one worker is eight days behind the database and the other eight days ahead
 * (tests/support/world.h). Each test lets each of them process the same kind of command alone.
 *
 * Not here: how the store on MongoDB knows the database's time, and the expiry of what it writes
 * (tests/contract/test_store_clock.c).
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/codec/field_table.h"
#include "common/host/log.h"
#include "tests/support/world.h"

#define READ "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"blue-1\"}}"
#define GARBAGE "no JSON"

enum { STEPS_MAX = 1000 };

static int setup(void **state)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "clocks test");
    *state = world_new((struct world_options){.seed = 1});
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static const struct memory_message *first_reply(const struct world *world, const struct sent *sent)
{
    return world_reply(world, sent, 0);
}

typedef const struct memory_message *(*find_message)(const struct world *world,
                                                     const struct sent *sent);

/* Steps one worker until `find` finds something, and returns that. The time stands still. */
static const struct memory_message *await(struct world *world, size_t worker,
                                          const struct sent *sent, find_message find)
{
    for (int i = 0; i < STEPS_MAX && find(world, sent) == NULL; i++) {
        world_transport_step(world, worker);
        world_apply_step(world, worker);
    }
    assert_non_null(find(world, sent));
    return find(world, sent);
}

/* Sends a read whose deadline is so far after the database's time. */
static const struct sent *ask_until(struct world *world, int64_t after_ms)
{
    struct sent sent = {.principal = text_of("blue"),
                        .key = text_format(world->arena, "k%zu", world->journal.count),
                        .reply_to = text_of("replies"),
                        .body = text_of(READ),
                        .deadline_ms = world->clock.wall_ms + after_ms};
    return world_send(world, &sent);
}

/* Lets the worker answer two commands: one at its very deadline, and one just after it. */
static void check_deadlines(struct world *world, size_t worker)
{
    const struct sent *in_time = ask_until(world, 0), *late = ask_until(world, -1);
    struct text reply = await(world, worker, in_time, first_reply)->body;
    assert_null(strstr(reply.bytes, "deadline_exceeded"));
    reply = await(world, worker, late, first_reply)->body;
    assert_non_null(strstr(reply.bytes, "deadline_exceeded"));
}

static void test_a_deadline_is_judged_by_the_databases_clock(void **state)
{
    struct world *world = *state;
    for (size_t worker = 0; worker < WORLD_WORKERS; worker++) {
        check_deadlines(world, worker);
    }
}

static void test_a_jump_of_a_wall_clock_changes_no_deadline(void **state)
{
    static const int64_t errors_ms[] = {0, EIGHT_DAYS_MS, -EIGHT_DAYS_MS};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof errors_ms / sizeof errors_ms[0]; i++) {
        world->workers[0].clock.wall_error_ms = errors_ms[i];
        check_deadlines(world, 0);
    }
}

/* With a stored letter the applier makes it, without one the settler does. */
static void check_times_of_dead_letters(struct world *world)
{
    for (size_t worker = 0; worker < WORLD_WORKERS; worker++) {
        struct text key = text_format(world->arena, "garbage-%zu", worker);
        const struct sent *sent = world_ask(world, "blue", key.bytes, GARBAGE);
        struct text headers = await(world, worker, sent, world_dead_letter)->raw_headers;
        struct field at;
        assert_true(field_table_find(headers, "x-allot-dead-at", &at));
        assert_true(at.integer == world->clock.wall_ms);
    }
}

static void test_a_dead_letter_has_the_databases_time(void **state)
{
    check_times_of_dead_letters(*state);
}

static void test_a_dead_letter_without_a_letter_has_the_databases_time(void **state)
{
    struct world *world = *state;
    memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_WRITE_LETTERS,
                                                                .times = 1000000,
                                                                .status = STORE_REFUSED});
    check_times_of_dead_letters(world);
}

static void check_letter(void *context, const struct letter_record *record)
{
    const struct world *world = context;
    assert_true(record->first_at_ms == world->clock.wall_ms);
    assert_int_equal(record->history_count, 1);
    assert_true(record->history[0].at_ms == world->clock.wall_ms);
}

static void test_a_letter_has_the_databases_time(void **state)
{
    struct world *world = *state;
    check_times_of_dead_letters(world);
    memory_database_visit(world->database,
                          &(struct memory_visitor){.context = world, .letter = check_letter});
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_a_deadline_is_judged_by_the_databases_clock),
        TEST(test_a_jump_of_a_wall_clock_changes_no_deadline),
        TEST(test_a_dead_letter_has_the_databases_time),
        TEST(test_a_dead_letter_without_a_letter_has_the_databases_time),
        TEST(test_a_letter_has_the_databases_time),
    };
    return cmocka_run_group_tests_name("clocks of two workers", tests, NULL, NULL);
}
