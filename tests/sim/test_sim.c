/* SPDX-License-Identifier: Apache-2.0 */
/* Random commands, two workers, every fault: the promises of the contract hold, seed by seed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/field_table.h"
#include "tests/support/auditor.h"
#include "tests/support/generator.h"
#include "common/host/log.h"

enum { SEEDS = 300, COMMANDS = 60, FURNISHING = 2 * (GENERATOR_PROVIDERS - 1), DISTURBED_IN = 15 };

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value != NULL ? strtoull(value, NULL, 10) : otherwise;
}

static void one_step(struct world *world)
{
    size_t worker = world_random(world, WORLD_WORKERS);
    uint64_t ticket = world_random(world, 100);
    if (ticket < 55)
        world_apply(world, worker);
    else if (ticket < 85)
        world_turn(world, worker);
    else
        fake_clock_advance(&world->clock, (int64_t)world_random(world, 400));
    if (world_random(world, DISTURBED_IN) == 0)
        world_inject_fault(world);
}

static void fail_seed(const struct world *world, const char *why)
{
    print_error("seed %llu: %s\n", (unsigned long long)world->seed, why);
    fail();
}

struct tally {
    size_t successes;
    size_t outcomes;
};

static void count_outcome(void *context, const struct outcome *outcome)
{
    struct tally *tally = context;
    tally->outcomes++;
    tally->successes += outcome->code == VERDICT_SUCCESS;
}

static void run(uint64_t seed, struct tally *tally, size_t *crashes)
{
    struct world *world = world_new((struct world_options){
        .seed = seed, .max_commands = 1 + seed % 12, .prefetch = (uint16_t)(1 + seed % 20)});
    struct error error = {""};
    generator_seed_data(world);
    while (world->journal.count < COMMANDS + FURNISHING) {
        generator_send(world);
        for (uint64_t steps = world_random(world, 16); steps > 0; steps--) {
            one_step(world);
            if (!auditor_check_state(world, &error))
                fail_seed(world, error.text);
        }
    }
    for (size_t steps = 0; steps < 100; steps++)
        one_step(world);
    world_clear_faults(world);
    if (!world_run_until_idle(world))
        fail_seed(world, "it never comes to rest");
    if (!auditor_check(world, &error))
        fail_seed(world, error.text);
    memory_database_visit(world->database,
                          &(struct memory_visitor){.context = tally, .outcome = count_outcome});
    *crashes += world->crashes;
    world_free(world);
}

static void test_two_workers_with_crashes_and_redeliveries_keep_every_promise(void **state)
{
    (void)state;
    uint64_t first = from_environment("SIM_FIRST", 1);
    uint64_t seeds = from_environment("SIM_SEEDS", SEEDS);
    struct tally tally = {0};
    size_t crashes = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++)
        run(seed, &tally, &crashes);
    print_message("seeds %llu to %llu: %zu outcomes, %zu of them successes; %zu crashes\n",
                  (unsigned long long)first, (unsigned long long)(first + seeds - 1),
                  tally.outcomes, tally.successes, crashes);
    assert_true(tally.successes > seeds * 10);
}

/* --- the auditor has eyes ------------------------------------------------------------------- */

#define SET(consumer, project, generation, allocations)                                            \
    "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":\"" consumer      \
    "\",\"project_id\":\"" project "\",\"user_id\":\"u\",\"consumer_generation\":" generation      \
    ",\"consumer_type\":\"INSTANCE\",\"allocations\":" allocations "}}"

#define CONSUMER "cccccccc-0000-4000-8000-000000000200"
#define FOUR_ON_ONE "{\"00000000-0000-4000-8000-000000000100\":{\"resources\":{\"VCPU\":4}}}"
#define ORDER SET(CONSUMER, "blue-1", "null", FOUR_ON_ONE)

/* With providers, and one consumer where `order` is given. */
static struct world *seeded(const char *order)
{
    struct world *world = world_new((struct world_options){.seed = 1});
    struct error error = {""};
    generator_seed_data(world);
    if (order != NULL)
        world_ask(world, "blue", "order", order);
    assert_true(world_run_until_idle(world));
    assert_true(auditor_check(world, &error));
    return world;
}

static void assert_finding(const struct world *world, const char *finding)
{
    struct error error = {""};
    assert_false(auditor_check(world, &error));
    assert_non_null(strstr(error.text, finding));
}

/* The database lets nobody do this; the test reaches through its window. */
static void raise_usage(void *context, const struct provider *provider)
{
    (void)context;
    provider->records[0].used++;
}

static void empty_consumer(void *context, const struct consumer *consumer)
{
    (void)context;
    ((struct consumer *)consumer)->allocation_count = 0;
}

