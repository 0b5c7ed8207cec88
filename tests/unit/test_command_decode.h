/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of the decoder: a policy with one principal, a delivery to change. */
#ifndef ALLOT_TEST_COMMAND_DECODE_H
#define ALLOT_TEST_COMMAND_DECODE_H

#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "allot/limits.h"
#include "common/codec/command_decode.h"

#define UUID_A "11111111-1111-1111-1111-111111111111"
#define UUID_B "22222222-2222-2222-2222-222222222222"
#define UUID_C "cccccccc-cccc-cccc-cccc-cccccccccccc"

/* Members of params that many rows share. */
#define ID "\"uuid\":\"" UUID_A "\""
#define CONSUMER "\"consumer_uuid\":\"" UUID_A "\""
#define GENERATION "\"resource_provider_generation\":0"

static const struct text known_replies[] = {{"conductor.*", 11}};
static const struct policy_principal known_principals[] = {
    {.name = {"conductor", 9}, .reply_to = {known_replies, 1}},
};
static const struct policy known_policy = {.principals = known_principals, .count = 1};
static const struct decode_context trusting = {.policy = &known_policy, .trust_user_id = true};

static inline struct delivery delivery_of(struct text body)
{
    return (struct delivery){
        .properties =
            {
                .message_id = text_of("key-1"),
                .user_id = text_of("conductor"),
                .reply_to = text_of("conductor.replies"),
            },
        .body = body,
    };
}

static inline struct decoded decode_delivery(struct arena *arena, struct delivery delivery)
{
    struct decoded decoded;
    command_decode(&trusting, &delivery, arena, &decoded);
    return decoded;
}

static inline struct decoded decode_text(struct arena *arena, const char *body)
{
    return decode_delivery(arena, delivery_of(text_of(body)));
}

static inline struct decoded decode_command(struct arena *arena, const char *command,
                                            const char *params)
{
    struct text body = text_format(arena, "{\"version\": 1, \"command\": \"%s\", \"params\": %s}",
                                   command, params);
    return decode_delivery(arena, delivery_of(body));
}

static inline void assert_text(struct text text, const char *expected)
{
    if (!text_present(text) || !text_is(text, expected))
        fail_msg("'%.*s' is not '%s'", TEXT_ARGS(text), expected);
}

static inline void assert_uuid(struct uuid uuid, const char *expected)
{
    assert_string_equal(uuid_format(uuid).chars, expected);
}

static inline void assert_code(const struct decoded *decoded, enum verdict_code code)
{
    assert_false(decoded->accepted);
    if (decoded->verdict.code != code)
        fail_msg("'%s' is not '%s': %.*s", verdict_name(decoded->verdict.code), verdict_name(code),
                 TEXT_ARGS(decoded->verdict.message));
}

static inline void assert_accepted(const struct decoded *decoded)
{
    if (!decoded->accepted)
        fail_msg("rejected: %s: %.*s", verdict_name(decoded->verdict.code),
                 TEXT_ARGS(decoded->verdict.message));
}

static inline struct text detail_text(const struct decoded *decoded, const char *name)
{
    const struct detail *detail = verdict_detail(&decoded->verdict, name);
    assert_non_null(detail);
    assert_int_equal(detail->kind, DETAIL_TEXT);
    return detail->value.text;
}

static inline int64_t detail_integer(const struct decoded *decoded, const char *name)
{
    const struct detail *detail = verdict_detail(&decoded->verdict, name);
    assert_non_null(detail);
    assert_int_equal(detail->kind, DETAIL_INTEGER);
    return detail->value.integer;
}

static inline void assert_invalid(const struct decoded *decoded, const char *pointer)
{
    assert_code(decoded, VERDICT_INVALID);
    assert_text(detail_text(decoded, "pointer"), pointer);
    assert_true(detail_text(decoded, "reason").length > 0);
    assert_int_equal(decoded->verdict.detail_count, 2);
}

/* One rule: params, and the pointer of the failure. */
struct row {
    const char *params;
    const char *pointer; /* NULL: accepted */
};

static inline void check_rows(struct arena *arena, const char *command, const struct row *rows,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct decoded decoded = decode_command(arena, command, rows[i].params);
        assert_text(decoded.command, command);
        if (rows[i].pointer == NULL
                ? decoded.accepted
                : !decoded.accepted && decoded.verdict.code == VERDICT_INVALID &&
                      text_is(detail_text(&decoded, "pointer"), rows[i].pointer))
            continue;
        fail_msg("%s %s: %s '%.*s', not '%s'", command, rows[i].params,
                 verdict_name(decoded.verdict.code), TEXT_ARGS(decoded.verdict.message),
                 rows[i].pointer != NULL ? rows[i].pointer : "accepted");
    }
}

#define CHECK(arena, command, rows) check_rows(arena, command, rows, sizeof rows / sizeof *rows)

/* `count` times `unit`, in the arena. */
static inline const char *repeat(struct arena *arena, const char *unit, size_t count)
{
    size_t length = strlen(unit);
    char *bytes = arena_alloc(arena, length * count + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + i * length, unit, length);
    return bytes;
}

static inline int arena_setup(void **state)
{
    *state = arena_new(0);
    return 0;
}

static inline int arena_teardown(void **state)
{
    arena_free(*state);
    return 0;
}

#define ARENA_TEST(test) cmocka_unit_test_setup_teardown(test, arena_setup, arena_teardown)

#endif
