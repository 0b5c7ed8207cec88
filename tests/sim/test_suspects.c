/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that the database does not execute, though it works for all others: their loads time
 * out, or fail without a cause, or a document is held by somebody's open transaction. Such a
 * command is answered with a failure after a bounded number of tries, or waits beside the others;
 * the others never wait for it. And the reverse: while the database does not work, no command is
 * ever answered with `internal`.
 *
 * The world is that of the simulator (tests/support/world.h). `culprit` is the consumer whose loads
 * fail. Each test drives worker 0 alone, unless it says otherwise.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/codec/field_table.h"
#include "common/host/log.h"
#include "tests/support/auditor.h"
#include "tests/support/world.h"

#define CULPRIT "dddddddd-0000-4000-8000-000000000001"
#define PROVIDER "aaaaaaaa-0000-4000-8000-000000000001"
#define OTHER_PROVIDER "aaaaaaaa-0000-4000-8000-000000000002"
#define THIRD_PROVIDER "aaaaaaaa-0000-4000-8000-000000000003"

enum { INNOCENTS = 30, ROUNDS = 400, ROUND_MS = 50, TRIES = 3 };

/* --- commands ------------------------------------------------------------------------------- */

static const struct sent *ask(struct world *world, const char *key, const char *format, ...)
{
    char body[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(body, sizeof body, format, arguments);
    va_end(arguments);
    return world_ask(world, "admin", key, body);
}

static const struct sent *ask_claim(struct world *world, const char *key, const char *consumer)
{
    return ask(world, key,
               "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":\"%s\","
               "\"project_id\":\"blue-1\",\"user_id\":\"u\",\"consumer_type\":\"INSTANCE\","
               "\"consumer_generation\":null,\"allocations\":{\"" PROVIDER
               "\":{\"resources\":{\"VCPU\":1}}}}}",
               consumer);
}

static const struct sent *ask_read(struct world *world, const char *key, const char *consumer)
{
    return ask(
        world, key,
        "{\"version\":1,\"command\":\"allocation.get\",\"params\":{\"consumer_uuid\":\"%s\"}}",
        consumer);
}

/* Asks for a claim of another consumer each time. */
static const struct sent *ask_innocent(struct world *world, int number)
{
    char key[32], consumer[40];
    (void)snprintf(key, sizeof key, "innocent-%d", number);
    (void)snprintf(consumer, sizeof consumer, "cccccccc-0000-4000-8000-%012d", number);
    return ask_claim(world, key, consumer);
}

static void add_provider(struct world *world, const char *uuid)
{
    char key[64];
    (void)snprintf(key, sizeof key, "create-%s", uuid);
    (void)ask(world, key,
              "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":\"%s\","
              "\"name\":\"%s\"}}",
              uuid, uuid);
    assert_true(world_run_until_idle(world));
    (void)snprintf(key, sizeof key, "inventory-%s", uuid);
    (void)ask(world, key,
              "{\"version\":1,\"command\":\"inventory.set\",\"params\":{\"uuid\":\"%s\","
              "\"resource_provider_generation\":0,\"inventories\":{\"VCPU\":{\"total\":1000,"
              "\"reserved\":0,\"min_unit\":1,\"max_unit\":1000,\"step_size\":1,"
              "\"allocation_ratio\":1.0}}}}",
              uuid);
    assert_true(world_run_until_idle(world));
}

static struct world *world_with_provider(void)
{
    struct world *world = world_new((struct world_options){.seed = 7});
    add_provider(world, PROVIDER);
    return world;
}

/* --- looking -------------------------------------------------------------------------------- */

static struct uuid uuid_of(const char *text)
{
    struct uuid id;
    assert_true(uuid_parse(text_of(text), &id));
    return id;
}

static void run_rounds(struct world *world, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        world_transport_step(world, 0);
        for (int i = 0; i < WORLD_APPLIERS; i++)
            world_apply_step(world, 0);
        fake_clock_advance(&world->clock, ROUND_MS);
    }
}

static bool is_answered(const struct world *world, const struct sent *sent, const char *what)
{
    const struct memory_message *reply = world_reply(world, sent, 0);
    return reply != NULL && strstr(reply->body.bytes, what) != NULL;
}

#define SUCCESS "\"success\""

