/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message properties of a command, in the order of their table in docs/protocol.md, and those
 * of its reply and its dead letter.
 *
 * Each test publishes one command with send, runs the world until it is idle, and looks at the only
 * message in the queue `replies` or `allot.dead` (only, reply_to). The whole worker runs, with a
 * broker and a database in memory (tests/support/world.h).
 *
 * tests/style/contract_rows.d/properties names a test of this file for each row of that table.
 * Values of the body are not tested here, but in the *.table files.
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "allot/limits.h"
#include "common/codec/field_table.h"
#include "common/host/log.h"
#include "tests/support/world.h"

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define READ                                                                                       \
    "{\"version\":1,\"command\":\"provider.get\",\"params\":"                                      \
    "{\"uuid\":\"00000000-0000-4000-8000-000000000001\"}}"
#define CREATE                                                                                     \
    "{\"version\":1,\"command\":\"provider.create\",\"params\":"                                   \
    "{\"uuid\":\"00000000-0000-4000-8000-000000000001\",\"name\":\"n\"}}"

static int setup(void **state)
{
    *state = world_new((struct world_options){.seed = 1});
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* Makes a command with the usual properties; a test changes some of them. */
static struct outgoing command_of(const char *key, const char *body)
{
    return (struct outgoing){
        .exchange = text_of("allot.commands"),
        .routing_key = text_of("allot.commands"),
        .properties = {.message_id = text_of(key),
                       .user_id = text_of("admin"),
                       .reply_to = text_of("replies")},
        .body = text_of(body),
    };
}

static void send(struct world *world, const struct outgoing *command)
{
    assert_true(memory_broker_send(world->broker, command));
    assert_true(world_run_until_idle(world));
}

/* Returns the only message of the queue. Borrowed. */
static const struct memory_message *only(struct world *world, const char *queue)
{
    assert_int_equal(memory_broker_count(world->broker, queue), 1);
    return memory_broker_message(world->broker, queue, 0);
}

/* Sends the command; returns its reply, and checks that it is not dead-lettered. Borrowed. */
static const struct memory_message *reply_to(struct world *world, const struct outgoing *command)
{
    send(world, command);
    assert_int_equal(memory_broker_count(world->broker, "allot.dead"), 0);
    return only(world, "replies");
}

static void drop(struct world *world, const char *queue)
{
    assert_true(memory_broker_drop_first(world->broker, queue));
}

static void assert_text(struct text text, const char *expected)
{
    if (!text_present(text) || !text_is(text, expected))
        fail_msg("found '%.*s', expected '%s'", TEXT_ARGS(text), expected);
}

static void assert_contains(struct text body, const char *part)
{
    if (memmem(body.bytes, body.length, part, strlen(part)) == NULL)
        fail_msg("no '%s' in '%.*s'", part, TEXT_ARGS(body));
}

static struct field header_of(const struct memory_message *message, const char *name)
{
    struct field field;
    if (!field_table_find(message->raw_headers, name, &field))
        fail_msg("no header %s", name);
    return field;
}

static bool has_header(const struct memory_message *message, const char *name)
{
    struct field field;
    return field_table_find(message->raw_headers, name, &field);
}

static void test_a_reply_has_the_correlation_id_of_its_command(void **state)
{
    struct outgoing command = command_of("k", READ);
    command.properties.correlation_id = text_of("mine");
    const struct memory_message *reply = reply_to(*state, &command);
    assert_text(reply->properties.correlation_id, "mine");
    assert_contains(reply->body, "\"message_id\":\"k\"");
}

static void test_without_a_correlation_id_the_message_id_is_echoed(void **state)
{
    struct outgoing command = command_of("the-key", READ);
    assert_text(reply_to(*state, &command)->properties.correlation_id, "the-key");
}

static void test_without_a_message_id_only_a_given_correlation_id_is_echoed(void **state)
{
    struct outgoing command = command_of("", READ);
    command.properties.message_id = TEXT_NONE;
    send(*state, &command);
    const struct memory_message *reply = only(*state, "replies");
    assert_contains(reply->body, "\"missing_message_id\"");
    assert_contains(reply->body, "\"message_id\":null");
    assert_false(text_present(reply->properties.correlation_id));
    assert_true(reply->properties.message_id.length > 0);
    drop(*state, "replies");

    command.properties.correlation_id = text_of("mine");
    send(*state, &command);
    assert_text(only(*state, "replies")->properties.correlation_id, "mine");
}

static void test_a_reply_says_what_it_is_and_whether_it_is_a_replay(void **state)
{
    struct outgoing command = command_of("k", CREATE);
    const struct memory_message *reply = reply_to(*state, &command);
    assert_text(reply->properties.content_type, "application/json");
    assert_text(reply->properties.type, "allot.reply");
    assert_int_equal(header_of(reply, "x-allot-replayed").kind, FIELD_BOOLEAN);
    assert_false(header_of(reply, "x-allot-replayed").integer);
    struct arena *arena = arena_new(0);
    struct text body = text_copy(arena, reply->body);
    struct text id = text_copy(arena, reply->properties.message_id);
    drop(*state, "replies");

    reply = reply_to(*state, &command);
    assert_true(header_of(reply, "x-allot-replayed").integer);
    assert_true(text_equal(reply->body, body));
    assert_true(text_equal(reply->properties.message_id, id));
    arena_free(arena);
}

static void test_a_user_id_that_is_absent_or_unknown_is_dead_lettered_only(void **state)
{
    const struct text users[] = {TEXT_NONE, text_of("stranger")};
    for (size_t i = 0; i < 2; i++) {
        struct outgoing command = command_of("k", READ);
        command.properties.user_id = users[i];
        send(*state, &command);
        assert_int_equal(memory_broker_count(((struct world *)*state)->broker, "replies"), 0);
        assert_text(header_of(only(*state, "allot.dead"), "x-allot-reason").text,
                    "unauthenticated");
        drop(*state, "allot.dead");
    }
}

static void test_a_reply_to_that_is_not_allowed_receives_nothing(void **state)
{
    struct world *world = *state;
    memory_broker_declare(world->broker, "theirs");
    struct outgoing command = command_of("k", READ);
    command.properties.reply_to = text_of("theirs");
    send(world, &command);
    assert_int_equal(memory_broker_count(world->broker, "theirs"), 0);
    assert_text(header_of(only(world, "allot.dead"), "x-allot-reason").text, "forbidden");
}

static void test_a_command_without_reply_to_takes_effect_without_a_reply(void **state)
{
    struct world *world = *state;
    struct outgoing command = command_of("k", CREATE);
    command.properties.reply_to = TEXT_NONE;
    send(world, &command);
    assert_int_equal(memory_broker_count(world->broker, "replies"), 0);
    assert_int_equal(memory_broker_count(world->broker, "allot.dead"), 0);
    command = command_of("read", READ);
    assert_contains(reply_to(world, &command)->body, "\"success\"");
}

static void test_a_content_type_other_than_json_is_malformed(void **state)
{
    struct outgoing command = command_of("k", READ);
    command.properties.content_type = text_of("text/plain");
    send(*state, &command);
    assert_contains(only(*state, "replies")->body, "\"malformed\"");
    const struct memory_message *letter = only(*state, "allot.dead");
    assert_text(header_of(letter, "x-allot-reason").text, "malformed");
    assert_text(letter->properties.content_type, "text/plain");
    assert_text(letter->body, READ);
}

static void test_a_deadline_that_has_passed_is_exceeded(void **state)
{
    struct world *world = *state;
    struct outgoing_header deadline = {
        .name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = 1};
    struct outgoing command = command_of("k", READ);
    command.headers = &deadline;
    command.header_count = 1;
    assert_contains(reply_to(world, &command)->body,
                    "\"deadline_exceeded\",\"message\":\"deadline 1 (ms since the epoch) has "
                    "passed\",\"retryable\":false,\"details\":{\"deadline\":1}");
}

static void test_a_deadline_of_another_type_is_invalid(void **state)
{
    struct outgoing_header deadline = {
        .name = "x-allot-deadline", .kind = OUTGOING_TEXT, .text = text_of("1")};
    struct outgoing command = command_of("k", READ);
    command.headers = &deadline;
    command.header_count = 1;
    assert_contains(reply_to(*state, &command)->body, "\"pointer\":\"/headers/x-allot-deadline\"");
}

static void test_a_traceparent_is_echoed_on_reply_and_dead_letter(void **state)
{
    struct outgoing_header trace = {
        .name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of(TRACE)};
    struct outgoing command = command_of("k", "no json");
    command.headers = &trace;
    command.header_count = 1;
    send(*state, &command);
    assert_text(header_of(only(*state, "replies"), "traceparent").text, TRACE);
    assert_text(header_of(only(*state, "allot.dead"), "traceparent").text, TRACE);
}

static void test_a_malformed_traceparent_is_ignored(void **state)
{
    struct outgoing_header trace = {
        .name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of("00-nothing")};
    struct outgoing command = command_of("k", READ);
    command.headers = &trace;
    command.header_count = 1;
    assert_false(has_header(reply_to(*state, &command), "traceparent"));
}

static void test_a_dead_letter_is_the_original_without_user_id_and_expiration(void **state)
{
    /* The worker overwrites the first; a reader of the letter would trust the next ones. */
    const struct outgoing_header forged[] = {
        {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of("none")},
        {.name = "x-allot-body-size", .kind = OUTGOING_INTEGER, .integer = 1},
        {.name = "x-allot-body-sha256", .kind = OUTGOING_TEXT, .text = text_of("none")},
        {.name = "x-allot-later", .kind = OUTGOING_TEXT, .text = text_of("none")},
        {.name = "x-death", .kind = OUTGOING_TEXT, .text = text_of("none")},
        {.name = "x-first-death-reason", .kind = OUTGOING_TEXT, .text = text_of("none")},
        {.name = "x-last-death-queue", .kind = OUTGOING_TEXT, .text = text_of("none")},
        {.name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = INT64_MAX},
        {.name = "x-own", .kind = OUTGOING_TEXT, .text = text_of("kept")}};
    struct outgoing command = command_of("k", "no json");
    command.properties.expiration = text_of("60000");
    command.properties.correlation_id = text_of("mine");
    command.properties.app_id = text_of("app");
    command.properties.cluster_id = text_of("cluster");
    command.headers = forged;
    command.header_count = sizeof forged / sizeof forged[0];
    send(*state, &command);
    const struct memory_message *letter = only(*state, "allot.dead");
    assert_text(letter->body, "no json");
    assert_text(letter->properties.message_id, "k");
    assert_text(letter->properties.correlation_id, "mine");
    assert_text(letter->properties.reply_to, "replies");
    assert_text(letter->properties.app_id, "app");
    assert_text(letter->properties.cluster_id, "cluster");
    for (size_t i = 1; i <= 6; i++)
        assert_false(has_header(letter, forged[i].name));
    assert_true(has_header(letter, "x-allot-deadline"));
    assert_text(header_of(letter, "x-own").text, "kept");
    assert_false(text_present(letter->properties.user_id));
    assert_false(text_present(letter->properties.expiration));
    assert_text(header_of(letter, "x-allot-reason").text, "malformed");
    assert_text(header_of(letter, "x-allot-principal").text, "admin");
    assert_text(header_of(letter, "x-allot-queue").text, "allot.commands");
    assert_true(header_of(letter, "x-allot-detail").text.length > 0);
    assert_true(has_header(letter, "x-allot-worker"));
    assert_int_equal(header_of(letter, "x-allot-dead-at").kind, FIELD_INTEGER);
}

static void test_the_dead_letter_of_a_body_that_is_too_large_has_its_beginning(void **state)
{
    static char body[BODY_BYTES_MAX + 2];
    memset(body, ' ', sizeof body - 1);
    struct outgoing command = command_of("k", body);
    send(*state, &command);
    const struct memory_message *letter = only(*state, "allot.dead");
    assert_text(header_of(letter, "x-allot-reason").text, "too_large");
    assert_int_equal(letter->body.length, BODY_KEPT_BYTES);
    assert_int_equal(header_of(letter, "x-allot-body-size").integer, BODY_BYTES_MAX + 1);
    /* printf '%1048577s' | sha256sum */
    assert_text(header_of(letter, "x-allot-body-sha256").text,
                "9d78de4e5b12fc166bed811cd230621ea1e1e353553fe31b92a73bfbf45d68ee");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "simulated");
    const struct CMUnitTest tests[] = {
        TEST(test_a_reply_has_the_correlation_id_of_its_command),
        TEST(test_without_a_correlation_id_the_message_id_is_echoed),
        TEST(test_without_a_message_id_only_a_given_correlation_id_is_echoed),
        TEST(test_a_reply_says_what_it_is_and_whether_it_is_a_replay),
        TEST(test_a_user_id_that_is_absent_or_unknown_is_dead_lettered_only),
        TEST(test_a_reply_to_that_is_not_allowed_receives_nothing),
        TEST(test_a_command_without_reply_to_takes_effect_without_a_reply),
        TEST(test_a_content_type_other_than_json_is_malformed),
        TEST(test_a_deadline_that_has_passed_is_exceeded),
        TEST(test_a_deadline_of_another_type_is_invalid),
        TEST(test_a_traceparent_is_echoed_on_reply_and_dead_letter),
        TEST(test_a_malformed_traceparent_is_ignored),
        TEST(test_the_dead_letter_of_a_body_that_is_too_large_has_its_beginning),
        TEST(test_a_dead_letter_is_the_original_without_user_id_and_expiration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
