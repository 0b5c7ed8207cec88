/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulation: random commands and random faults on two workers, for many seeds. After each step
 * the auditor checks the state; at the end it checks state, replies and dead letters against the
 * protocol. The auditor shares no code with the planner.
 *
 * Run one seed:       SIM_FIRST=17 SIM_SEEDS=1 build/dev/bin/sim_test_sim
 * Run many of them:   SIM_SEEDS=20000 build/dev/bin/sim_test_sim
 *
 * A failed seed prints its number and what the auditor found; the same seed fails in the same step
 * again. The tests below the simulation show that the auditor finds planted errors, and the rest
 * are single scenarios: one key in two workers, redeliveries, and commands that crash their
 * workers.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/field_table.h"
#include "tests/support/auditor.h"
#include "tests/support/generator.h"
#include "common/host/log.h"

enum {
    SEEDS = 300,
    COMMANDS = 60,
    SEED_MESSAGES = 2 * (GENERATOR_PROVIDERS - 1),
    STEPS_PER_FAULT = 15
};

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    const char *value = getenv(name);
    return value != NULL ? strtoull(value, NULL, 10) : fallback;
}

static void one_step(struct world *world)
{
    size_t worker = world_random(world, WORLD_WORKERS);
    uint64_t ticket = world_random(world, 100);
    if (ticket < 55)
        world_apply_step(world, worker);
    else if (ticket < 85)
        world_transport_step(world, worker);
    else
        fake_clock_advance(&world->clock, (int64_t)world_random(world, 400));
    if (world_random(world, STEPS_PER_FAULT) == 0)
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
    struct world *world = world_new((struct world_options){.seed = seed,
                                                           .max_commands = 1 + seed % 12,
                                                           .prefetch = (uint16_t)(1 + seed % 20),
                                                           .one_process = seed % 2 == 0});
    struct error error = {""};
    generator_seed_data(world);
    while (world->journal.count < COMMANDS + SEED_MESSAGES) {
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
        fail_seed(world, "the workers never become idle");
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

/* --- the auditor finds planted errors ------------------------------------------------------- */

#define SET(consumer, project, generation, allocations)                                            \
    "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":\"" consumer      \
    "\",\"project_id\":\"" project "\",\"user_id\":\"u\",\"consumer_generation\":" generation      \
    ",\"consumer_type\":\"INSTANCE\",\"allocations\":" allocations "}}"

#define CONSUMER "cccccccc-0000-4000-8000-000000000200"
#define FOUR_ON_ONE "{\"00000000-0000-4000-8000-000000000100\":{\"resources\":{\"VCPU\":4}}}"
#define CLAIM SET(CONSUMER, "blue-1", "null", FOUR_ON_ONE)

/* A world with providers, and with one consumer if `claim` is given. */
static struct world *world_with(const char *claim)
{
    struct world *world = world_new((struct world_options){.seed = 1});
    struct error error = {""};
    generator_seed_data(world);
    if (claim != NULL)
        world_ask(world, "blue", "claim", claim);
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

/* The database allows no such change; the visitors below write to its documents directly. */
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
    struct world *world = world_with(NULL);
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
    struct world *world = world_with(CLAIM);
    memory_database_visit(world->database, &(struct memory_visitor){.provider = clear_usage,
                                                                    .consumer = empty_consumer});
    assert_finding(world, "no allocations");
    world_free(world);
}

static void test_the_auditor_finds_generations_that_no_command_made(void **state)
{
    (void)state;
    struct world *world = world_with(CLAIM);
    memory_database_visit(world->database, &(struct memory_visitor){.consumer = raise_consumer});
    assert_finding(world, "commands made generation 2");
    world_free(world);
    world = world_with(CLAIM);
    memory_database_visit(world->database, &(struct memory_visitor){.provider = raise_provider});
    assert_finding(world, "generation 3 after 2 commands");
    world_free(world);
}

static void test_the_auditor_finds_an_unanswered_message(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    assert_true(memory_broker_drop_first(world->broker, "replies"));
    assert_finding(world, "never got a reply");
    world_free(world);
}

static void test_the_auditor_finds_a_command_left_in_the_queue(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    world_ask(world, "blue", "claim", CLAIM);
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
    struct world *world = world_with(NULL);
    memory_database_visit(world->database, &(struct memory_visitor){.outcome = alter_body});
    assert_finding(world, "not the recorded outcome");
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

/* The generation of the only consumer; 0: there is none. */
static int64_t consumer_generation(const struct world *world)
{
    int64_t generation = 0;
    memory_database_visit(world->database, &(struct memory_visitor){.context = &generation,
                                                                    .consumer = note_generation});
    return generation;
}

static void assert_auditor_accepts(const struct world *world)
{
    struct error error = {""};
    if (!auditor_check(world, &error))
        fail_msg("%s", error.text);
}

/* Steps the applier until it has committed; nothing is published yet. */
static void commit_something(struct world *world, size_t worker)
{
    uint64_t before = memory_database_sequence(world->database);
    for (int steps = 0; memory_database_sequence(world->database) == before; steps++) {
        assert_true(steps < 100);
        world_apply_step(world, worker);
    }
}

static void test_a_command_redelivered_after_a_crash_gets_the_same_bytes(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    const struct sent *first = world_ask(world, "blue", "claim", CLAIM);
    world_transport_step(world, 0);
    commit_something(world, 0);
    world_crash(world, 0, MEMORY_LOST);
    assert_null(world_reply(world, first, 0));
    assert_true(world_run_until_idle(world));
    const struct sent *second = world_ask(world, "blue", "claim", CLAIM);
    assert_true(world_run_until_idle(world));

    const struct memory_message *one = world_reply(world, first, 0);
    const struct memory_message *two = world_reply(world, second, 0);
    assert_non_null(one);
    assert_non_null(two);
    assert_true(is_replay(one) && is_replay(two));
    assert_true(text_equal(one->body, two->body));
    assert_int_equal(consumer_generation(world), 1);
    assert_auditor_accepts(world);
    world_free(world);
}

static void test_one_key_in_two_workers_has_one_effect(void **state)
{
    (void)state;
    for (uint64_t pattern = 0; pattern < 256; pattern++) {
        struct world *world = world_with(NULL);
        const struct sent *first = world_ask(world, "blue", "claim", CLAIM);
        world_transport_step(world, 0);
        const struct sent *second = world_ask(world, "blue", "claim", CLAIM);
        world_transport_step(world, 1);
        assert_int_equal(memory_broker_unacked(world->broker), 2);
        for (unsigned step = 0; step < 8; step++)
            world_apply_step(world, (pattern >> step) & 1);
        assert_true(world_run_until_idle(world));
        const struct memory_message *one = world_reply(world, first, 0);
        const struct memory_message *two = world_reply(world, second, 0);
        assert_true(one != NULL && two != NULL);
        assert_true(is_replay(one) != is_replay(two));
        assert_true(text_equal(one->body, two->body));
        assert_int_equal(consumer_generation(world), 1);
        assert_auditor_accepts(world);
        world_free(world);
    }
}

/* --- a command that crashes its workers ----------------------------------------------------- */

static size_t calls(const struct world *world, enum memory_call call)
{
    return memory_database_counters(world->database).calls[call];
}

/* Crashes the worker right after its next call of this kind. Returns false if none comes in 100
   steps. */
static bool crash_at(struct world *world, enum memory_call call)
{
    size_t before = calls(world, call);
    for (int steps = 0; steps < 100; steps++) {
        world_transport_step(world, 0);
        world_apply_step(world, 0);
        fake_clock_advance(&world->clock, 50);
        if (calls(world, call) > before) {
            world_crash(world, 0, MEMORY_LOST);
            return true;
        }
    }
    return false;
}

static void test_a_command_that_crashes_workers_ends_as_attempts_exhausted(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    const struct sent *sent = world_ask(world, "blue", "crasher", CLAIM);
    /* The first delivery has no attempt record, then three have one. */
    for (int crashes = 0; crashes < 4; crashes++)
        assert_true(crash_at(world, MEMORY_LOAD));
    assert_true(world_run_until_idle(world));
    const struct memory_message *reply = world_reply(world, sent, 0);
    assert_non_null(reply);
    assert_non_null(strstr(reply->body.bytes, "\"attempts_exhausted\""));
    assert_non_null(world_dead_letter(world, sent));
    assert_int_equal(consumer_generation(world), 0);
    assert_auditor_accepts(world);
    world_free(world);
}

/* Lets the workers finish. The claim is applied once, and answered with a reply only. */
static void end_applied_once(struct world *world, const struct sent *sent)
{
    assert_true(world_run_until_idle(world));
    assert_non_null(world_reply(world, sent, 0));
    assert_null(world_dead_letter(world, sent));
    assert_int_equal(consumer_generation(world), 1);
    assert_auditor_accepts(world);
    world_free(world);
}

static void test_three_crashes_are_not_too_many(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    const struct sent *sent = world_ask(world, "blue", "survivor", CLAIM);
    for (int crashes = 0; crashes < 3; crashes++)
        assert_true(crash_at(world, MEMORY_LOAD));
    end_applied_once(world, sent);
}

/* Crashes the process, of so many workers, after each load of a batch that has the watched key,
   until nothing is left to do. Returns how often it crashed. */
static int crash_at_watched_loads(struct world *world, size_t workers)
{
    int crashes = 0;
    size_t before = memory_database_counters(world->database).watched_loads;
    for (size_t steps = 0; steps < 5000; steps++) {
        world_transport_step(world, steps % workers);
        world_apply_step(world, steps % workers);
        fake_clock_advance(&world->clock, 50);
        size_t after = memory_database_counters(world->database).watched_loads;
        if (after > before) {
            for (size_t worker = 0; worker < workers; worker++)
                world_crash(world, worker, MEMORY_LOST);
            crashes++;
        }
        before = memory_database_counters(world->database).watched_loads;
    }
    return crashes;
}

/* Returns the command of another consumer each time. */
static const struct sent *ask_innocent(struct world *world, int number)
{
    struct text key = text_format(world->arena, "innocent-%d", number);
    struct text consumer =
        text_format(world->arena, "c0000000-0000-4000-8000-%012d", number + 1000);
    struct text body = text_format(world->arena,
                                   "{\"version\":1,\"command\":\"allocation.delete\",\"params\":{"
                                   "\"consumer_uuid\":\"%.*s\",\"consumer_generation\":1}}",
                                   TEXT_ARGS(consumer));
    return world_ask(world, "blue", key.bytes, body.bytes);
}

enum { INNOCENTS = 60, LOG2_OF_BATCH = 6, ALONE = WORLD_ATTEMPTS_MAX };

/* Sends a crasher behind so many innocents, and others behind it, to a process of one worker or two
   lanes. Only the crasher may be found guilty. */
static void check_crasher_and_innocents(size_t workers, int innocents_before)
{
    struct world *world = world_new((struct world_options){.seed = 1,
                                                           .max_commands = 64,
                                                           .prefetch = (uint16_t)(100 / workers),
                                                           .one_process = workers > 1});
    const struct sent *innocents[INNOCENTS];
    generator_seed_data(world);
    assert_true(world_run_until_idle(world));
    memory_database_watch(world->database, "crasher");
    for (int i = 0; i < innocents_before; i++)
        innocents[i] = ask_innocent(world, i);
    const struct sent *crasher = world_ask(world, "blue", "crasher", CLAIM);
    for (int i = innocents_before; i < INNOCENTS; i++)
        innocents[i] = ask_innocent(world, i);
    int crashes = crash_at_watched_loads(world, workers);
    assert_in_range(crashes, 1 + ALONE, 1 + LOG2_OF_BATCH + 2 * ALONE + 1);
    for (int i = 0; i < INNOCENTS; i++) {
        assert_non_null(world_reply(world, innocents[i], 0));
        assert_null(world_dead_letter(world, innocents[i]));
    }
    /* It crashed its worker even at the load of its outcome, so nothing is loaded any more. */
    const struct memory_message *letter = world_dead_letter(world, crasher);
    assert_non_null(letter);
    struct field reason;
    assert_true(field_table_find(letter->raw_headers, "x-allot-reason", &reason));
    assert_true(text_is(reason.text, "attempts_exhausted"));
    assert_int_equal(consumer_generation(world), 0);
    world_free(world);
}

static void test_innocents_in_the_batch_of_a_crasher_are_answered(void **state)
{
    (void)state;
    check_crasher_and_innocents(1, INNOCENTS / 2);
}

/* All lanes die together, and each has a record. */
static void test_innocents_on_another_lane_than_the_crasher_are_answered(void **state)
{
    (void)state;
    check_crasher_and_innocents(2, 0);
}

static void test_two_lost_connections_make_no_suspect(void **state)
{
    enum { LOST_COMMANDS = 60 };
    (void)state;
    struct world *world =
        world_new((struct world_options){.seed = 1, .max_commands = 64, .prefetch = 100});
    for (int i = 0; i < LOST_COMMANDS; i++)
        (void)ask_innocent(world, i);
    for (int losses = 0; losses < 2; losses++) {
        while (memory_broker_unacked(world->broker) < LOST_COMMANDS)
            world_transport_step(world, 0);
        memory_transport_cut(world->workers[0].transport);
        world_transport_step(world, 0);
    }
    size_t commits = memory_database_counters(world->database).calls[MEMORY_COMMIT];
    assert_true(world_run_until_idle(world));
    struct memory_counters counters = memory_database_counters(world->database);
    /* One batch, or two if the second worker took some; to find, to record and to clear each. */
    assert_in_range(counters.calls[MEMORY_ATTEMPT], 3, 8);
    assert_in_range(counters.calls[MEMORY_COMMIT] - commits, 1, 3);
    assert_int_equal(memory_broker_count(world->broker, "allot.dead"), 0);
    world_free(world);
}

/* Four workers died alone with it, the last one although it would only have answered. */
static void test_a_message_that_kills_while_it_is_decoded_is_dead_lettered_undecoded(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    const struct sent *sent = world_ask(world, "blue", "deadly", CLAIM);
    struct attempt_key key = {text_of("blue"), text_of("deadly")};
    for (int deaths = 0; deaths <= WORLD_ATTEMPTS_MAX; deaths++) {
        struct store *store = memory_store_new(world->database);
        assert_int_equal(store->ops->record_attempts(store, &key, 1, 1, NULL), STORE_OK);
        store->ops->free(store);
    }
    while (memory_broker_unacked(world->broker) == 0)
        world_transport_step(world, 0);
    memory_transport_cut(world->workers[0].transport);
    assert_true(world_run_until_idle(world));
    const struct memory_message *letter = world_dead_letter(world, sent);
    assert_non_null(letter);
    assert_null(world_reply(world, sent, 0));
    struct field detail;
    assert_true(field_table_find(letter->raw_headers, "x-allot-detail", &detail));
    assert_true(text_starts_with(detail.text, "4 workers crashed while decoding"));
    assert_int_equal(consumer_generation(world), 0);
    world_free(world);
}

/* The worker does not crash, so it withdraws its attempt records. */
static void test_lost_connections_during_an_outage_are_not_attempts(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    const struct sent *sent = world_ask(world, "blue", "patient", CLAIM);
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_LOAD, .times = 1000000, .status = STORE_UNAVAILABLE});
    for (int losses = 0; losses < 10; losses++) {
        for (int step = 0; step < 30; step++) {
            world_transport_step(world, 0);
            world_apply_step(world, 0);
            fake_clock_advance(&world->clock, 1000);
        }
        memory_transport_cut(world->workers[0].transport);
    }
    memory_database_clear_faults(world->database);
    end_applied_once(world, sent);
}

/* A load that says so finds a collection without its sentinel: somebody has dropped it. */
static void test_a_worker_does_nothing_until_a_dropped_collection_is_repaired(void **state)
{
    enum { FAILED_REPAIRS = 3, STEPS_MAX = 1000 };
    (void)state;
    struct world *world = world_with(NULL);
    memory_database_fail(world->database,
                         (struct memory_fault){.call = MEMORY_LOAD, .status = STORE_MISCONFIGURED});
    memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_PREPARE,
                                                                .times = FAILED_REPAIRS,
                                                                .status = STORE_MISCONFIGURED});
    size_t repairs = calls(world, MEMORY_PREPARE), loads = calls(world, MEMORY_LOAD);
    const struct sent *sent = world_ask(world, "blue", "patient", CLAIM);
    for (int step = 0; calls(world, MEMORY_PREPARE) < repairs + FAILED_REPAIRS; step++) {
        assert_in_range(step, 0, STEPS_MAX);
        world_transport_step(world, 0);
        world_apply_step(world, 0);
        fake_clock_advance(&world->clock, 1000);
    }
    assert_int_equal(calls(world, MEMORY_LOAD), loads + 1);
    assert_null(world_reply(world, sent, 0));
    end_applied_once(world, sent);
}

