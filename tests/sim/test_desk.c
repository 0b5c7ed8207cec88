/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of the messages of the desk queue, in the simulator: the worker's own dead letters
 * have a letter already, those of the broker get one, and no header makes a worker lose a message
 * or claim what is not so. The random simulation (test_sim.c) has expired commands too.
 *
 * Most tests end with the auditor, which checks that each message of the dead-letter exchange has
 * one letter and that the desk queue is empty.
 *
 * Not here: how the queue is declared and consumed (tests/contract/transport_desk.c).
 */
#include "tests/support/cmocka.h"

#include "common/codec/field_table.h"
#include "common/host/log.h"
#include "tests/support/auditor.h"
#include "worker/service/desk.h"

enum { LETTERS_MAX = 64, STEPS = 40 };

#define CLAIM                                                                                      \
    "{\"version\":1,\"command\":\"allocation.delete\",\"params\":{\"consumer_uuid\":"              \
    "\"00000000-0000-4000-9000-00000000dead\"}}"

/* The letters of the database; borrowed from it until it changes. */
struct letters {
    const struct letter_record *records[LETTERS_MAX];
    size_t count;
};

static void add_letter(void *context, const struct letter_record *record)
{
    struct letters *letters = context;
    assert_true(letters->count < LETTERS_MAX);
    letters->records[letters->count++] = record;
}

static struct letters letters_of(const struct world *world)
{
    struct letters letters = {.count = 0};
    memory_database_visit(world->database,
                          &(struct memory_visitor){.context = &letters, .letter = add_letter});
    return letters;
}

static const struct letter_record *only_letter(const struct world *world)
{
    struct letters letters = letters_of(world);
    assert_int_equal(letters.count, 1);
    return letters.records[0];
}

static void assert_text(struct text text, const char *expected)
{
    if (!text_is(text, expected))
        fail_msg("'%.*s' instead of '%s'", TEXT_ARGS(text), expected);
}

static void run(struct world *world)
{
    struct error error = {""};
    assert_true(world_run_until_idle(world));
    if (!auditor_check(world, &error))
        fail_msg("%s", error.text);
}

static struct world *new_world(void)
{
    return world_new((struct world_options){.seed = 7});
}

/* Publishes a message to the dead-letter exchange, past all workers. */
static void publish_dead(struct world *world, const char *body,
                         const struct outgoing_header *headers, size_t count)
{
    struct outgoing outgoing = {.exchange = text_of("allot.dead"),
                                .routing_key = text_of("allot.commands"),
                                .properties = {.message_id = text_of("key")},
                                .headers = headers,
                                .header_count = count,
                                .body = text_of(body)};
    assert_true(memory_broker_send(world->broker, &outgoing));
}

static struct outgoing_header text_header(const char *name, struct text text)
{
    return (struct outgoing_header){.name = name, .kind = OUTGOING_TEXT, .text = text};
}

/* --- whose dead letter it is ---------------------------------------------------------------- */

static void test_an_expired_command_gets_a_letter_of_the_broker(void **state)
{
    (void)state;
    struct world *world = new_world();
    (void)world_ask(world, "blue", "key", CLAIM);
    assert_true(memory_broker_dead_letter(world->broker, "expired"));
    run(world);
    const struct letter_record *record = only_letter(world);
    assert_int_equal(record->letter.source, LETTER_SOURCE_BROKER);
    assert_text(record->letter.reason, "expired");
    assert_text(record->letter.principal, "blue");
    assert_text(record->letter.key, "key");
    assert_text(record->letter.queue, "allot.commands");
    assert_text(record->letter.command, "allocation.delete");
    assert_int_equal(record->letter.consumer_count, 1);
    assert_int_equal(record->count, 1);
    assert_false(record->unpublished);
    assert_true(record->expires_at_ms > 0);
    assert_int_equal(memory_broker_count(world->broker, "allot.dead"), 1);
    world_free(world);
}

