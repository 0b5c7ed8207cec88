/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which letter is made of a message in the dead-letter queue. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/codec/field_table.h"
#include "common/codec/letter_build.h"
#include "ctl/letter/of_message.h"

#define QUEUE "allot.commands"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define READ "{\"version\":1,\"command\":\"usage.get\",\"params\":{\"project_id\":\"p\"}}"

static const struct settings settings = {.security_trust_user_id = true, .letters_keep_body = true};

static struct outgoing_header text_header(const char *name, const char *value)
{
    return (struct outgoing_header){.name = name, .kind = OUTGOING_TEXT, .text = text_of(value)};
}

static struct client_message message_with(struct arena *arena, const char *body,
                                          const struct outgoing_header *headers, size_t count)
{
    struct client_message message = {
        .raw_headers = field_table_merge(arena, TEXT_NONE, headers, count), .body = text_of(body)};
    message.properties.message_id = text_of("key-1");
    return message;
}

static struct letter made_of(struct arena *arena, const struct client_message *message)
{
    struct settings own = settings;
    own.amqp_queue = text_of(QUEUE);
    struct dead_letter dead = dead_letter_read(message, own.amqp_queue, arena);
    return letter_of_message(arena, message, &dead, &own);
}

/* The letter that a worker makes when it dead-letters the command itself. */
static struct letter made_by_worker(struct arena *arena, const char *body)
{
    struct policy_principal principal = {.name = text_of("conductor")};
    struct policy policy = {.principals = &principal, .count = 1};
    struct decode_context context = {.policy = &policy, .trust_user_id = true};
    struct decoded decoded;
    struct delivery *delivery = ARENA_NEW(arena, struct delivery);
    delivery->properties.message_id = text_of("key-1");
    delivery->properties.user_id = text_of("conductor");
    delivery->body = text_of(body);
    command_decode(&context, delivery, arena, &decoded);
    struct letter_cause cause = {.reason = text_of("internal"),
                                 .detail = text_of("why"),
                                 .queue = text_of(QUEUE),
                                 .worker = text_of("w-1")};
    return letter_build(arena, delivery, &decoded, &cause);
}

static void assert_text(struct text text, const char *expected)
{
    if (!text_is(text, expected))
        fail_msg("'%.*s' is not '%s'", TEXT_ARGS(text), expected);
}

static void test_the_workers_dead_letter_gives_the_workers_letter(void **state)
{
    (void)state;
    const char *const bodies[] = {READ, "garbage", "{}"};
    struct arena *arena = arena_new(0);
    const struct outgoing_header headers[] = {
        text_header("x-allot-reason", "internal"), text_header("x-allot-detail", "why"),
        text_header("x-allot-principal", "conductor"), text_header("x-allot-queue", QUEUE),
        text_header("x-allot-worker", "w-1")};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct client_message message = message_with(arena, bodies[i], headers, 5);
        struct letter letter = made_of(arena, &message);
        struct letter expected = made_by_worker(arena, bodies[i]);
        assert_true(text_equal(letter.id, expected.id));
        assert_true(text_equal(letter.group, expected.group));
        assert_true(text_equal(letter.command, expected.command));
        assert_true(text_equal(letter.project, expected.project));
        assert_text(letter.reason, "internal");
        assert_text(letter.detail, "why");
        assert_text(letter.principal, "conductor");
        assert_text(letter.worker, "w-1");
        assert_int_equal(letter.source, LETTER_SOURCE_WORKER);
    }
    arena_free(arena);
}

static void test_a_body_that_the_worker_cut_keeps_its_size_and_digest(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    const struct outgoing_header headers[] = {
        text_header("x-allot-reason", "too_large"),
        text_header("x-allot-body-sha256", SHA256),
        {.name = "x-allot-body-size", .kind = OUTGOING_INTEGER, .integer = 3000000}};
    struct client_message message = message_with(arena, "begin", headers, 3);
    struct letter letter = made_of(arena, &message);
    assert_text(letter.body, "begin");
    assert_text(letter.body_sha256, SHA256);
    assert_true(letter.body_size == 3000000);
    arena_free(arena);
}

static void test_a_size_without_a_digest_is_not_believed(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    const struct outgoing_header headers[] = {
        text_header("x-allot-reason", "too_large"),
        text_header("x-allot-body-sha256", "short"),
        {.name = "x-allot-body-size", .kind = OUTGOING_INTEGER, .integer = 3000000}};
    struct client_message message = message_with(arena, "whole", headers, 3);
    assert_true(made_of(arena, &message).body_size == 5);
    arena_free(arena);
}

static void test_a_message_without_a_reason_says_so(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct client_message message = message_with(arena, "?", NULL, 0);
    message.properties.user_id = text_of("somebody");
    struct letter letter = made_of(arena, &message);
    assert_text(letter.reason, "unknown");
    assert_true(letter.detail.length > 0);
    assert_text(letter.principal, "somebody");
    assert_text(letter.queue, QUEUE);
    arena_free(arena);
}

static void test_private_data_is_not_in_the_letter(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct settings private = settings;
    const struct outgoing_header headers[] = {text_header("x-allot-reason", "internal"),
                                              text_header("token", "secret")};
    struct client_message message = message_with(arena, READ, headers, 2);
    struct dead_letter dead = dead_letter_read(&message, text_of(QUEUE), arena);
    private.amqp_queue = text_of(QUEUE);
    private.letters_keep_body = false;
    private.letters_redact_headers = text_of("token");
    struct letter letter = letter_of_message(arena, &message, &dead, &private);
    struct field field;
    assert_false(text_present(letter.body));
    assert_true(letter.body_dropped);
    assert_int_equal(letter.body_size, strlen(READ));
    assert_true(field_table_find(letter.raw_headers, "token", &field));
    assert_int_equal(field.kind, FIELD_OTHER);
    assert_true(text_equal(letter.id, made_of(arena, &message).id));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_workers_dead_letter_gives_the_workers_letter),
        cmocka_unit_test(test_a_body_that_the_worker_cut_keeps_its_size_and_digest),
        cmocka_unit_test(test_a_size_without_a_digest_is_not_believed),
        cmocka_unit_test(test_a_message_without_a_reason_says_so),
        cmocka_unit_test(test_private_data_is_not_in_the_letter),
    };
    return cmocka_run_group_tests_name("letter_of_message", tests, NULL, NULL) != 0;
}