/* --- deaths that are no attempts ------------------------------------------------------------ */

/* Lets the first worker live for a while, then crashes it; so many times. */
static void live_and_crash(struct world *world, int lives)
{
    for (int life = 0; life < lives; life++) {
        for (int steps = 0; steps < 60; steps++) {
            world_transport_step(world, 0);
            world_apply_step(world, 0);
            fake_clock_advance(&world->clock, 20);
        }
        world_crash(world, 0, MEMORY_LOST);
    }
}

enum { LIVES = 3 * WORLD_ATTEMPTS_MAX };

static void test_deaths_while_a_reply_waits_are_no_attempts(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    memory_broker_forbid_replies(world->broker, true);
    const struct sent *sent = world_ask(world, "blue", "claim", CLAIM);
    live_and_crash(world, LIVES);
    memory_broker_forbid_replies(world->broker, false);
    assert_true(world_run_until_idle(world));
    assert_null(world_dead_letter(world, sent));
    assert_non_null(world_reply(world, sent, 0));
    assert_int_equal(consumer_generation(world), 1);
    assert_auditor_accepts(world);
    world_free(world);
}

static void assert_reason(const struct world *world, const struct sent *sent, const char *reason)
{
    const struct memory_message *letter = world_dead_letter(world, sent);
    struct field field;
    assert_non_null(letter);
    assert_true(field_table_find(letter->raw_headers, "x-allot-reason", &field));
    assert_true(text_is(field.text, reason));
}