static void assert_answer(const struct world *world, const struct sent *sent, const char *what)
{
    const struct memory_message *reply = world_reply(world, sent, 0);
    if (reply == NULL)
        fail_msg("no reply to %.*s", TEXT_ARGS(sent->key));
    if (strstr(reply->body.bytes, what) == NULL)
        fail_msg("%.*s: %.*s", TEXT_ARGS(sent->key), TEXT_ARGS(reply->body));
}

static void assert_auditor_accepts(const struct world *world)
{
    struct error error = {""};
    if (!auditor_check(world, &error))
        fail_msg("%s", error.text);
}

static size_t calls(const struct world *world, enum memory_call call)
{
    return memory_database_counters(world->database).calls[call];
}

/* Sends innocents around the culprit's command, and lets all of it end. */
struct crowd {
    const struct sent *innocents[INNOCENTS];
    const struct sent *culprit;
};

static struct crowd send_crowd(struct world *world,
                               const struct sent *(*ask_culprit)(struct world *, const char *,
                                                                 const char *))
{
    struct crowd crowd = {{NULL}, NULL};
    for (int i = 0; i < INNOCENTS; i++) {
        if (i == INNOCENTS / 2)
            crowd.culprit = ask_culprit(world, "culprit", CULPRIT);
        crowd.innocents[i] = ask_innocent(world, i);
    }
    return crowd;
}

static void assert_innocents_are_served(const struct world *world, const struct crowd *crowd)
{
    for (int i = 0; i < INNOCENTS; i++)
        assert_answer(world, crowd->innocents[i], SUCCESS);
}

/* --- a command that cannot be executed ------------------------------------------------------ */

static void check_write(enum store_status status)
{
    struct world *world = world_with_provider();
    memory_database_fail_load_of(world->database, uuid_of(CULPRIT), status);
    world->rejections++;
    struct crowd crowd = send_crowd(world, ask_claim);
    assert_true(world_run_until_idle(world));
    assert_innocents_are_served(world, &crowd);
    assert_answer(world, crowd.culprit, "\"internal\"");
    assert_answer(world, crowd.culprit, "memory: a document cannot be loaded");
    assert_non_null(world_dead_letter(world, crowd.culprit));
    assert_auditor_accepts(world);
    world_free(world);
}

static void test_a_write_whose_load_fails_for_ever_is_internal(void **state)
{
    (void)state;
    check_write(STORE_TIMED_OUT);
    check_write(STORE_UNEXPLAINED);
    check_write(STORE_EXPIRED);
    check_write(STORE_REFUSED);
}

static void test_a_read_that_is_too_slow_exceeds_the_limit(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    memory_database_fail_load_of(world->database, uuid_of(CULPRIT), STORE_TIMED_OUT);
    struct crowd crowd = send_crowd(world, ask_read);
    assert_true(world_run_until_idle(world));
    assert_innocents_are_served(world, &crowd);
    assert_answer(world, crowd.culprit, "\"limit_exceeded\"");
    assert_answer(world, crowd.culprit, "\"limit\":10000");
    assert_answer(world, crowd.culprit, "\"given\":");
    assert_null(world_dead_letter(world, crowd.culprit));
    world_free(world);
}

static void test_a_read_that_fails_for_ever_is_internal(void **state)
{
    static const enum store_status statuses[] = {STORE_UNEXPLAINED, STORE_REFUSED};
    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct world *world = world_with_provider();
        memory_database_fail_load_of(world->database, uuid_of(CULPRIT), statuses[i]);
        struct crowd crowd = send_crowd(world, ask_read);
        assert_true(world_run_until_idle(world));
        assert_innocents_are_served(world, &crowd);
        assert_answer(world, crowd.culprit, "\"internal\"");
        assert_non_null(world_dead_letter(world, crowd.culprit));
        world_free(world);
    }
}

/* The outcome is looked for, though the documents cannot be loaded. */
static void test_a_command_that_took_effect_is_replayed_though_it_cannot_be_loaded(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    const struct sent *first = ask_claim(world, "key", CULPRIT);
    assert_true(world_run_until_idle(world));
    assert_answer(world, first, SUCCESS);
    memory_database_fail_load_of(world->database, uuid_of(CULPRIT), STORE_TIMED_OUT);
    const struct sent *again = ask_claim(world, "key", CULPRIT);
    assert_true(world_run_until_idle(world));
    assert_answer(world, again, SUCCESS);
    world_free(world);
}

