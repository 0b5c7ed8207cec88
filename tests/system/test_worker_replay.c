/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what `allotctl letter replay` and `letter edit` publish. No worker runs: the commands stay
 * in their queue, and the test takes them out as the worker's user. So each property and each
 * header is compared with that of the original.
 *
 * Not here: what becomes of the letters (test_worker_replay_life.c), and runs that are interrupted
 * (test_worker_replay_run.c).
 */
#include "tests/system/worker_replay.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec/field_table.h"
#include "tests/system/worker_database.h"

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define CREATE(number)                                                                             \
    "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":"                         \
    "\"00000000-0000-4000-8000-00000000000" number "\",\"name\":\"host-" number "\"}}"

enum { DEADLINE_MS = 424242 };

/* Stores a letter whose message had everything that a message can have. Returns its id. */
static const char *store_full_letter(struct arena *arena, const char *principal, const char *key,
                                     const char *body)
{
    const struct outgoing_header headers[] = {
        {.name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = DEADLINE_MS},
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of(TRACE)},
        {.name = "x-of-the-producer", .kind = OUTGOING_TEXT, .text = text_of("x")},
        {.name = "CC", .kind = OUTGOING_TEXT, .text = text_of("allot.dead")}};
    struct letter letter = letter_of(arena, principal, key, body);
    struct properties *properties = &letter.properties;
    letter.traceparent = text_of(TRACE);
    letter.raw_headers = field_table_merge(arena, TEXT_NONE, headers, 4);
    properties->content_type = text_of("application/json");
    properties->correlation_id = text_of("correlation \xc3\xa9");
    properties->reply_to = text_of("conductor.replies");
    properties->expiration = text_of("60000");
    properties->type = text_of("type");
    properties->app_id = text_of("app");
    properties->has_priority = true;
    properties->priority = 3;
    store_letters(&letter, 1);
    return letter.id.bytes;
}

/* Takes the only command out of the queue. The caller frees its arena. */
static struct client_message take_command(void)
{
    struct error error = {""};
    struct client_message message = {0}, second = {0};
    struct client *client = open_worker_client();
    assert_int_equal(client_get(client, "allot.commands", &message, &error), CLIENT_MESSAGE);
    assert_true(client_ack(client, message.tag, &error));
    assert_int_equal(client_get(client, "allot.commands", &second, &error), CLIENT_NOTHING);
    client_close(client);
    return message;
}

static void expect_no_command(void)
{
    struct error error = {""};
    struct client_message message = {0};
    struct client *client = open_worker_client();
    assert_int_equal(client_get(client, "allot.commands", &message, &error), CLIENT_NOTHING);
    client_close(client);
}

static void expect_text(struct text text, const char *expected)
{
    if (text_present(text) != (expected != NULL) || (expected != NULL && !text_is(text, expected)))
        fail_msg("'%.*s' is not '%s'", TEXT_ARGS(text), expected != NULL ? expected : "absent");
}

static bool has_header(const struct client_message *message, const char *name,
                       struct field *ret_field)
{
    struct field_cursor cursor = field_table_begin(message->raw_headers);
    while (field_table_next(&cursor, ret_field)) {
        if (text_is(ret_field->name, name))
            return true;
    }
    return false;
}

static struct client_message replayed(const char *id, const char *options)
{
    const char *output =
        run_operator(1, "letter replay %s --yes --timeout 1ms --json %s 2>/dev/null", id, options);
    json_t *end = last_object(output);
    expect_number(end, "sent", 1);
    expect_number(end, "waiting", 1);
    json_decref(end);
    return take_command();
}