static void test_the_dead_letter_of_a_worker_makes_no_second_letter(void **state)
{
    (void)state;
    struct world *world = new_world();
    (void)world_send(world, &(struct sent){.principal = text_of("blue"),
                                           .key = text_of("key"),
                                           .body = text_of("no JSON")});
    run(world);
    const struct letter_record *record = only_letter(world);
    assert_int_equal(record->letter.source, LETTER_SOURCE_WORKER);
    assert_text(record->letter.reason, "malformed");
    assert_int_equal(record->count, 1);
    world_free(world);
}

/* The same command, dead-lettered first by a worker and then by the broker, has one letter. */
static void test_one_command_that_dies_twice_has_one_letter(void **state)
{
    (void)state;
    struct world *world = new_world();
    const struct sent garbage = {
        .principal = text_of("blue"), .key = text_of("key"), .body = text_of("no JSON")};
    (void)world_send(world, &garbage);
    run(world);
    (void)world_send(world, &garbage);
    assert_true(memory_broker_dead_letter(world->broker, "delivery_limit"));
    run(world);
    const struct letter_record *record = only_letter(world);
    assert_text(record->letter.reason, "delivery_limit");
    assert_int_equal(record->count, 2);
    assert_int_equal(record->history_count, 2);
    world_free(world);
}

static void test_a_dead_letter_of_a_version_without_letters_gets_one(void **state)
{
    (void)state;
    struct world *world = new_world();
    const struct outgoing_header headers[] = {
        text_header("x-allot-reason", text_of("malformed")),
        text_header("x-allot-detail", text_of("body is not JSON")),
        text_header("x-allot-principal", text_of("blue")),
        text_header("x-allot-queue", text_of("allot.commands"))};
    publish_dead(world, "no JSON", headers, 4);
    assert_true(world_run_until_idle(world));
    const struct letter_record *record = only_letter(world);
    assert_int_equal(record->letter.source, LETTER_SOURCE_WORKER);
    assert_text(record->letter.reason, "malformed");
    assert_text(record->letter.principal, "blue");
    assert_int_equal(memory_broker_count(world->broker, "allot.dead"), 1);
    world_free(world);
}

static void test_a_message_of_nobody_knows_whom_gets_a_letter(void **state)
{
    (void)state;
    struct world *world = new_world();
    publish_dead(world, "what is this", NULL, 0);
    assert_true(world_run_until_idle(world));
    assert_int_equal(only_letter(world)->letter.source, LETTER_SOURCE_BROKER);
    assert_text(only_letter(world)->letter.reason, "unknown");
    world_free(world);
}

/* --- forged headers ------------------------------------------------------------------------- */

/* Sends garbage, and returns the id of its letter. */
static struct text make_letter(struct world *world)
{
    (void)world_send(world, &(struct sent){.principal = text_of("red"),
                                           .key = text_of("other"),
                                           .body = text_of("no JSON")});
    run(world);
    return text_copy(world->arena, only_letter(world)->letter.id);
}

static size_t count_of_source(const struct world *world, enum letter_source source)
{
    struct letters letters = letters_of(world);
    size_t count = 0;
    for (size_t i = 0; i < letters.count; i++)
        count += letters.records[i]->letter.source == source;
    return count;
}

/* A producer writes the id of another letter, even with its body. The broker adds x-death. */
static void test_a_producer_cannot_hide_an_expired_command_behind_a_letter(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct outgoing_header headers[2] = {text_header("x-allot-letter", make_letter(world)),
                                         text_header("x-allot-principal", text_of("red"))};
    static const char *const bodies[] = {"another body", "no JSON"};
    for (size_t i = 0; i < 2; i++) {
        struct outgoing command = {
            .exchange = text_of("allot.commands"),
            .routing_key = text_of("allot.commands"),
            .properties = {.message_id = text_of("forged"), .user_id = text_of("blue")},
            .headers = headers,
            .header_count = 2,
            .body = text_of(bodies[i])};
        assert_true(memory_broker_send(world->broker, &command));
        assert_true(memory_broker_dead_letter(world->broker, "expired"));
    }
    run(world);
    assert_int_equal(count_of_source(world, LETTER_SOURCE_WORKER), 1);
    assert_int_equal(count_of_source(world, LETTER_SOURCE_BROKER), 2);
    world_free(world);
}