/* The load of this consumer alone exceeds the limit of a batch. */
static void test_a_command_whose_documents_are_too_large_exceeds_the_limit(void **state)
{
    (void)state;
    for (int read = 0; read < 2; read++) {
        struct world *world = world_with_provider();
        memory_database_fail_load_of(world->database, uuid_of(CULPRIT), STORE_TOO_LARGE);
        struct crowd crowd = send_crowd(world, read ? ask_read : ask_claim);
        assert_true(world_run_until_idle(world));
        assert_innocents_are_served(world, &crowd);
        assert_answer(world, crowd.culprit, "\"limit_exceeded\"");
        assert_answer(world, crowd.culprit, "\"limit\":104857600,\"given\":104857601");
        assert_null(world_dead_letter(world, crowd.culprit));
        assert_int_equal(calls(world, MEMORY_PROVE), 0); /* no evidence is needed */
        world_free(world);
    }
}

/* The load of a batch was cut to the command whose documents are too large for a batch. */
static void test_a_command_that_a_batch_was_cut_to_has_the_limit_of_one_alone(void **state)
{
    (void)state;
    struct world *world = world_new((struct world_options){.seed = 7, .max_documents = 6});
    add_provider(world, PROVIDER);
    add_provider(world, OTHER_PROVIDER);
    add_provider(world, THIRD_PROVIDER);
    (void)ask(world, "spread",
              "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":"
              "\"" CULPRIT "\",\"project_id\":\"blue-1\",\"user_id\":\"u\","
              "\"consumer_type\":\"INSTANCE\",\"consumer_generation\":null,\"allocations\":{"
              "\"" OTHER_PROVIDER "\":{\"resources\":{\"VCPU\":1}},"
              "\"" THIRD_PROVIDER "\":{\"resources\":{\"VCPU\":1}}}}}");
    assert_true(world_run_until_idle(world));
    const struct sent *culprit =
        ask(world, "culprit",
            "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"consumer_uuid\":"
            "\"" CULPRIT "\",\"project_id\":\"blue-1\",\"user_id\":\"u\","
            "\"consumer_type\":\"INSTANCE\",\"consumer_generation\":1,\"allocations\":{"
            "\"" PROVIDER "\":{\"resources\":{\"VCPU\":1}}}}}");
    const struct sent *innocent = ask_innocent(world, 1);
    size_t loads = calls(world, MEMORY_LOAD);
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_LOAD, .after = 1, .status = STORE_TOO_LARGE});
    assert_true(world_run_until_idle(world));
    assert_answer(world, culprit, SUCCESS);
    assert_answer(world, innocent, SUCCESS);
    assert_int_equal(calls(world, MEMORY_LOAD) - loads, 2 + 2 + 1);
    assert_auditor_accepts(world);
    world_free(world);
}

/* A batch of reads that fails is tried read by read. */
static void test_reads_in_the_batch_of_a_slow_one_are_answered(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    const struct sent *reads[INNOCENTS];
    memory_database_fail_load_of(world->database, uuid_of(CULPRIT), STORE_TIMED_OUT);
    for (int i = 0; i < INNOCENTS; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "read-%d", i);
        reads[i] = ask_read(world, key, i == 3 ? CULPRIT : "cccccccc-0000-4000-8000-000000000001");
    }
    assert_true(world_run_until_idle(world));
    for (int i = 0; i < INNOCENTS; i++)
        assert_answer(world, reads[i], i == 3 ? "\"limit_exceeded\"" : SUCCESS);
    world_free(world);
}

/* A redelivered command has attempt records while it is tried; none may be left. */
static void count_attempts(void *context, struct text principal, struct text key, int64_t count)
{
    (void)principal;
    (void)key;
    *(int64_t *)context += count;
}

static void test_a_redelivered_suspect_is_answered_and_leaves_no_record(void **state)
{
    (void)state;
    for (int read = 0; read < 2; read++) {
        int64_t records = 0;
        struct world *world = world_with_provider();
        memory_database_fail_load_of(world->database, uuid_of(CULPRIT), STORE_TIMED_OUT);
        struct crowd crowd = send_crowd(world, read ? ask_read : ask_claim);
        run_rounds(world, 2);
        memory_transport_cut(world->workers[0].transport);
        assert_true(world_run_until_idle(world));
        assert_innocents_are_served(world, &crowd);
        assert_answer(world, crowd.culprit, read ? "\"limit_exceeded\"" : "\"internal\"");
        memory_database_visit(
            world->database,
            &(struct memory_visitor){.context = &records, .attempts = count_attempts});
        assert_int_equal(records, 0);
        world_free(world);
    }
}

