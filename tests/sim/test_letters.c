/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letters in the simulated world: a dead-lettered command is stored and acknowledged, whatever
 * becomes of its dead letter; and what is not published now, a sweep publishes later.
 *
 * Sections: storing; crashes and unknown commits; publishing; private data; bounds; principals
 * whose letters are not stored. Most tests end with the auditor, which checks that each
 * dead-lettered command has one letter and each letter a dead letter. The clock moves only in run()
 * and world_run_until_idle().
 *
 * Not here: what a store does with letters (tests/contract/test_store_letters.c).
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/codec/field_table.h"
#include "common/host/log.h"
#include "tests/support/auditor.h"

#define GARBAGE "no JSON"
/* Valid, but the principal may not do it. */
#define FORBIDDEN                                                                                  \
    "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"other-1\"}}"
#define READ "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"blue-1\"}}"

enum { PREFETCH = 40, WORKER = 0, LETTERS_MAX = 64 };

struct letters {
    struct letter_record records[LETTERS_MAX];
    size_t count;
};

static void note_letter(void *context, const struct letter_record *record)
{
    struct letters *letters = context;
    assert_true(letters->count < LETTERS_MAX);
    letters->records[letters->count++] = *record;
}

/* Valid until the next write to the database. */
static struct letters letters_of(const struct world *world)
{
    struct letters letters = {.count = 0};
    memory_database_visit(world->database,
                          &(struct memory_visitor){.context = &letters, .letter = note_letter});
    return letters;
}

static int setup(void **state)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "letters test");
    *state = world_new((struct world_options){.seed = 1, .max_commands = 8, .prefetch = PREFETCH});
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* Steps one worker for so long. */
static void run(struct world *world, size_t worker, int64_t ms)
{
    enum { STEP_MS = 20 };
    for (int64_t passed = 0; passed < ms; passed += STEP_MS) {
        world_transport_step(world, worker);
        world_apply_step(world, worker);
        world_apply_step(world, worker);
        fake_clock_advance(&world->clock, STEP_MS);
    }
}

static size_t dead_letters(const struct world *world)
{
    return memory_broker_count(world->broker, "allot.dead");
}

/* Sends garbage under different keys. */
static void send_garbage(struct world *world, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct text key = text_format(world->arena, "garbage-%zu", i);
        (void)world_ask(world, "blue", key.bytes, GARBAGE);
    }
}

static void assert_all_settled(const struct world *world)
{
    assert_int_equal(memory_broker_count(world->broker, "allot.commands"), 0);
    assert_int_equal(memory_broker_unacked(world->broker), 0);
}

static void assert_auditor_accepts(struct world *world)
{
    struct error error = {""};
    assert_true(world_run_until_idle(world));
    if (!auditor_check(world, &error))
        fail_msg("%s", error.text);
}

/* --- storing -------------------------------------------------------------------------------- */

static void test_garbage_is_acknowledged_without_its_dead_letter(void **state)
{
    struct world *world = *state;
    memory_broker_bind_dead(world->broker, false);
    send_garbage(world, 3 * PREFETCH / 2);
    const struct sent *victim = world_ask(world, "red", "read", READ);
    run(world, WORKER, 4000);
    assert_all_settled(world);
    assert_non_null(world_reply(world, victim, 0));
    assert_int_equal(letters_of(world).count, 3 * PREFETCH / 2);
    assert_int_equal(dead_letters(world), 0);
    memory_broker_bind_dead(world->broker, true);
    assert_auditor_accepts(world);
    assert_int_equal(dead_letters(world), 3 * PREFETCH / 2);
}

static void test_the_same_garbage_has_one_letter_that_counts(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < 20; i++)
        (void)world_ask(world, "blue", "same", GARBAGE);
    assert_auditor_accepts(world);
    struct letters letters = letters_of(world);
    assert_int_equal(letters.count, 1);
    assert_int_equal(letters.records[0].count, 20);
    assert_true(text_is(letters.records[0].letter.reason, "malformed"));
    assert_true(text_is(letters.records[0].letter.principal, "blue"));
}

