/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests which letters can be replayed, under which key, and what is sent.
 *
 * full_record makes a letter that can be replayed, of a message that has all properties; each test
 * changes one thing of it. All letters were dead-lettered at DEAD_AT_MS.
 *
 * Sections: obstacles; the key; the message.
 *
 * Not here: what the worker would answer to the message (test_dry_run.c).
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "allot/limits.h"
#include "common/codec/field_table.h"
#include "ctl/desk/replay_message.h"

#define BODY "{\"version\":1,\"command\":\"allocation.delete\",\"params\":{}}"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

enum { DEAD_AT_MS = 1000000, RETENTION_MS = 5000, DEADLINE_MS = 424242 };

static const struct replay_options plain = {0};

static int setup(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static struct settings settings_with(bool trust_user_id)
{
    return (struct settings){.amqp_exchange = text_of("the exchange"),
                             .amqp_queue = text_of("the queue"),
                             .idempotency_retention_ms = RETENTION_MS,
                             .security_trust_user_id = trust_user_id};
}

static struct text original_headers(struct arena *arena)
{
    const struct outgoing_header headers[] = {
        {.name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = DEADLINE_MS},
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of(TRACE)},
        {.name = "of-the-producer", .kind = OUTGOING_TEXT, .text = text_of("x")}};
    return field_table_merge(arena, TEXT_NONE, headers, 3);
}

/* A letter that can be replayed, of a message with all properties. */
static struct letter_record full_record(struct arena *arena)
{
    return (struct letter_record){
        .letter = {.id = text_of("0123456789abcdef0123456789abcdef"),
                   .principal = text_of("blue"),
                   .key = text_of("key-1"),
                   .command = text_of("allocation.delete"),
                   .traceparent = text_of(TRACE),
                   .properties = {.content_type = text_of("application/json"),
                                  .content_encoding = text_of("utf-8"),
                                  .correlation_id = text_of("correlation"),
                                  .reply_to = text_of("replies"),
                                  .expiration = text_of("60000"),
                                  .message_id = text_of("key-1"),
                                  .type = text_of("type"),
                                  .user_id = text_of("blue"),
                                  .app_id = text_of("app"),
                                  .has_priority = true,
                                  .priority = 3},
                   .raw_headers = original_headers(arena),
                   .body = text_of(BODY),
                   .body_size = sizeof BODY - 1,
                   .body_sha256 = text_of(SHA256)},
        .state = LETTER_OPEN,
        .last_at_ms = DEAD_AT_MS,
    };
}

/* --- obstacles ------------------------------------------------------------------------------ */

static void assert_obstacle(const struct letter_record *record, enum replay_obstacle expected)
{
    struct settings settings = settings_with(true);
    enum replay_obstacle found = replay_obstacle(record, &plain, &settings, DEAD_AT_MS + 1);
    if (found != expected)
        fail_msg("'%s' is not '%s'", replay_obstacle_text(found), replay_obstacle_text(expected));
}

static void test_an_open_letter_with_its_message_can_be_replayed(void **state)
{
    struct letter_record record = full_record(*state);
    assert_obstacle(&record, REPLAY_OBSTACLE_NONE);
}

static void test_a_closed_letter_is_not_replayed(void **state)
{
    struct letter_record record = full_record(*state);
    record.state = LETTER_RESOLVED;
    assert_obstacle(&record, REPLAY_OBSTACLE_CLOSED);
    record.state = LETTER_DISCARDED;
    assert_obstacle(&record, REPLAY_OBSTACLE_CLOSED);
}

static void test_a_letter_that_was_sent_is_not_sent_again(void **state)
{
    struct letter_record record = full_record(*state);
    record.state = LETTER_REPLAYED;
    record.replay.phase = LETTER_PHASE_SENT;
    assert_obstacle(&record, REPLAY_OBSTACLE_PENDING);
    record.replay.phase = LETTER_PHASE_NONE;
    assert_obstacle(&record, REPLAY_OBSTACLE_PENDING);
    record.state = LETTER_OPEN;
    record.replay.phase = LETTER_PHASE_SENT;
    assert_obstacle(&record, REPLAY_OBSTACLE_NONE);
}

static void test_a_letter_whose_sending_was_interrupted_belongs_to_its_run(void **state)
{
    struct letter_record record = full_record(*state);
    record.state = LETTER_REPLAYED;
    record.replay.phase = LETTER_PHASE_SENDING;
    assert_obstacle(&record, REPLAY_OBSTACLE_INTERRUPTED);
    record.edited_to = text_of("0123456789abcdef0123456789abcdee");
    assert_obstacle(&record, REPLAY_OBSTACLE_PENDING);
}

static void test_a_read_is_not_replayed(void **state)
{
    struct letter_record record = full_record(*state);
    record.letter.command = text_of("usage.get");
    assert_obstacle(&record, REPLAY_OBSTACLE_READ);
    record.letter.command = text_of("no command");
    assert_obstacle(&record, REPLAY_OBSTACLE_NONE);
}