static void test_a_replay_is_the_original_without_what_has_passed(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct field field;
    use_policy(policy_open);
    const char *id = store_full_letter(arena, "team-blue", "key-1", CREATE("1"));
    struct client_message message = replayed(id, "");
    expect_text(message.body, CREATE("1"));
    expect_text(message.properties.message_id, "key-1");
    expect_text(message.properties.user_id, "team-blue");
    expect_text(message.properties.correlation_id, "correlation \xc3\xa9");
    expect_text(message.properties.content_type, "application/json");
    assert_true(has_header(&message, "traceparent", &field));
    expect_text(message.properties.reply_to, NULL);
    expect_text(message.properties.expiration, NULL);
    expect_text(message.properties.type, NULL);
    expect_text(message.properties.app_id, NULL);
    assert_false(message.properties.has_priority);
    assert_false(has_header(&message, "x-allot-deadline", &field));
    assert_false(has_header(&message, "x-of-the-producer", &field));
    assert_false(has_header(&message, "CC", &field));
    expect_state(id, "replayed");
    expect_history(id, "forbidden replayed");
    expect_no_dead_letter();
    arena_free(message.arena);
    arena_free(arena);
}

static void test_each_keep_option_keeps_one_thing(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct field field;
    use_policy(policy_open);
    const char *id = store_full_letter(arena, "conductor", "key-1", CREATE("1"));
    struct client_message message = replayed(id, "--keep-deadline");
    assert_true(has_header(&message, "x-allot-deadline", &field));
    expect_text(message.properties.reply_to, NULL);
    arena_free(message.arena);
    (void)run_reader(0, "letter reopen %s --yes", id);
    message = replayed(id, "--keep-expiration");
    expect_text(message.properties.expiration, "60000");
    expect_text(message.properties.reply_to, NULL);
    arena_free(message.arena);
    (void)run_reader(0, "letter reopen %s --yes", id);
    message = replayed(id, "--keep-reply-to");
    expect_text(message.properties.reply_to, "conductor.replies");
    expect_text(message.properties.expiration, NULL);
    assert_false(has_header(&message, "x-allot-deadline", &field));
    arena_free(message.arena);
    expect_history(id, "forbidden replayed reopened replayed reopened replayed");
    arena_free(arena);
}

/* The user conductor may publish as himself, but not as others. The run has letters of both, so it
   must not begin. */
static void test_without_the_tag_nothing_is_sent_and_the_error_explains_it(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    const char *own = store_full_letter(arena, "conductor", "key-1", CREATE("1"));
    const char *other = store_full_letter(arena, "team-blue", "key-2", CREATE("2"));
    const char *output = run_reader(
        1, "letter replay --all --yes --timeout 1ms --uri \"$ALLOT_AMQP_URI_CONDUCTOR\"");
    expect_output(output, "the broker's user 'conductor' may not publish as others");
    expect_output(output, "set_user_tags conductor impersonator");
    expect_output(output, "team-blue");
    expect_output(output, "--continue");
    expect_no_command();
    expect_state(own, "open");
    expect_state(other, "open");
    expect_history(other, "forbidden");
    assert_int_equal(count_letters("{\"replay.phase\": \"selected\"}"), 2);
    /* A letter of his own principal he may replay. */
    output = run_reader(
        1, "letter replay %s --yes --timeout 1ms --uri \"$ALLOT_AMQP_URI_CONDUCTOR\"", own);
    expect_output(output, "1 of 1 sent");
    struct client_message message = take_command();
    expect_text(message.properties.user_id, "conductor");
    arena_free(message.arena);
    arena_free(arena);
}

/* Where user_id is not trusted, nobody needs the tag, and nobody is named. */
static void test_without_trust_in_user_id_no_tag_is_needed(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    set_worker("ALLOT_SECURITY_TRUST_USER_ID", "false");
    set_worker("ALLOT_SECURITY_DEFAULT_PRINCIPAL", "team-blue");
    const char *id = store_full_letter(arena, "team-blue", "key-1", CREATE("1"));
    (void)run_reader(1, "letter replay %s --yes --timeout 1ms --uri \"$ALLOT_AMQP_URI_CONDUCTOR\"",
                     id);
    struct client_message message = take_command();
    expect_text(message.properties.user_id, "conductor"); /* which no worker looks at */
    arena_free(message.arena);
    const char *edited = store_full_letter(arena, "team-blue", "key-2", CREATE("2"));
    const char *path = write_body(CREATE("3"));
    (void)run_reader(0, "letter edit %s --yes --body %s --uri \"$ALLOT_AMQP_URI_CONDUCTOR\"",
                     edited, path);
    message = take_command();
    assert_true(contains(message.body, "host-3"));
    arena_free(message.arena);
    arena_free(arena);
}