/* `blue` may not use this reply_to, so its failure is certain to be dead-lettered. */
static const struct sent *send_forbidden(struct world *world)
{
    return world_send(world, &(struct sent){.principal = text_of("blue"),
                                            .key = text_of("forbidden"),
                                            .reply_to = text_of("nowhere"),
                                            .body = text_of(FORBIDDEN)});
}

static void test_a_reason_known_before_the_commit_is_stored_with_it(void **state)
{
    struct world *world = *state;
    (void)send_forbidden(world);
    assert_auditor_accepts(world);
    struct memory_counters counters = memory_database_counters(world->database);
    struct letters letters = letters_of(world);
    assert_int_equal(counters.calls[MEMORY_COMMIT], 1);
    assert_int_equal(letters.count, 1);
    assert_true(text_is(letters.records[0].letter.reason, "forbidden"));
    assert_true(text_is(letters.records[0].letter.command, "usage.get"));
    assert_true(text_is(letters.records[0].letter.project, "other-1"));
}

/* `admin` may use the queue, but it does not exist. */
static void test_an_unroutable_failure_is_stored_after_the_commit(void **state)
{
    struct world *world = *state;
    (void)world_send(world, &(struct sent){.principal = text_of("admin"),
                                           .key = text_of("unroutable"),
                                           .reply_to = text_of("nowhere"),
                                           .body = text_of("{\"version\":1}")});
    assert_auditor_accepts(world);
    assert_int_equal(letters_of(world).count, 1);
    assert_int_equal(dead_letters(world), 1);
}

static void test_a_database_that_is_away_keeps_garbage_in_the_queue(void **state)
{
    struct world *world = *state;
    memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_ANY_CALL,
                                                                .times = 1000000,
                                                                .status = STORE_UNAVAILABLE});
    send_garbage(world, 3);
    run(world, WORKER, 5000);
    assert_int_equal(memory_broker_unacked(world->broker), 3);
    assert_int_equal(dead_letters(world), 0);
    memory_database_clear_faults(world->database);
    assert_auditor_accepts(world);
    assert_int_equal(letters_of(world).count, 3);
}

static void test_a_letter_that_the_database_refuses_is_published_without(void **state)
{
    struct world *world = *state;
    memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_WRITE_LETTERS,
                                                                .times = 1000000,
                                                                .status = STORE_REFUSED});
    send_garbage(world, 3);
    const struct sent *forbidden = send_forbidden(world);
    assert_true(world_run_until_idle(world));
    struct field field;
    assert_int_equal(letters_of(world).count, 0);
    assert_int_equal(dead_letters(world), 4);
    const struct memory_message *dead = world_dead_letter(world, forbidden);
    assert_non_null(dead);
    assert_true(field_table_find(dead->raw_headers, "x-allot-reason", &field));
    assert_true(text_is(field.text, "forbidden"));
    assert_false(field_table_find(dead->raw_headers, "x-allot-letter", &field));
}

/* The old way: the delivery waits for the confirm of its dead letter. */
static void test_a_refused_letter_is_acknowledged_after_its_dead_letter(void **state)
{
    struct world *world = *state;
    memory_broker_bind_dead(world->broker, false);
    memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_WRITE_LETTERS,
                                                                .times = 1000000,
                                                                .status = STORE_REFUSED});
    send_garbage(world, 1);
    run(world, WORKER, 3000);
    assert_int_equal(memory_broker_unacked(world->broker), 1);
    memory_broker_bind_dead(world->broker, true);
    assert_true(world_run_until_idle(world));
    assert_int_equal(dead_letters(world), 1);
}

/* --- crashes and unknown commits ------------------------------------------------------------ */