static void test_deaths_while_a_dead_letter_waits_do_not_change_its_reason(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    memory_broker_bind_dead(world->broker, false);
    const struct sent *sent = world_ask(world, "blue", "garbage", "no JSON");
    live_and_crash(world, LIVES);
    memory_broker_bind_dead(world->broker, true);
    assert_true(world_run_until_idle(world));
    assert_reason(world, sent, "malformed");
    world_free(world);
}

/* It was found to crash its workers, and stays it: it gets its reply, and no worker has to die of
   it again. */
static void test_deaths_after_attempts_exhausted_change_nothing(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    const struct sent *sent = world_ask(world, "blue", "crasher", CLAIM);
    for (int crashes = 0; crashes < 4; crashes++)
        assert_true(crash_at(world, MEMORY_LOAD));
    memory_broker_forbid_replies(world->broker, true);
    live_and_crash(world, LIVES);
    memory_broker_forbid_replies(world->broker, false);
    assert_true(world_run_until_idle(world));
    assert_reason(world, sent, "attempts_exhausted");
    const struct memory_message *reply = world_reply(world, sent, 0);
    assert_non_null(reply);
    assert_non_null(strstr(reply->body.bytes, "\"attempts_exhausted\""));
    assert_int_equal(consumer_generation(world), 0);
    world_free(world);
}