static void test_what_cannot_be_sent_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    struct letter letters[] = {
        letter_of(arena, "conductor", "read",
                  "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"p\"}}"),
        letter_of(arena, "conductor", "truncated", CREATE("1")),
        letter_of(arena, "conductor", "bodiless", CREATE("2")),
        letter_of(arena, "conductor", "anonymous", CREATE("3")),
        letter_of(arena, "conductor", "keyless", CREATE("4")),
    };
    enum { READ, TRUNCATED, BODILESS, ANONYMOUS, KEYLESS, COUNT };
    letters[TRUNCATED].body_size++;
    letters[BODILESS].body = TEXT_NONE;
    letters[BODILESS].body_dropped = true;
    letters[ANONYMOUS].principal = TEXT_NONE;
    letters[KEYLESS].key = TEXT_NONE;
    store_letters(letters, COUNT);
    const char *const reasons[] = {"is a read", "only the first part of the body", "has no body",
                                   "no user_id", "no valid message_id"};
    for (size_t i = 0; i < COUNT; i++) {
        const char *output = run_operator(0, "letter replay %.*s --yes", TEXT_ARGS(letters[i].id));
        expect_output(output, "1 not replayable");
        expect_output(output, "there is nothing to send");
        expect_output(run_operator(0, "letter replay %.*s --dry-run", TEXT_ARGS(letters[i].id)),
                      reasons[i]);
    }
    expect_no_command();
    assert_int_equal(count_letters("{\"replay\": {\"$exists\": true}}"), 0);
    arena_free(arena);
}

static void test_arguments_that_select_nothing_or_contradict_are_usage_errors(void **state)
{
    (void)state;
    expect_output(run_operator(2, "letter replay"), "which letters?");
    expect_output(run_operator(2, "letter replay 12345678 --all"), "either ids");
    expect_output(run_operator(2, "letter replay --continue run-1 --all"), "--continue");
    (void)run_operator(2, "letter replay --all --rate 0");
    (void)run_operator(2, "letter replay --all --stop-at-failures 0");
    use_policy(policy_open);
    store_letters(NULL, 0);
    expect_output(run_operator(1, "letter replay 12345678 --yes"), "no letter has an id");
    expect_output(run_operator(1, "letter replay --continue run-1"),
                  "no letter belongs to the run");
    expect_output(run_operator(0, "letter replay --all --yes"), "there is nothing to send");
}

static void test_without_a_terminal_and_yes_nothing_is_sent(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    const char *id = store_full_letter(arena, "conductor", "key-1", CREATE("1"));
    const char *output = run_operator(1, "letter replay --all </dev/null");
    expect_output(output, "1 letter: 1 would succeed");
    expect_output(output, "give --yes");
    expect_no_command();
    expect_history(id, "forbidden");
    assert_int_equal(count_letters("{\"replay\": {\"$exists\": true}}"), 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_replay_is_the_original_without_what_has_passed),
        WORKER_TEST(test_each_keep_option_keeps_one_thing),
        WORKER_TEST(test_without_the_tag_nothing_is_sent_and_the_error_explains_it),
        WORKER_TEST(test_without_trust_in_user_id_no_tag_is_needed),
        WORKER_TEST(test_what_cannot_be_sent_is_refused_with_the_reason),
        WORKER_TEST(test_arguments_that_select_nothing_or_contradict_are_usage_errors),
        WORKER_TEST(test_without_a_terminal_and_yes_nothing_is_sent),
    };
    return cmocka_run_group_tests_name("worker: what a replay sends", tests, NULL, NULL) != 0;
}