static void test_a_body_must_be_there_and_whole(void **state)
{
    struct letter_record record = full_record(*state);
    record.letter.body_size++;
    assert_obstacle(&record, REPLAY_OBSTACLE_TRUNCATED);
    record.letter.body = TEXT_NONE;
    record.letter.body_dropped = true;
    assert_obstacle(&record, REPLAY_OBSTACLE_NO_BODY);
}

static void test_an_empty_body_is_whole(void **state)
{
    struct letter_record record = full_record(*state);
    record.letter.body = TEXT_NONE;
    record.letter.body_size = 0;
    assert_obstacle(&record, REPLAY_OBSTACLE_NONE);
}

static void test_the_letter_of_an_unreadable_message_has_no_message(void **state)
{
    struct letter_record record = full_record(*state);
    record.letter.body_sha256 = TEXT_NONE;
    assert_obstacle(&record, REPLAY_OBSTACLE_NO_MESSAGE);
}

static void test_a_principal_is_needed_where_user_id_is_trusted(void **state)
{
    struct letter_record record = full_record(*state);
    struct settings untrusting = settings_with(false);
    record.letter.principal = TEXT_NONE;
    assert_obstacle(&record, REPLAY_OBSTACLE_NO_PRINCIPAL);
    assert_int_equal(replay_obstacle(&record, &plain, &untrusting, DEAD_AT_MS),
                     REPLAY_OBSTACLE_NONE);
}

static void test_every_obstacle_but_none_has_a_text(void **state)
{
    (void)state;
    assert_string_equal(replay_obstacle_text(REPLAY_OBSTACLE_NONE), "");
#define X(id, text)                                                                                \
    if (REPLAY_OBSTACLE_##id != REPLAY_OBSTACLE_NONE)                                              \
        assert_true(replay_obstacle_text(REPLAY_OBSTACLE_##id)[0] != '\0');
    REPLAY_OBSTACLES(X)
#undef X
}

/* --- the key -------------------------------------------------------------------------------- */

static void assert_key(const struct letter_record *record, int64_t now_ms, const char *expected,
                       enum replay_obstacle without)
{
    struct settings settings = settings_with(true);
    const struct replay_options new_key = {.new_key = true};
    struct text key = replay_key(record, &settings, now_ms);
    assert_int_equal(text_present(key), expected != NULL);
    assert_true(text_equal(key, text_of(expected)));
    assert_int_equal(replay_obstacle(record, &plain, &settings, now_ms), without);
    assert_int_equal(replay_obstacle(record, &new_key, &settings, now_ms), REPLAY_OBSTACLE_NONE);
}

static void test_a_key_expires_after_the_retention(void **state)
{
    struct letter_record record = full_record(*state);
    assert_key(&record, DEAD_AT_MS + RETENTION_MS - 1, "key-1", REPLAY_OBSTACLE_NONE);
    assert_key(&record, DEAD_AT_MS + RETENTION_MS, NULL, REPLAY_OBSTACLE_KEY_EXPIRED);
}

static void test_the_new_key_has_a_time_of_its_own(void **state)
{
    struct letter_record record = full_record(*state);
    record.new_key = text_of("new-1");
    record.new_key_at_ms = DEAD_AT_MS + 4000;
    assert_key(&record, DEAD_AT_MS + 4000 + RETENTION_MS - 1, "new-1", REPLAY_OBSTACLE_NONE);
    assert_key(&record, DEAD_AT_MS + 4000 + RETENTION_MS, NULL, REPLAY_OBSTACLE_KEY_EXPIRED);
}

static void test_the_own_key_is_not_used_after_the_new_one_has_expired(void **state)
{
    struct letter_record record = full_record(*state);
    record.new_key = text_of("new-1");
    record.new_key_at_ms = DEAD_AT_MS - 1;
    assert_key(&record, DEAD_AT_MS + RETENTION_MS - 1, NULL, REPLAY_OBSTACLE_KEY_EXPIRED);
}

static void test_a_message_id_that_is_not_valid_is_no_key(void **state)
{
    struct letter_record record = full_record(*state);
    char *long_key = arena_alloc(*state, MESSAGE_ID_BYTES_MAX + 1);
    memset(long_key, 'x', MESSAGE_ID_BYTES_MAX + 1);
    const struct text keys[] = {TEXT_NONE, text_of(""), text_of("with space"), text_of("\xc3\xa9"),
                                text_view(long_key, MESSAGE_ID_BYTES_MAX + 1)};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        record.letter.key = keys[i];
        assert_key(&record, DEAD_AT_MS, NULL, REPLAY_OBSTACLE_NO_KEY);
    }
}

/* --- the message ---------------------------------------------------------------------------- */

static struct outgoing message_of(struct arena *arena, const struct replay_options *options,
                                  const struct settings *settings)
{
    struct letter_record *record = ARENA_NEW(arena, struct letter_record);
    *record = full_record(arena);
    return replay_message(record, options, text_of("new-1"), settings, arena);
}

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text_present(text), expected != NULL);
    if (!text_equal(text, text_of(expected)))
        fail_msg("'%.*s' is not '%s'", TEXT_ARGS(text), expected != NULL ? expected : "");
}