/* Crashes the worker after so many of its steps, for all numbers of steps until it is done. */
static void test_a_crash_between_any_two_steps_makes_no_second_letter(void **state)
{
    (void)state;
    bool crashed_in_time = true;
    for (size_t steps = 1; crashed_in_time; steps++) {
        struct world *world =
            world_new((struct world_options){.seed = steps, .prefetch = PREFETCH});
        send_garbage(world, 2);
        (void)send_forbidden(world);
        for (size_t i = 0; i < steps; i++) {
            if (i % 2 == 0)
                world_transport_step(world, WORKER);
            else
                world_apply_step(world, WORKER);
            fake_clock_advance(&world->clock, 5);
        }
        crashed_in_time = dead_letters(world) < 3 || memory_broker_unacked(world->broker) > 0;
        world_crash(world, WORKER, steps % 3 == 0 ? MEMORY_LINGERS : MEMORY_LOST);
        memory_database_resolve_commit(world->database, steps % 2 == 0);
        assert_auditor_accepts(world);
        assert_int_equal(letters_of(world).count, 3);
        world_free(world);
    }
}

static void test_an_unknown_commit_makes_no_second_letter(void **state)
{
    struct world *world = *state;
    enum memory_fate fates[] = {MEMORY_LOST, MEMORY_APPLIED};
    for (size_t i = 0; i < 2; i++) {
        memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_COMMIT,
                                                                    .status = STORE_UNKNOWN,
                                                                    .fate = fates[i]});
        send_garbage(world, 2);
        assert_auditor_accepts(world);
        assert_int_equal(letters_of(world).count, 2);
    }
}

/* --- publishing ----------------------------------------------------------------------------- */

/* Stores letters and crashes the worker before it has published them. */
static void leave_unpublished(struct world *world, size_t count)
{
    memory_broker_bind_dead(world->broker, false);
    send_garbage(world, count);
    run(world, WORKER, 2000);
    world_crash(world, WORKER, MEMORY_LOST);
    memory_broker_bind_dead(world->broker, true);
    assert_int_equal(letters_of(world).count, count);
    assert_int_equal(dead_letters(world), 0);
}

static void test_a_sweep_publishes_what_a_dead_worker_has_left(void **state)
{
    struct world *world = *state;
    leave_unpublished(world, 20);
    run(world, WORKER, 20000);
    assert_int_equal(dead_letters(world), 0); /* another worker may be publishing them */
    assert_auditor_accepts(world);
    assert_int_equal(dead_letters(world), 20);
    struct field field;
    const struct memory_message *dead = memory_broker_message(world->broker, "allot.dead", 0);
    assert_true(field_table_find(dead->raw_headers, "x-allot-reason", &field));
    assert_true(text_is(field.text, "malformed"));
    assert_true(text_is(dead->body, GARBAGE));
}

static void test_two_sweeps_publish_each_letter_once(void **state)
{
    struct world *world = *state;
    leave_unpublished(world, 20);
    fake_clock_advance(&world->clock, LETTER_SWEEP_AFTER_MS);
    for (size_t i = 0; i < 1000; i++) {
        world_transport_step(world, i % WORLD_WORKERS);
        world_apply_step(world, i % WORLD_WORKERS);
        fake_clock_advance(&world->clock, 1);
    }
    assert_auditor_accepts(world);
    assert_int_equal(dead_letters(world), 20);
}

/* Nothing else is dead-lettered afterwards that would show that the broker takes dead letters. */
static void test_a_worker_sweeps_again_after_the_broker_refused_and_was_restarted(void **state)
{
    struct world *world = *state;
    memory_broker_bind_dead(world->broker, false);
    send_garbage(world, 20);
    run(world, WORKER, 2000);
    world->workers[WORKER].lost = true;
    run(world, WORKER, 100);
    memory_broker_bind_dead(world->broker, true);
    run(world, WORKER, 3 * LETTER_SWEEP_AFTER_MS);
    assert_int_equal(dead_letters(world), 20);
}

static void test_a_letter_that_closes_the_route_is_singled_out(void **state)
{
    struct world *world = *state;
    memory_broker_close_over(world->broker, "garbage-3");
    send_garbage(world, 8);
    run(world, WORKER, 8000);
    assert_all_settled(world);
    size_t published = dead_letters(world); /* some were on the route when it closed: twice */
    assert_true(published >= 7);
    struct letters letters = letters_of(world);
    for (size_t i = 0; i < letters.count; i++) {
        const struct letter_record *record = &letters.records[i];
        bool culprit = text_is(record->letter.key, "garbage-3");
        assert_int_equal(text_present(record->refused), culprit);
        assert_int_equal(record->state, LETTER_OPEN);
        assert_false(record->unpublished);
    }
    run(world, WORKER, 2 * LETTER_SWEEP_AFTER_MS);
    assert_int_equal(dead_letters(world), published);
}