static void raise_consumer(void *context, const struct consumer *consumer)
{
    (void)context;
    ((struct consumer *)consumer)->generation++;
}

static void raise_provider(void *context, const struct provider *provider)
{
    (void)context;
    ((struct provider *)provider)->generation++;
}

static void test_the_auditor_finds_a_usage_that_is_off(void **state)
{
    (void)state;
    struct world *world = seeded(NULL);
    memory_database_visit(world->database, &(struct memory_visitor){.provider = raise_usage});
    assert_finding(world, "usage of");
    world_free(world);
}

static void clear_usage(void *context, const struct provider *provider)
{
    (void)context;
    for (size_t i = 0; i < provider->record_count; i++)
        provider->records[i].used = 0;
}

static void test_the_auditor_finds_a_consumer_without_allocations(void **state)
{
    (void)state;
    struct world *world = seeded(ORDER);
    memory_database_visit(world->database, &(struct memory_visitor){.provider = clear_usage,
                                                                    .consumer = empty_consumer});
    assert_finding(world, "no allocations");
    world_free(world);
}

static void test_the_auditor_finds_generations_that_no_command_made(void **state)
{
    (void)state;
    struct world *world = seeded(ORDER);
    memory_database_visit(world->database, &(struct memory_visitor){.consumer = raise_consumer});
    assert_finding(world, "commands made generation 2");
    world_free(world);
    world = seeded(ORDER);
    memory_database_visit(world->database, &(struct memory_visitor){.provider = raise_provider});
    assert_finding(world, "generation 3 after 2 commands");
    world_free(world);
}

static void test_the_auditor_finds_an_unanswered_message(void **state)
{
    (void)state;
    struct world *world = seeded(NULL);
    assert_true(memory_broker_drop_first(world->broker, "replies"));
    assert_finding(world, "never got a reply");
    world_free(world);
}

static void test_the_auditor_finds_a_command_left_in_the_queue(void **state)
{
    (void)state;
    struct world *world = seeded(NULL);
    world_ask(world, "blue", "order", ORDER);
    assert_finding(world, "left in the queue");
    world_free(world);
}

static void alter_body(void *context, const struct outcome *outcome)
{
    (void)context;
    ((char *)outcome->body.bytes)[outcome->body.length - 1] = ' ';
}

static void test_the_auditor_finds_a_reply_that_is_not_the_outcome(void **state)
{
    (void)state;
    struct world *world = seeded(NULL);
    memory_database_visit(world->database, &(struct memory_visitor){.outcome = alter_body});
    assert_finding(world, "not the outcome on record");
    world_free(world);
}

/* --- one key, one effect -------------------------------------------------------------------- */

static bool is_replay(const struct memory_message *reply)
{
    struct field field;
    return field_table_find(reply->raw_headers, "x-allot-replayed", &field) && field.integer != 0;
}

static void note_generation(void *context, const struct consumer *consumer)
{
    *(int64_t *)context = consumer->generation;
}

/* Of the one consumer there is; 0: none. */
static int64_t consumer_generation(const struct world *world)
{
    int64_t generation = 0;
    memory_database_visit(world->database, &(struct memory_visitor){.context = &generation,
                                                                    .consumer = note_generation});
    return generation;
}

static void assert_approved(const struct world *world)
{
    struct error error = {""};
    if (!auditor_check(world, &error))
        fail_msg("%s", error.text);
}

/* The worker commits what it has, and has said nothing yet. */
static void commit_something(struct world *world, size_t worker)
{
    uint64_t before = memory_database_sequence(world->database);
    for (int steps = 0; memory_database_sequence(world->database) == before; steps++) {
        assert_true(steps < 100);
        world_apply(world, worker);
    }
}

static void test_a_redelivered_command_gets_the_same_bytes(void **state)
{
    (void)state;
    struct world *world = seeded(NULL);
    const struct sent *first = world_ask(world, "blue", "order", ORDER);
    world_turn(world, 0);
    commit_something(world, 0);
    world_crash(world, 0, MEMORY_LOST);
    assert_null(world_reply(world, first, 0));
    assert_true(world_run_until_idle(world));
    const struct sent *second = world_ask(world, "blue", "order", ORDER);
    assert_true(world_run_until_idle(world));

    const struct memory_message *one = world_reply(world, first, 0);
    const struct memory_message *two = world_reply(world, second, 0);
    assert_non_null(one);
    assert_non_null(two);
    assert_true(is_replay(one) && is_replay(two));
    assert_true(text_equal(one->body, two->body));
    assert_int_equal(consumer_generation(world), 1);
    assert_approved(world);
    world_free(world);
}