/* Steps the applier to this stage. */
static void apply_until(struct world *world, const char *stage)
{
    const struct applier *applier = world->workers[0].appliers[APPLY_WRITES].applier;
    for (int steps = 0; strcmp(applier_stage_name(applier), stage) != 0; steps++) {
        assert_true(steps < 100);
        world_apply_step_of(world, 0, APPLY_WRITES);
        fake_clock_advance(&world->clock, 50);
    }
}

static void receive_commands(struct world *world)
{
    do
        world_transport_step(world, 0);
    while (memory_broker_unacked(world->broker) == 0);
}

/* The connection is lost when the command has its record, and the command is redelivered before
   the applier has dropped it. */
static void test_an_earlier_delivery_does_not_withdraw_the_record(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    const struct sent *sent = world_ask(world, "blue", "crasher", CLAIM);
    assert_true(crash_at(world, MEMORY_LOAD)); /* the first delivery has no record */
    for (int crashes = 0; crashes < WORLD_ATTEMPTS_MAX; crashes++) {
        receive_commands(world);
        apply_until(world, "record_attempts");
        world_apply_step_of(world, 0, APPLY_WRITES);
        memory_transport_cut(world->workers[0].transport);
        receive_commands(world);
        apply_until(world, "record_attempts");
        world_apply_step_of(world, 0, APPLY_WRITES);
        world_transport_step(world, 0); /* takes the dropped job back */
        assert_true(crash_at(world, MEMORY_LOAD));
    }
    assert_true(world_run_until_idle(world));
    assert_reason(world, sent, "attempts_exhausted");
    assert_int_equal(consumer_generation(world), 0);
    world_free(world);
}