static void test_a_producer_cannot_name_a_letter(void **state)
{
    struct world *world = *state;
    struct outgoing_header forged = {
        .name = "x-allot-letter", .kind = OUTGOING_TEXT, .text = text_of("forged")};
    struct outgoing outgoing = {.exchange = text_of("allot.commands"),
                                .routing_key = text_of("allot.commands"),
                                .properties = {.user_id = text_of("blue")},
                                .headers = &forged,
                                .header_count = 1,
                                .body = text_of(GARBAGE)};
    assert_true(memory_broker_send(world->broker, &outgoing));
    assert_true(world_run_until_idle(world));
    struct field field;
    const struct memory_message *dead = memory_broker_message(world->broker, "allot.dead", 0);
    assert_true(field_table_find(dead->raw_headers, "x-allot-letter", &field));
    assert_true(text_equal(field.text, letters_of(world).records[0].letter.id));
}

/* --- private data --------------------------------------------------------------------------- */

static void send_secret(struct world *world)
{
    struct outgoing_header secret = {
        .name = "token", .kind = OUTGOING_TEXT, .text = text_of("secret")};
    struct outgoing outgoing = {.exchange = text_of("allot.commands"),
                                .routing_key = text_of("allot.commands"),
                                .properties = {.user_id = text_of("blue")},
                                .headers = &secret,
                                .header_count = 1,
                                .body = text_of(GARBAGE)};
    assert_true(memory_broker_send(world->broker, &outgoing));
}

static struct world *private_world(void)
{
    return world_new((struct world_options){
        .seed = 3, .prefetch = PREFETCH, .redaction = {true, text_of("other, token")}});
}

static void assert_nothing_private(const struct letter *letter)
{
    struct field field;
    assert_false(text_present(letter->body));
    assert_true(letter->body_dropped);
    assert_int_equal(letter->body_size, strlen(GARBAGE));
    assert_true(field_table_find(letter->raw_headers, "token", &field));
    assert_int_equal(field.kind, FIELD_OTHER);
}

static void test_private_data_is_published_from_memory_but_not_stored(void **state)
{
    (void)state;
    struct world *world = private_world();
    struct field field;
    send_secret(world);
    assert_true(world_run_until_idle(world));
    assert_nothing_private(&letters_of(world).records[0].letter);
    const struct memory_message *dead = memory_broker_message(world->broker, "allot.dead", 0);
    assert_true(text_is(dead->body, GARBAGE));
    assert_true(field_table_find(dead->raw_headers, "token", &field));
    assert_true(text_is(field.text, "secret"));
    assert_false(field_table_find(dead->raw_headers, "x-allot-body-size", &field));
    world_free(world);
}

static void test_a_swept_letter_has_only_what_was_stored(void **state)
{
    (void)state;
    struct world *world = private_world();
    struct field field;
    memory_broker_bind_dead(world->broker, false);
    send_secret(world);
    run(world, WORKER, 2000);
    world_crash(world, WORKER, MEMORY_LOST);
    memory_broker_bind_dead(world->broker, true);
    run(world, WORKER, 2 * LETTER_SWEEP_AFTER_MS);
    const struct memory_message *dead = memory_broker_message(world->broker, "allot.dead", 0);
    assert_int_equal(dead->body.length, 0);
    assert_true(field_table_find(dead->raw_headers, "x-allot-body-size", &field));
    assert_int_equal(field.integer, strlen(GARBAGE));
    assert_true(field_table_find(dead->raw_headers, "token", &field));
    assert_int_equal(field.kind, FIELD_OTHER);
    world_free(world);
}

/* --- bounds --------------------------------------------------------------------------------- */

static size_t count_of(const struct letters *letters, const char *principal)
{
    size_t count = 0;
    for (size_t i = 0; i < letters->count; i++)
        count += text_is(letters->records[i].letter.principal, principal);
    return count;
}