static void test_one_key_in_two_workers_has_one_effect(void **state)
{
    (void)state;
    for (uint64_t pattern = 0; pattern < 256; pattern++) {
        struct world *world = seeded(NULL);
        const struct sent *first = world_ask(world, "blue", "order", ORDER);
        world_turn(world, 0);
        const struct sent *second = world_ask(world, "blue", "order", ORDER);
        world_turn(world, 1);
        assert_int_equal(memory_broker_unacked(world->broker), 2);
        for (unsigned step = 0; step < 8; step++)
            world_apply(world, (pattern >> step) & 1);
        assert_true(world_run_until_idle(world));
        const struct memory_message *one = world_reply(world, first, 0);
        const struct memory_message *two = world_reply(world, second, 0);
        assert_true(one != NULL && two != NULL);
        assert_true(is_replay(one) != is_replay(two));
        assert_true(text_equal(one->body, two->body));
        assert_int_equal(consumer_generation(world), 1);
        assert_approved(world);
        world_free(world);
    }
}

/* --- a command that kills ------------------------------------------------------------------- */

/* Dies right after it has loaded what the command needs; false: it never came to that. */
static bool die_at_load(struct world *world)
{
    size_t before = memory_database_counters(world->database).calls[MEMORY_LOAD];
    for (int steps = 0; steps < 100; steps++) {
        world_turn(world, 0);
        world_apply(world, 0);
        fake_clock_advance(&world->clock, 50);
        if (memory_database_counters(world->database).calls[MEMORY_LOAD] > before) {
            world_crash(world, 0, MEMORY_LOST);
            return true;
        }
    }
    return false;
}

static void test_a_command_that_kills_workers_ends_as_attempts_exhausted(void **state)
{
    (void)state;
    struct world *world = seeded(NULL);
    const struct sent *sent = world_ask(world, "blue", "killer", ORDER);
    /* Two deliveries that nobody counts, then the three that are attempt_sent. */
    for (int deaths = 0; deaths < 5; deaths++)
        assert_true(die_at_load(world));
    assert_true(world_run_until_idle(world));
    const struct memory_message *reply = world_reply(world, sent, 0);
    assert_non_null(reply);
    assert_non_null(strstr(reply->body.bytes, "\"attempts_exhausted\""));
    assert_non_null(world_dead_letter(world, sent));
    assert_int_equal(consumer_generation(world), 0);
    assert_approved(world);
    world_free(world);
}

static void test_four_deaths_are_not_too_many(void **state)
{
    (void)state;
    struct world *world = seeded(NULL);
    const struct sent *sent = world_ask(world, "blue", "survivor", ORDER);
    for (int deaths = 0; deaths < 4; deaths++)
        assert_true(die_at_load(world));
    assert_true(world_run_until_idle(world));
    assert_non_null(world_reply(world, sent, 0));
    assert_null(world_dead_letter(world, sent));
    assert_int_equal(consumer_generation(world), 1);
    assert_approved(world);
    world_free(world);
}

/* The worker lives on: what it attempt_sent, it takes back. */
static void test_lost_connections_during_an_outage_are_not_attempts(void **state)
{
    (void)state;
    struct world *world = seeded(NULL);
    const struct sent *sent = world_ask(world, "blue", "patient", ORDER);
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_LOAD, .times = 1000000, .status = STORE_UNAVAILABLE});
    for (int losses = 0; losses < 10; losses++) {
        for (int step = 0; step < 30; step++) {
            world_turn(world, 0);
            world_apply(world, 0);
            fake_clock_advance(&world->clock, 1000);
        }
        memory_transport_cut(world->workers[0].transport);
    }
    memory_database_clear_faults(world->database);
    assert_true(world_run_until_idle(world));
    assert_non_null(world_reply(world, sent, 0));
    assert_null(world_dead_letter(world, sent));
    assert_int_equal(consumer_generation(world), 1);
    assert_approved(world);
    world_free(world);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "simulated");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_workers_with_crashes_and_redeliveries_keep_every_promise),
        cmocka_unit_test(test_the_auditor_finds_a_usage_that_is_off),
        cmocka_unit_test(test_the_auditor_finds_a_consumer_without_allocations),
        cmocka_unit_test(test_the_auditor_finds_generations_that_no_command_made),
        cmocka_unit_test(test_the_auditor_finds_an_unanswered_message),
        cmocka_unit_test(test_the_auditor_finds_a_command_left_in_the_queue),
        cmocka_unit_test(test_the_auditor_finds_a_reply_that_is_not_the_outcome),
        cmocka_unit_test(test_a_redelivered_command_gets_the_same_bytes),
        cmocka_unit_test(test_one_key_in_two_workers_has_one_effect),
        cmocka_unit_test(test_a_command_that_kills_workers_ends_as_attempts_exhausted),
        cmocka_unit_test(test_four_deaths_are_not_too_many),
        cmocka_unit_test(test_lost_connections_during_an_outage_are_not_attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