/* A suspect that is alone has no company in its transaction, though others wait. */
static void test_fresh_commands_do_not_join_a_command_with_a_record(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    (void)world_ask(world, "blue", "crasher", CLAIM);
    assert_true(crash_at(world, MEMORY_LOAD));
    receive_commands(world);
    apply_until(world, "record_attempts");
    for (int i = 0; i < 3; i++)
        (void)ask_innocent(world, i);
    for (int i = 0; i < 3; i++)
        world_transport_step(world, 0);
    uint64_t replies = memory_broker_count(world->broker, "replies");
    apply_until(world, "commit");
    world_apply_step_of(world, 0, APPLY_WRITES);
    apply_until(world, "begin");
    world_transport_step(world, 0);
    assert_int_equal(memory_broker_count(world->broker, "replies") - replies, 1);
    assert_true(world_run_until_idle(world));
    assert_auditor_accepts(world);
    world_free(world);
}

/* The record is there from before the decoding until after the commit, so a death after the commit
   looks like one of the decoding. */
static void test_a_recorded_outcome_is_replayed_after_many_deaths(void **state)
{
    (void)state;
    struct world *world = world_with(NULL);
    const struct sent *sent = world_ask(world, "blue", "claim", CLAIM);
    for (int deaths = 0; deaths <= 2 * WORLD_ATTEMPTS_MAX; deaths++)
        assert_true(crash_at(world, MEMORY_COMMIT));
    end_applied_once(world, sent);
}