static int64_t bytes_of(const struct letters *letters)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < letters->count; i++)
        bytes += letters->records[i].bytes;
    return bytes;
}

/* Both workers see that `blue` holds too much. */
static void test_a_flood_by_one_principal_deletes_only_its_letters(void **state)
{
    enum { SHARE = 10 * (LETTER_BYTES_REST + 300), FLOOD = 60, OTHERS = 4, MINUTE_MS = 60000 };
    (void)state;
    struct world *world = world_new((struct world_options){
        .seed = 7, .prefetch = PREFETCH, .letters_max_bytes = SHARE * LETTER_SHARES});
    for (size_t i = 0; i < OTHERS; i++)
        (void)world_ask(world, "red", i % 2 == 0 ? "even" : "odd",
                        i < 2 ? GARBAGE : "no JSON, too");
    run(world, WORKER, 2000);
    send_garbage(world, FLOOD);
    run(world, WORKER, 10000);
    assert_all_settled(world);
    assert_int_equal(letters_of(world).count, FLOOD + OTHERS);
    assert_int_equal(dead_letters(world), FLOOD + OTHERS);
    for (int64_t passed = 0; passed < MINUTE_MS; passed += 20) {
        for (size_t i = 0; i < WORLD_WORKERS; i++) {
            world_transport_step(world, i);
            world_apply_step(world, i);
        }
        fake_clock_advance(&world->clock, 20);
    }
    struct letters letters = letters_of(world);
    assert_int_equal(count_of(&letters, "red"), OTHERS);
    assert_in_range(count_of(&letters, "blue"), 9, 11);
    assert_true(bytes_of(&letters) <= 2 * SHARE);
    for (size_t i = 0; i < letters.count; i++)
        assert_int_equal(letters.records[i].letter.body_dropped,
                         text_is(letters.records[i].letter.principal, "blue"));
    world_free(world);
}

/* `kind` of the calls about letters fails for a minute, in which commands are answered. */
static void assert_commands_go_on_while_letters_fail(enum memory_call call, bool publishing)
{
    enum { MINUTE_MS = 60000, COMMANDS = 10, ANSWER_MS = 200 };
    struct world *world = world_new((struct world_options){.seed = 7, .prefetch = PREFETCH});
    memory_broker_bind_dead(world->broker, publishing);
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = call, .times = 1000000, .status = STORE_UNAVAILABLE});
    send_garbage(world, 3);
    for (size_t i = 0; i < COMMANDS; i++) {
        struct text key = text_format(world->arena, "read-%zu", i);
        const struct sent *read = world_ask(world, "red", key.bytes, READ);
        run(world, WORKER, ANSWER_MS);
        assert_non_null(world_reply(world, read, 0));
        run(world, WORKER, MINUTE_MS / COMMANDS);
    }
    memory_database_clear_faults(world->database);
    memory_broker_bind_dead(world->broker, true);
    assert_auditor_accepts(world);
    assert_int_equal(letters_of(world).count, 3);
    world_free(world);
}

static void test_a_call_about_letters_that_fails_lets_no_command_wait(void **state)
{
    (void)state;
    assert_commands_go_on_while_letters_fail(MEMORY_LETTER, true);
    assert_commands_go_on_while_letters_fail(MEMORY_LETTER, false);
}

/* Commands go on meanwhile. */
static void test_a_database_that_fails_while_letters_are_deleted_is_tried_again(void **state)
{
    enum { SHARE = 10 * (LETTER_BYTES_REST + 300) };
    (void)state;
    struct world *world = world_new((struct world_options){
        .seed = 7, .prefetch = PREFETCH, .letters_max_bytes = SHARE * LETTER_SHARES});
    send_garbage(world, 30);
    run(world, WORKER, 10000);
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_LETTER, .times = 40, .status = STORE_UNAVAILABLE});
    const struct sent *victim = world_ask(world, "red", "read", READ);
    run(world, WORKER, 60000);
    assert_non_null(world_reply(world, victim, 0));
    memory_database_clear_faults(world->database);
    run(world, WORKER, 60000);
    assert_true(letters_of(world).count < 15);
    world_free(world);
}