static const struct outgoing_header *header(const struct outgoing *message, const char *name)
{
    for (size_t i = 0; i < message->header_count; i++) {
        if (text_is(text_of(name), message->headers[i].name))
            return &message->headers[i];
    }
    return NULL;
}

static void test_a_replay_has_what_the_command_is_made_of(void **state)
{
    struct settings settings = settings_with(true);
    struct outgoing message = message_of(*state, &plain, &settings);
    assert_text(message.exchange, "the exchange");
    assert_text(message.routing_key, "the queue");
    assert_true(message.mandatory);
    assert_text(message.body, BODY);
    assert_text(message.properties.message_id, "new-1");
    assert_text(message.properties.user_id, "blue");
    assert_text(message.properties.correlation_id, "correlation");
    assert_text(message.properties.content_type, "application/json");
    assert_text(message.properties.content_encoding, "utf-8");
    assert_int_equal(message.header_count, 1);
    assert_text(header(&message, "traceparent")->text, TRACE);
}

static void test_a_replay_leaves_the_rest_out(void **state)
{
    struct settings settings = settings_with(true);
    struct outgoing message = message_of(*state, &plain, &settings);
    assert_text(message.properties.reply_to, NULL);
    assert_text(message.properties.expiration, NULL);
    assert_text(message.properties.type, NULL);
    assert_text(message.properties.app_id, NULL);
    assert_false(message.properties.has_priority);
    assert_text(message.raw_headers, NULL);
    assert_null(header(&message, "x-allot-deadline"));
}

static void test_options_keep_a_part_each(void **state)
{
    struct settings settings = settings_with(true);
    const struct replay_options reply_to = {.keep_reply_to = true};
    const struct replay_options expiration = {.keep_expiration = true};
    const struct replay_options deadline = {.keep_deadline = true};
    struct outgoing message = message_of(*state, &reply_to, &settings);
    assert_text(message.properties.reply_to, "replies");
    assert_text(message.properties.expiration, NULL);
    message = message_of(*state, &expiration, &settings);
    assert_text(message.properties.expiration, "60000");
    assert_text(message.properties.reply_to, NULL);
    message = message_of(*state, &deadline, &settings);
    assert_int_equal(header(&message, "x-allot-deadline")->integer, DEADLINE_MS);
    assert_int_equal(header(&message, "x-allot-deadline")->kind, OUTGOING_INTEGER);
}

static void test_a_deadline_without_its_value_is_not_kept(void **state)
{
    struct arena *arena = *state;
    struct settings settings = settings_with(true);
    const struct replay_options deadline = {.keep_deadline = true};
    const struct outgoing_header redacted = {
        .name = "x-allot-deadline", .kind = OUTGOING_TEXT, .text = text_of("")};
    struct letter_record record = full_record(arena);
    record.letter.raw_headers = field_table_merge(arena, TEXT_NONE, &redacted, 1);
    struct outgoing message =
        replay_message(&record, &deadline, text_of("key-1"), &settings, arena);
    assert_null(header(&message, "x-allot-deadline"));
}

static void test_without_a_traceparent_there_is_no_header(void **state)
{
    struct settings settings = settings_with(true);
    struct letter_record record = full_record(*state);
    record.letter.traceparent = TEXT_NONE;
    struct outgoing message = replay_message(&record, &plain, text_of("key-1"), &settings, *state);
    assert_int_equal(message.header_count, 0);
}

static void test_a_user_id_that_nobody_looks_at_is_not_sent(void **state)
{
    struct settings settings = settings_with(false);
    struct outgoing message = message_of(*state, &plain, &settings);
    assert_text(message.properties.user_id, NULL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_open_letter_with_its_message_can_be_replayed),
        TEST(test_a_closed_letter_is_not_replayed),
        TEST(test_a_letter_that_was_sent_is_not_sent_again),
        TEST(test_a_letter_whose_sending_was_interrupted_belongs_to_its_run),
        TEST(test_a_read_is_not_replayed),
        TEST(test_a_body_must_be_there_and_whole),
        TEST(test_an_empty_body_is_whole),
        TEST(test_the_letter_of_an_unreadable_message_has_no_message),
        TEST(test_a_principal_is_needed_where_user_id_is_trusted),
        TEST(test_every_obstacle_but_none_has_a_text),
        TEST(test_a_key_expires_after_the_retention),
        TEST(test_the_new_key_has_a_time_of_its_own),
        TEST(test_the_own_key_is_not_used_after_the_new_one_has_expired),
        TEST(test_a_message_id_that_is_not_valid_is_no_key),
        TEST(test_a_replay_has_what_the_command_is_made_of),
        TEST(test_a_replay_leaves_the_rest_out),
        TEST(test_options_keep_a_part_each),
        TEST(test_a_deadline_without_its_value_is_not_kept),
        TEST(test_without_a_traceparent_there_is_no_header),
        TEST(test_a_user_id_that_nobody_looks_at_is_not_sent),
    };
    return cmocka_run_group_tests_name("replay message", tests, NULL, NULL) != 0;
}