/* Takes commands from the broker, loses them, and takes them again. */
static void redeliver(struct world *world)
{
    world_transport_step(world, 0);
    memory_transport_cut(world->workers[0].transport);
    world_transport_step(world, 0);
    world_transport_step(world, 0);
}

/* The records cannot be written, although others can. */
static void test_a_command_whose_record_is_refused_goes_on_without_it(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    struct crowd crowd = send_crowd(world, ask_claim);
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_ATTEMPT, .status = STORE_REFUSED, .times = SIZE_MAX});
    redeliver(world);
    assert_true(world_run_until_idle(world));
    assert_innocents_are_served(world, &crowd);
    assert_answer(world, crowd.culprit, SUCCESS);
    assert_auditor_accepts(world);
    world_free(world);
}

/* One that was set aside, since it was slow. Each conflict sets it aside again. */
static void test_a_read_that_conflicts_waits_and_is_answered(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    memory_database_fail_load_of(world->database, uuid_of(CULPRIT), STORE_TIMED_OUT);
    const struct sent *read = ask_read(world, "read", CULPRIT);
    for (int step = 0; calls(world, MEMORY_PROVE) == 0; step++) {
        assert_true(step < ROUNDS);
        run_rounds(world, 1);
    }
    run_rounds(world, 1);
    memory_database_clear_faults(world->database);
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_LOAD, .status = STORE_CONFLICT, .times = SIZE_MAX});
    size_t loads = calls(world, MEMORY_LOAD);
    run_rounds(world, ROUNDS);
    assert_in_range(calls(world, MEMORY_LOAD) - loads, 2, ROUNDS / 4); /* it pauses in between */
    memory_database_clear_faults(world->database);
    assert_true(world_run_until_idle(world));
    assert_answer(world, read, SUCCESS);
    world_free(world);
}

/* --- a repair that fails --------------------------------------------------------------------- */

/* A part of the database was missing, and there was an outage in the repair. Meanwhile another
   thread may have repaired it. */
static void test_commands_do_not_wait_after_an_outage_in_a_repair(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    memory_database_fail(world->database,
                         (struct memory_fault){.call = MEMORY_LOAD, .status = STORE_MISCONFIGURED});
    memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_PREPARE,
                                                                .status = STORE_UNAVAILABLE});
    const struct sent *claim = ask_innocent(world, 1);
    run_rounds(world, 1000 / ROUND_MS);
    assert_answer(world, claim, SUCCESS);
    world_free(world);
}

/* An operator is needed. The log names what is missing each time, so the tries are rare. */
static void test_a_repair_that_is_not_allowed_is_tried_again_until_it_succeeds(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    size_t before = calls(world, MEMORY_PREPARE);
    memory_database_fail(world->database,
                         (struct memory_fault){.call = MEMORY_LOAD, .status = STORE_MISCONFIGURED});
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_PREPARE, .times = 3, .status = STORE_MISCONFIGURED});
    const struct sent *claim = ask_innocent(world, 1);
    run_rounds(world, 10000 / ROUND_MS);
    assert_null(world_reply(world, claim, 0));
    assert_true(world_run_until_idle(world));
    assert_answer(world, claim, SUCCESS);
    assert_int_equal(calls(world, MEMORY_PREPARE) - before, 3 + 1);
    world_free(world);
}

/* --- the others do not wait ----------------------------------------------------------------- */

/* The document is held for as long as the test lasts. */
static void test_a_held_document_keeps_only_its_own_commands_waiting(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    struct store *holder = memory_store_new(world->database);
    struct arena *arena = arena_new(0);
    struct snapshot *snapshot = snapshot_new(arena);
    snapshot_want_consumer(snapshot, uuid_of(CULPRIT));
    snapshot_seal(snapshot);
    assert_int_equal(holder->ops->begin(holder, NULL), STORE_OK);
    assert_int_equal(holder->ops->load(holder, snapshot, NULL), STORE_OK);
    snapshot->consumers[0].state.dirty = true; /* insert and delete */
    assert_int_equal(holder->ops->write(holder, snapshot, NULL), STORE_OK);

    struct crowd crowd = send_crowd(world, ask_claim);
    run_rounds(world, ROUNDS);
    assert_innocents_are_served(world, &crowd);
    assert_null(world_reply(world, crowd.culprit, 0));
    const struct sent *late = ask_innocent(world, INNOCENTS);
    run_rounds(world, 5); /* nobody waits for the culprit's next try */
    assert_answer(world, late, SUCCESS);

    holder->ops->end(holder);
    assert_true(world_run_until_idle(world));
    assert_answer(world, crowd.culprit, SUCCESS);
    assert_auditor_accepts(world);
    holder->ops->free(holder);
    arena_free(arena);
    world_free(world);
}