static void test_unpublished_letters_outlive_the_bound(void **state)
{
    (void)state;
    struct world *world = world_new((struct world_options){
        .seed = 7, .prefetch = PREFETCH, .letters_max_bytes = 4 * LETTER_BYTES_REST});
    leave_unpublished(world, 20);
    memory_broker_bind_dead(world->broker, false);
    run(world, WORKER, 120000);
    assert_int_equal(letters_of(world).count, 20);
    world_free(world);
}

/* --- principals whose unpublished letters fill their part --------------------------------------
 */

enum { FULL = 20, WITHOUT_LETTER = PREFETCH / 4, MEASURED_MS = 65000 };

/* Makes a world in which unpublished letters of `blue` fill its part, and no dead letter can be
   published. */
static struct world *new_full_world_with(uint16_t prefetch)
{
    struct world *world = world_new((struct world_options){
        .seed = 7, .prefetch = prefetch, .letters_max_bytes = LETTER_SHARES * LETTER_BYTES_REST});
    memory_broker_bind_dead(world->broker, false);
    send_garbage(world, FULL);
    run(world, WORKER, MEASURED_MS);
    assert_all_settled(world);
    assert_int_equal(letters_of(world).count, FULL);
    return world;
}

static struct world *new_full_world(void)
{
    return new_full_world_with(PREFETCH);
}

/* Sends garbage of `blue`; `ret_sent` are the messages. */
static void send_more(struct world *world, size_t count, const struct sent **ret_sent)
{
    for (size_t i = 0; i < count; i++) {
        struct text key = text_format(world->arena, "more-%zu", i);
        ret_sent[i] = world_ask(world, "blue", key.bytes, GARBAGE);
    }
}

/* Its commands need a multiple of the prefetch. The commands of others are behind them. */
static void test_a_full_principal_waits_for_the_broker_and_others_do_not(void **state)
{
    enum { MORE = 5 * PREFETCH };
    (void)state;
    struct world *world = new_full_world();
    const struct sent *more[MORE];
    send_more(world, MORE, more);
    const struct sent *read = world_ask(world, "red", "read", READ);
    (void)world_ask(world, "red", "garbage", GARBAGE);
    run(world, WORKER, 5000);
    struct letters letters = letters_of(world);
    assert_non_null(world_reply(world, read, 0));
    assert_int_equal(count_of(&letters, "red"), 1);
    assert_int_equal(count_of(&letters, "blue"), FULL);
    assert_int_equal(settler_without_letter(world->workers[WORKER].settler), WITHOUT_LETTER);
    assert_int_equal(memory_broker_unacked(world->broker), MORE);
    assert_int_equal(dead_letters(world), 0);
    memory_broker_bind_dead(world->broker, true);
    assert_true(world_run_until_idle(world));
    for (size_t i = 0; i < MORE; i++)
        assert_non_null(world_dead_letter(world, more[i]));
    assert_true(dead_letters(world) >= FULL + MORE + 1);
    world_free(world);
}

static void test_letters_of_a_full_principal_are_stored_again_once_some_are_published(void **state)
{
    (void)state;
    struct world *world = new_full_world();
    memory_broker_bind_dead(world->broker, true);
    run(world, WORKER, 2 * MEASURED_MS);
    memory_broker_bind_dead(world->broker, false);
    const struct sent *more[1];
    send_more(world, 1, more);
    run(world, WORKER, 2000);
    assert_all_settled(world);
    struct letters letters = letters_of(world);
    size_t unpublished = 0;
    for (size_t i = 0; i < letters.count; i++)
        unpublished += letters.records[i].unpublished;
    assert_int_equal(unpublished, 1);
    world_free(world);
}

/* Without a stored letter nobody may give up a dead letter. The others do not wait for it, even if
   there are more such ones than may wait in memory. */