static void test_a_letter_of_another_body_and_one_that_is_missing_are_no_letters(void **state)
{
    (void)state;
    struct world *world = new_world();
    const struct text ids[] = {make_letter(world), text_of("0123456789abcdef0123456789abcdef"),
                               text_of("\xff\xff"), text_of("")};
    static const char *const bodies[] = {"first", "second", "third", "fourth"};
    for (size_t i = 0; i < 4; i++) {
        const struct outgoing_header header = text_header("x-allot-letter", ids[i]);
        publish_dead(world, bodies[i], &header, 1);
    }
    assert_true(world_run_until_idle(world));
    assert_int_equal(letters_of(world).count, 5);
    world_free(world);
}

/* --- crashes and redeliveries --------------------------------------------------------------- */

/* Crashes the worker after each number of its steps: the letter counts once, whenever it was. */
static void test_a_redelivered_message_of_the_desk_makes_no_second_letter(void **state)
{
    (void)state;
    for (size_t steps = 0; steps < STEPS; steps++) {
        struct world *world = new_world();
        (void)world_ask(world, "blue", "key", CLAIM);
        assert_true(memory_broker_dead_letter(world->broker, "expired"));
        for (size_t i = 0; i < steps; i++) {
            if (i % 4 == 0)
                world_transport_step(world, 0);
            else
                world_apply_step(world, 0);
        }
        world_crash(world, 0, MEMORY_LOST);
        run(world);
        assert_int_equal(only_letter(world)->count, 1);
        assert_int_equal(only_letter(world)->letter.source, LETTER_SOURCE_BROKER);
        world_free(world);
    }
}

static void test_an_unknown_commit_counts_a_letter_once(void **state)
{
    (void)state;
    static const enum memory_fate fates[] = {MEMORY_LOST, MEMORY_APPLIED};
    for (size_t i = 0; i < 2; i++) {
        struct world *world = new_world();
        (void)world_ask(world, "blue", "key", CLAIM);
        assert_true(memory_broker_dead_letter(world->broker, "expired"));
        memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_COMMIT,
                                                                    .status = STORE_UNKNOWN,
                                                                    .fate = fates[i]});
        run(world);
        assert_int_equal(only_letter(world)->count, 1);
        world_free(world);
    }
}

static void test_a_failed_look_keeps_the_message(void **state)
{
    (void)state;
    struct world *world = new_world();
    (void)world_ask(world, "blue", "key", CLAIM);
    assert_true(memory_broker_dead_letter(world->broker, "expired"));
    memory_database_fail(
        world->database,
        (struct memory_fault){.call = MEMORY_LETTER, .status = STORE_UNAVAILABLE, .times = 5});
    run(world);
    assert_int_equal(only_letter(world)->count, 1);
    world_free(world);
}

/* What the database refuses for good is in the dead-letter queue, and must not be stored or
 * published a second time. */
static void test_a_message_that_cannot_be_stored_is_acknowledged(void **state)
{
    (void)state;
    struct world *world = new_world();
    (void)world_ask(world, "blue", "key", CLAIM);
    assert_true(memory_broker_dead_letter(world->broker, "expired"));
    memory_database_fail(world->database, (struct memory_fault){.call = MEMORY_WRITE_LETTERS,
                                                                .status = STORE_REFUSED});
    assert_true(world_run_until_idle(world));
    assert_int_equal(letters_of(world).count, 0);
    assert_int_equal(memory_broker_count(world->broker, "allot.dead"), 1);
    world_free(world);
}