/* While a suspect is tried, fresh commands of others are answered in a few steps. */
static void test_fresh_commands_do_not_wait_for_a_suspect(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    memory_database_fail_load_of(world->database, uuid_of(CULPRIT), STORE_TIMED_OUT);
    const struct sent *culprit = ask_claim(world, "culprit", CULPRIT);
    for (int i = 0; i < INNOCENTS && world_reply(world, culprit, 0) == NULL; i++) {
        const struct sent *innocent = ask_innocent(world, i);
        run_rounds(world, 4);
        assert_true(is_answered(world, innocent, SUCCESS) || i == 0);
    }
    assert_answer(world, culprit, "\"internal\"");
    world_free(world);
}

/* Only the thread of writes goes on. */
static void run_writes(struct world *world)
{
    for (int step = 0; step < ROUNDS; step++) {
        world_transport_step(world, 0);
        world_apply_step_of(world, 0, APPLY_WRITES);
        fake_clock_advance(&world->clock, ROUND_MS);
    }
}

/* A read that is on its way for long has an attempt record if it was redelivered. That is no reason
   for other redelivered commands to wait. */
static void test_redelivered_commands_do_not_wait_for_a_redelivered_read(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    const struct sent *read = ask_read(world, "read", CULPRIT);
    redeliver(world);
    run_writes(world);
    size_t loads = calls(world, MEMORY_LOAD);
    for (int step = 0; calls(world, MEMORY_LOAD) == loads; step++) {
        assert_true(step < ROUNDS);
        world_transport_step(world, 0);
        world_apply_step_of(world, 0, APPLY_READS); /* also ends the delivery that was lost */
        fake_clock_advance(&world->clock, ROUND_MS);
    }
    const struct sent *claim = ask_claim(world, "claim", CULPRIT);
    redeliver(world);
    run_writes(world);
    assert_answer(world, claim, SUCCESS);
    assert_true(world_run_until_idle(world));
    assert_answer(world, read, SUCCESS);
    assert_auditor_accepts(world);
    world_free(world);
}

/* It would be alone if it could, so that a crash is charged to it. */
static void test_a_lone_redelivered_command_does_not_wait_for_other_groups(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    const struct sent *claim = ask_claim(world, "claim", CULPRIT);
    assert_true(attempt_turn_begin(&world->workers[0].turn, false));
    redeliver(world);
    run_writes(world);
    assert_answer(world, claim, SUCCESS);
    assert_auditor_accepts(world);
    world_free(world);
}

/* A flood of one principal fills the prefetch; another one's command is in the next batch. */
static void test_a_flood_delays_others_by_one_batch(void **state)
{
    enum { FLOOD = 200 };
    (void)state;
    struct world *world = world_new((struct world_options){.seed = 7, .prefetch = FLOOD + 10});
    for (int i = 0; i < FLOOD; i++)
        (void)ask_innocent(world,
                           i); /* admin's; each is refused, which costs a batch all the same */
    const struct sent *other = world_ask(
        world, "blue", "other",
        "{\"version\":1,\"command\":\"allocation.delete\",\"params\":{\"consumer_uuid\":\"" CULPRIT
        "\",\"consumer_generation\":1}}");
    while (memory_broker_count(world->broker, "allot.commands") > 0)
        world_transport_step(world, 0);
    size_t commits = calls(world, MEMORY_COMMIT);
    while (world_reply(world, other, 0) == NULL)
        run_rounds(world, 1);
    assert_in_range(calls(world, MEMORY_COMMIT) - commits, 1, 3);
    assert_true(world_run_until_idle(world));
    world_free(world);
}

/* --- the database is the cause -------------------------------------------------------------- */