static void test_dead_letters_that_the_broker_refuses_hold_no_others(void **state)
{
    enum { MORE = 2 * PREFETCH };
    static const char refused[] = "more-1";
    (void)state;
    size_t refused_count = 0;
    struct world *world = new_full_world();
    const struct sent *more[MORE];
    send_more(world, MORE, more);
    memory_broker_close_over(world->broker, refused);
    run(world, WORKER, 2000);
    memory_broker_bind_dead(world->broker, true);
    run(world, WORKER, 50000);
    for (size_t i = 0; i < MORE; i++) {
        bool is_refused = strncmp(more[i]->key.bytes, refused, sizeof refused - 1) == 0;
        refused_count += is_refused;
        assert_int_equal(world_dead_letter(world, more[i]) != NULL, !is_refused);
    }
    assert_true(refused_count > WITHOUT_LETTER);
    assert_int_equal(memory_broker_unacked(world->broker), refused_count);
    assert_true(settler_takes_letters(world->workers[WORKER].settler));
    world_free(world);
}

/* The smallest prefetch has no part that can be set aside. */
static void test_a_full_principal_stops_nobody_with_the_smallest_prefetch(void **state)
{
    enum { MORE = 20 };
    const struct sent *more[MORE];
    (void)state;
    for (uint16_t prefetch = 1; prefetch <= 4; prefetch++) {
        struct world *world = new_full_world_with(prefetch);
        send_more(world, MORE, more);
        const struct sent *read = world_ask(world, "red", "read", READ);
        run(world, WORKER, 10000);
        assert_non_null(world_reply(world, read, 0));
        world_free(world);
    }
}

/* The broker delivers them to the next connection. */
static void test_a_lost_connection_gives_held_commands_back(void **state)
{
    enum { MORE = 3 * PREFETCH };
    (void)state;
    struct world *world = new_full_world();
    const struct sent *more[MORE];
    send_more(world, MORE, more);
    run(world, WORKER, 2000);
    world->workers[WORKER].lost = true;
    run(world, WORKER, 2000);
    assert_int_equal(memory_broker_unacked(world->broker), MORE);
    memory_broker_bind_dead(world->broker, true);
    assert_true(world_run_until_idle(world));
    for (size_t i = 0; i < MORE; i++)
        assert_non_null(world_dead_letter(world, more[i]));
    world_free(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_garbage_is_acknowledged_without_its_dead_letter),
        TEST(test_the_same_garbage_has_one_letter_that_counts),
        TEST(test_a_reason_known_before_the_commit_is_stored_with_it),
        TEST(test_an_unroutable_failure_is_stored_after_the_commit),
        TEST(test_a_database_that_is_away_keeps_garbage_in_the_queue),
        TEST(test_a_letter_that_the_database_refuses_is_published_without),
        TEST(test_a_refused_letter_is_acknowledged_after_its_dead_letter),
        cmocka_unit_test(test_a_crash_between_any_two_steps_makes_no_second_letter),
        TEST(test_an_unknown_commit_makes_no_second_letter),
        TEST(test_a_sweep_publishes_what_a_dead_worker_has_left),
        TEST(test_two_sweeps_publish_each_letter_once),
        TEST(test_a_worker_sweeps_again_after_the_broker_refused_and_was_restarted),
        TEST(test_a_letter_that_closes_the_route_is_singled_out),
        TEST(test_a_producer_cannot_name_a_letter),
        cmocka_unit_test(test_private_data_is_published_from_memory_but_not_stored),
        cmocka_unit_test(test_a_swept_letter_has_only_what_was_stored),
        cmocka_unit_test(test_a_flood_by_one_principal_deletes_only_its_letters),
        cmocka_unit_test(test_a_call_about_letters_that_fails_lets_no_command_wait),
        cmocka_unit_test(test_a_database_that_fails_while_letters_are_deleted_is_tried_again),
        cmocka_unit_test(test_unpublished_letters_outlive_the_bound),
        cmocka_unit_test(test_a_full_principal_waits_for_the_broker_and_others_do_not),
        cmocka_unit_test(test_letters_of_a_full_principal_are_stored_again_once_some_are_published),
        cmocka_unit_test(test_dead_letters_that_the_broker_refuses_hold_no_others),
        cmocka_unit_test(test_a_full_principal_stops_nobody_with_the_smallest_prefetch),
        cmocka_unit_test(test_a_lost_connection_gives_held_commands_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