/* --- unreadable ----------------------------------------------------------------------------- */

static void submit_unreadable(struct world *world)
{
    world_submit(world, 0, job_of_unreadable(text_of("invalid AMQP data")));
    world->workers[0].epoch++; /* the connection is lost over it */
}

/* A call that marks it later could fail, and then a sweep would publish it. */
static void test_a_letter_of_the_broker_is_stored_as_published(void **state)
{
    enum { STEPS_MAX = 1000 };
    (void)state;
    struct world *world = new_world();
    (void)world_ask(world, "blue", "key", CLAIM);
    assert_true(memory_broker_dead_letter(world->broker, "expired"));
    for (size_t i = 0; i < STEPS_MAX && letters_of(world).count == 0; i++) {
        world_transport_step(world, 0);
        world_apply_step(world, 0);
        fake_clock_advance(&world->clock, 1);
    }
    assert_false(only_letter(world)->unpublished);
    world_free(world);
}

/* With small batches, each call about letters leaves some for the next. */
static void test_many_messages_of_the_desk_let_commands_have_their_turn(void **state)
{
    enum { DEAD = 60, TURNS = 60 };
    (void)state;
    struct world *world = world_new((struct world_options){.seed = 7, .max_commands = 1});
    for (size_t i = 0; i < DEAD; i++)
        publish_dead(world, text_format(world->arena, "{\"number\":%zu}", i).bytes, NULL, 0);
    world_transport_step(world, 0);
    const struct sent *read = world_ask(
        world, "red", "read",
        "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"red-1\"}}");
    for (size_t i = 0; i < TURNS; i++) {
        world_transport_step(world, 0);
        world_apply_step(world, 0);
    }
    assert_non_null(world_reply(world, read, 0));
    assert_true(letters_of(world).count < DEAD / 2);
    world_free(world);
}

static void test_an_unreadable_message_leaves_a_letter_that_says_so(void **state)
{
    (void)state;
    struct world *world = new_world();
    submit_unreadable(world);
    assert_true(world_run_until_idle(world));
    assert_int_equal(only_letter(world)->letter.source, LETTER_SOURCE_BROKER);
    assert_text(only_letter(world)->letter.reason, "unreadable");
    assert_text(only_letter(world)->letter.detail, "invalid AMQP data");
    assert_false(only_letter(world)->unpublished);
    submit_unreadable(world);
    assert_true(world_run_until_idle(world));
    assert_int_equal(only_letter(world)->count, 2); /* nothing tells them apart */
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_expired_command_gets_a_letter_of_the_broker),
        cmocka_unit_test(test_the_dead_letter_of_a_worker_makes_no_second_letter),
        cmocka_unit_test(test_one_command_that_dies_twice_has_one_letter),
        cmocka_unit_test(test_a_dead_letter_of_a_version_without_letters_gets_one),
        cmocka_unit_test(test_a_message_of_nobody_knows_whom_gets_a_letter),
        cmocka_unit_test(test_a_producer_cannot_hide_an_expired_command_behind_a_letter),
        cmocka_unit_test(test_a_letter_of_another_body_and_one_that_is_missing_are_no_letters),
        cmocka_unit_test(test_a_redelivered_message_of_the_desk_makes_no_second_letter),
        cmocka_unit_test(test_an_unknown_commit_counts_a_letter_once),
        cmocka_unit_test(test_a_failed_look_keeps_the_message),
        cmocka_unit_test(test_a_message_that_cannot_be_stored_is_acknowledged),
        cmocka_unit_test(test_a_letter_of_the_broker_is_stored_as_published),
        cmocka_unit_test(test_many_messages_of_the_desk_let_commands_have_their_turn),
        cmocka_unit_test(test_an_unreadable_message_leaves_a_letter_that_says_so),
    };
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "simulated");
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