static void test_a_database_that_does_not_work_makes_nothing_internal(void **state)
{
    static const enum memory_call calls_that_fail[] = {MEMORY_LOAD, MEMORY_WRITE, MEMORY_COMMIT};
    static const enum store_status statuses[] = {STORE_TIMED_OUT, STORE_UNEXPLAINED};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct world *world = world_with_provider();
        enum memory_call call = calls_that_fail[i % 3];
        struct memory_fault fault = {.call = call, .times = SIZE_MAX, .status = statuses[i / 3]};
        if (call == MEMORY_COMMIT)
            fault.status = STORE_UNKNOWN;
        memory_database_fail(world->database,
                             (struct memory_fault){.call = MEMORY_LOAD, .status = STORE_TIMED_OUT});
        memory_database_fail(world->database, fault);
        memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_PROVE,
                                                                    .times = SIZE_MAX,
                                                                    .status = STORE_UNAVAILABLE});
        struct crowd crowd = send_crowd(world, i % 2 ? ask_claim : ask_read);
        run_rounds(world, ROUNDS);
        assert_null(world_reply(world, crowd.culprit, 0));
        memory_database_clear_faults(world->database);
        assert_true(world_run_until_idle(world));
        assert_innocents_are_served(world, &crowd);
        assert_answer(world, crowd.culprit, SUCCESS);
        assert_int_equal(memory_broker_count(world->broker, "allot.dead"), 0);
        assert_auditor_accepts(world);
        world_free(world);
    }
}

/* The primary changes between the proof before a try and the one after it. */
static void test_failures_around_an_election_are_not_charged(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    memory_database_fail_load_of(world->database, uuid_of(CULPRIT), STORE_TIMED_OUT);
    const struct sent *culprit = ask_claim(world, "culprit", CULPRIT);
    size_t proofs = calls(world, MEMORY_PROVE);
    for (int round = 0; round < ROUNDS; round++) {
        run_rounds(world, 1);
        if (calls(world, MEMORY_PROVE) > proofs)
            memory_database_elect(world->database);
        proofs = calls(world, MEMORY_PROVE);
    }
    assert_true(proofs > TRIES + 1);
    assert_null(world_reply(world, culprit, 0));
    assert_true(world_run_until_idle(world));
    assert_answer(world, culprit, "\"internal\"");
    world_free(world);
}

/* Failures that pass are no evidence. */
static void test_a_command_that_fails_twice_alone_succeeds(void **state)
{
    (void)state;
    struct world *world = world_with_provider();
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_LOAD, .times = TRIES, .status = STORE_TIMED_OUT});
    const struct sent *sent = ask_claim(world, "culprit", CULPRIT);
    assert_true(world_run_until_idle(world));
    assert_answer(world, sent, SUCCESS);
    world_free(world);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_write_whose_load_fails_for_ever_is_internal),
    cmocka_unit_test(test_a_read_that_is_too_slow_exceeds_the_limit),
    cmocka_unit_test(test_a_read_that_fails_for_ever_is_internal),
    cmocka_unit_test(test_a_command_that_took_effect_is_replayed_though_it_cannot_be_loaded),
    cmocka_unit_test(test_a_command_whose_documents_are_too_large_exceeds_the_limit),
    cmocka_unit_test(test_a_command_that_a_batch_was_cut_to_has_the_limit_of_one_alone),
    cmocka_unit_test(test_reads_in_the_batch_of_a_slow_one_are_answered),
    cmocka_unit_test(test_a_redelivered_suspect_is_answered_and_leaves_no_record),
    cmocka_unit_test(test_a_command_whose_record_is_refused_goes_on_without_it),
    cmocka_unit_test(test_a_read_that_conflicts_waits_and_is_answered),
    cmocka_unit_test(test_a_held_document_keeps_only_its_own_commands_waiting),
    cmocka_unit_test(test_fresh_commands_do_not_wait_for_a_suspect),
    cmocka_unit_test(test_commands_do_not_wait_after_an_outage_in_a_repair),
    cmocka_unit_test(test_a_repair_that_is_not_allowed_is_tried_again_until_it_succeeds),
    cmocka_unit_test(test_redelivered_commands_do_not_wait_for_a_redelivered_read),
    cmocka_unit_test(test_a_lone_redelivered_command_does_not_wait_for_other_groups),
    cmocka_unit_test(test_a_flood_delays_others_by_one_batch),
    cmocka_unit_test(test_a_database_that_does_not_work_makes_nothing_internal),
    cmocka_unit_test(test_failures_around_an_election_are_not_charged),
    cmocka_unit_test(test_a_command_that_fails_twice_alone_succeeds),
};

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "simulated");
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