static int64_t recorded_alone(struct world *world, const char *key)
{
    struct attempt_key of = {text_of("blue"), text_of(key)};
    struct attempt_history history = {0, 0};
    struct store *store = memory_store_new(world->database);
    memory_database_clear_faults(world->database);
    assert_int_equal(store->ops->find_attempts(store, &of, 1, &history, NULL), STORE_OK);
    store->ops->free(store);
    return history.alone;
}

/* The write of the record takes effect, but its answer is lost. */
static void test_a_record_without_an_answer_keeps_the_turn(void **state)
{
    (void)state;
    struct world *world = world_new((struct world_options){.seed = 1, .one_process = true});
    (void)world_ask(world, "blue", "alone", CLAIM);
    receive_commands(world);
    memory_transport_cut(world->workers[0].transport);
    world_transport_step(world, 0);
    receive_commands(world);
    apply_until(world, "record_attempts");
    memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_ATTEMPT,
                                                                .status = STORE_UNAVAILABLE,
                                                                .fate = MEMORY_APPLIED});
    world_apply_step_of(world, 0, APPLY_WRITES);
    assert_int_equal(recorded_alone(world, "alone"), 1);
    fake_clock_advance(&world->clock, 3000);
    world_apply_step_of(world, 0, APPLY_WRITES);
    assert_false(attempt_turn_begin(&world->turn, true));
    assert_true(world_run_until_idle(world));
    assert_true(attempt_turn_begin(&world->turn, true));
    attempt_turn_end(&world->turn, true);
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
        cmocka_unit_test(test_a_command_redelivered_after_a_crash_gets_the_same_bytes),
        cmocka_unit_test(test_one_key_in_two_workers_has_one_effect),
        cmocka_unit_test(test_a_command_that_crashes_workers_ends_as_attempts_exhausted),
        cmocka_unit_test(test_three_crashes_are_not_too_many),
        cmocka_unit_test(test_innocents_in_the_batch_of_a_crasher_are_answered),
        cmocka_unit_test(test_innocents_on_another_lane_than_the_crasher_are_answered),
        cmocka_unit_test(test_two_lost_connections_make_no_suspect),
        cmocka_unit_test(test_a_message_that_kills_while_it_is_decoded_is_dead_lettered_undecoded),
        cmocka_unit_test(test_lost_connections_during_an_outage_are_not_attempts),
        cmocka_unit_test(test_a_worker_does_nothing_until_a_dropped_collection_is_repaired),
        cmocka_unit_test(test_deaths_while_a_reply_waits_are_no_attempts),
        cmocka_unit_test(test_deaths_while_a_dead_letter_waits_do_not_change_its_reason),
        cmocka_unit_test(test_deaths_after_attempts_exhausted_change_nothing),
        cmocka_unit_test(test_an_earlier_delivery_does_not_withdraw_the_record),
        cmocka_unit_test(test_fresh_commands_do_not_join_a_command_with_a_record),
        cmocka_unit_test(test_a_recorded_outcome_is_replayed_after_many_deaths),
        cmocka_unit_test(test_a_record_without_an_answer_keeps_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
