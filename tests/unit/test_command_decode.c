/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the envelope of a command: its properties and members, and which failure comes first.
 *
 * VALID_BODY is a valid body; each test changes one thing of it and compares code, pointer and
 * message of the failure. The helpers (decode_text, decode_command, assert_accepted, ...) are in
 * test_command_decode.h and serve the other test_command_decode_*.c files, which cover the body
 * (_body), the params of allocations (_claims), of all other commands (_params), the decoded values
 * (_values) and random input (_noise).
 *
 * Not here: failures that depend on the state; those are in tests/table.
 */
#include "tests/unit/test_command_decode.h"

#define VALID_BODY                                                                                 \
    "{\"version\":1,\"command\":\"provider.get\",\"params\":{\"uuid\":\"" UUID_A "\"}}"
#define ROW(bytes) {bytes, sizeof(bytes) - 1}

static void test_a_plain_command_is_accepted(void **state)
{
    struct decoded decoded = decode_text(*state, VALID_BODY);
    assert_accepted(&decoded);
    assert_text(decoded.command, "provider.get");
    assert_text(decoded.request.principal, "conductor");
    assert_text(decoded.request.key, "key-1");
    assert_text(decoded.request.reply_to, "conductor.replies");
    assert_false(decoded.request.has_deadline);
    assert_int_equal(decoded.request.command.kind, COMMAND_PROVIDER_GET);
    assert_uuid(decoded.request.command.params.provider.uuid, UUID_A);
    assert_int_equal(decoded.verdict.code, VERDICT_SUCCESS);
    /* The decoder does not know whether the policy allows the reply: the planner decides this. */
    assert_false(decoded.verdict.reply_allowed);
}

static void test_a_message_id_is_1_to_255_printable_bytes(void **state)
{
    struct arena *arena = *state;
    char longest[257];
    memset(longest, '~', 256);
    const struct text valid[] = {ROW("!"), ROW("~"), {longest, 255}};
    const struct text invalid[] = {TEXT_NONE,       ROW(""),    ROW("a b"),      {longest, 256},
                                   ROW("\x7f"),     ROW("a\n"), ROW("\xC3\xA9"), ROW("a\0b"),
                                   ROW("\x80\x81"), ROW(" key")};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        struct delivery delivery = delivery_of(text_of(VALID_BODY));
        delivery.properties.message_id = valid[i];
        struct decoded decoded = decode_delivery(arena, delivery);
        assert_accepted(&decoded);
        assert_true(text_equal(decoded.request.key, valid[i]));
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        struct delivery delivery = delivery_of(text_of(VALID_BODY));
        delivery.properties.message_id = invalid[i];
        struct decoded decoded = decode_delivery(arena, delivery);
        assert_code(&decoded, VERDICT_MISSING_MESSAGE_ID);
        assert_false(text_present(decoded.request.key));
        assert_int_equal(decoded.verdict.detail_count, 0);
        assert_text(decoded.command, "provider.get");
        assert_text(decoded.request.principal, "conductor");
    }
}

static void test_a_principal_that_nobody_knows_is_unauthenticated(void **state)
{
    const struct text users[] = {TEXT_NONE, ROW(""), ROW("Conductor"), ROW("conductor "),
                                 ROW("conductor\0")};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        struct delivery delivery = delivery_of(text_of(VALID_BODY));
        delivery.properties.user_id = users[i];
        struct decoded decoded = decode_delivery(*state, delivery);
        assert_code(&decoded, VERDICT_UNAUTHENTICATED);
        assert_int_equal(decoded.verdict.detail_count, 0);
        assert_false(decoded.verdict.reply_allowed);
        assert_true(text_equal(decoded.request.principal, users[i]));
        assert_text(decoded.command, "provider.get");
    }
}

static struct decoded decode_untrusting(struct arena *arena, const char *principal,
                                        const char *user_id)
{
    struct decode_context context = {.policy = &known_policy,
                                     .default_principal = text_of(principal)};
    struct delivery delivery = delivery_of(text_of(VALID_BODY));
    delivery.properties.user_id = text_of(user_id);
    struct decoded decoded;
    command_decode(&context, &delivery, arena, &decoded);
    return decoded;
}

static void test_an_untrusted_user_id_never_counts(void **state)
{
    struct decoded decoded = decode_untrusting(*state, "conductor", "somebody");
    assert_accepted(&decoded);
    assert_text(decoded.request.principal, "conductor");
    decoded = decode_untrusting(*state, "conductor", NULL);
    assert_accepted(&decoded);
    decoded = decode_untrusting(*state, "", "conductor");
    assert_code(&decoded, VERDICT_UNAUTHENTICATED);
    decoded = decode_untrusting(*state, NULL, "conductor");
    assert_code(&decoded, VERDICT_UNAUTHENTICATED);
    decoded = decode_untrusting(*state, "stranger", "conductor");
    assert_code(&decoded, VERDICT_UNAUTHENTICATED);
}

static void test_a_trusted_message_without_user_id_has_no_default(void **state)
{
    struct decode_context context = {
        .policy = &known_policy, .trust_user_id = true, .default_principal = text_of("conductor")};
    struct delivery delivery = delivery_of(text_of(VALID_BODY));
    delivery.properties.user_id = TEXT_NONE;
    struct decoded decoded;
    command_decode(&context, &delivery, *state, &decoded);
    assert_code(&decoded, VERDICT_UNAUTHENTICATED);
}

static void test_a_refusal_is_answered_only_where_the_policy_allows_it(void **state)
{
    static const struct {
        const char *reply_to;
        bool allowed;
    } rows[] = {{"conductor.replies", true}, {"conductor.", true}, {"conductor", false},
                {"other.replies", false},    {"", false},          {NULL, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct delivery delivery = delivery_of(text_of("{"));
        delivery.properties.reply_to = text_of(rows[i].reply_to);
        struct decoded decoded = decode_delivery(*state, delivery);
        assert_code(&decoded, VERDICT_MALFORMED);
        assert_int_equal(decoded.verdict.reply_allowed, rows[i].allowed);
    }
}

static void test_another_version_is_unsupported(void **state)
{
    static const char *const bodies[] = {
        "{\"version\":2,\"command\":\"provider.get\",\"params\":{\"uuid\":\"" UUID_A "\"}}",
        "{\"version\":2}",
        "{\"version\":2,\"command\":\"no.such\",\"extra\":1}",
        "{\"version\":2,\"command\":7}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct decoded decoded = decode_text(*state, bodies[i]);
        assert_code(&decoded, VERDICT_UNSUPPORTED_VERSION);
        assert_int_equal(detail_integer(&decoded, "given"), 2);
        assert_int_equal(detail_integer(&decoded, "supported"), 1);
    }
    struct decoded decoded = decode_text(*state, "{\"version\":-9223372036854775808}");
    assert_code(&decoded, VERDICT_UNSUPPORTED_VERSION);
    assert_true(detail_integer(&decoded, "given") == INT64_MIN);
}

static void test_an_unknown_command_comes_before_all_that_is_invalid(void **state)
{
    static const char *const bodies[] = {
        "{\"version\":1,\"command\":\"no.such\",\"params\":{}}",
        "{\"version\":1,\"command\":\"no.such\",\"params\":[],\"extra\":1}",
        "{\"command\":\"no.such\"}",
        "{\"version\":1.0,\"command\":\"no.such\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct delivery delivery = delivery_of(text_of(bodies[i]));
        delivery.deadline = HEADER_WRONG_TYPE;
        struct decoded decoded = decode_delivery(*state, delivery);
        assert_code(&decoded, VERDICT_UNKNOWN_COMMAND);
        assert_text(detail_text(&decoded, "given"), "no.such");
        assert_text(decoded.command, "no.such");
    }
    static const char *const near_misses[] = {"", "Provider.get", "provider.get ", "provider"};
    for (size_t i = 0; i < sizeof near_misses / sizeof *near_misses; i++) {
        struct decoded decoded = decode_command(*state, near_misses[i], "{}");
        assert_code(&decoded, VERDICT_UNKNOWN_COMMAND);
        assert_text(detail_text(&decoded, "given"), near_misses[i]);
    }
}

static void test_the_envelope_has_exactly_three_members(void **state)
{
#define PARAMS "\"params\":{\"uuid\":\"" UUID_A "\"}"
    static const struct {
        const char *body;
        const char *pointer;
    } rows[] = {
        {"{\"command\":\"provider.get\"," PARAMS "}", "/version"},
        {"{\"version\":1.0,\"command\":\"provider.get\"," PARAMS "}", "/version"},
        {"{\"version\":\"1\",\"command\":\"provider.get\"," PARAMS "}", "/version"},
        {"{\"version\":true,\"command\":\"provider.get\"," PARAMS "}", "/version"},
        {"{\"version\":null,\"command\":\"provider.get\"," PARAMS "}", "/version"},
        {"{\"version\":2.0,\"command\":\"provider.get\"," PARAMS "}", "/version"},
        {"{\"version\":1," PARAMS "}", "/command"},
        {"{\"version\":1,\"command\":null," PARAMS "}", "/command"},
        {"{\"version\":1,\"command\":[\"provider.get\"]," PARAMS "}", "/command"},
        {"{\"version\":1,\"command\":\"provider.get\"}", "/params"},
        {"{\"version\":1,\"command\":\"provider.get\",\"params\":null}", "/params"},
        {"{\"version\":1,\"command\":\"provider.get\",\"params\":[]}", "/params"},
        {"{\"version\":1,\"command\":\"provider.get\"," PARAMS ",\"x\":1}", "/x"},
        {"{\"version\":1,\"command\":\"provider.get\"," PARAMS ",\"\":1}", "/"},
        {"{\"version\":1,\"command\":\"provider.get\"," PARAMS ",\"Version\":1}", "/Version"},
        {"{\"version\":1,\"command\":\"provider.get\"," PARAMS ",\"a/b~c~/\":1}", "/a~1b~0c~0~1"},
        {"{\"version\":1,\"command\":\"provider.get\"," PARAMS ",\"\\u00e9\\\"\":1}", "/é\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct decoded decoded = decode_text(*state, rows[i].body);
        assert_invalid(&decoded, rows[i].pointer);
    }
}

static void test_a_reason_tells_missing_from_a_wrong_type(void **state)
{
    struct decoded missing = decode_command(*state, "provider.get", "{}");
    assert_invalid(&missing, "/params/uuid");
    assert_text(detail_text(&missing, "reason"), "is missing");
    struct decoded typed = decode_command(*state, "provider.get", "{\"uuid\":null}");
    assert_invalid(&typed, "/params/uuid");
    assert_false(text_is(detail_text(&typed, "reason"), "is missing"));
}

static void test_the_reason_of_units_that_exclude_each_other_has_both(void **state)
{
    struct decoded decoded = decode_command(
        *state, "reshape",
        "{\"inventories\":{\"" UUID_A "\":{\"resource_provider_generation\":1,\"inventories\":"
        "{\"VCPU\":{\"total\":8,\"min_unit\":6,\"max_unit\":3}}}},\"allocations\":{}}");
    assert_invalid(&decoded, "/params/inventories/" UUID_A "/inventories/VCPU/min_unit");
    assert_text(detail_text(&decoded, "reason"), "is greater than max_unit: 6 (max_unit: 3)");
}

static void test_a_pointer_of_a_megabyte_leaves_the_message_short(void **state)
{
    struct arena *arena = *state;
    size_t length = BODY_BYTES_MAX - 1000;
    char *key = arena_alloc(arena, length + 1);
    memset(key, '~', length);
    struct text body = text_format(arena, "{\"%s\":1}", key);
    struct decoded decoded = decode_delivery(arena, delivery_of(body));
    assert_code(&decoded, VERDICT_INVALID);
    assert_int_equal(detail_text(&decoded, "pointer").length, 1 + 2 * length);
    assert_true(decoded.verdict.message.length < 1000);
}

static void test_a_deadline_is_an_integer_header(void **state)
{
    struct delivery delivery = delivery_of(text_of(VALID_BODY));
    delivery.deadline = HEADER_INTEGER;
    delivery.deadline_ms = -5;
    struct decoded decoded = decode_delivery(*state, delivery);
    assert_accepted(&decoded);
    assert_true(decoded.request.has_deadline);
    assert_int_equal(decoded.request.deadline_ms, -5);

    delivery.deadline = HEADER_WRONG_TYPE;
    decoded = decode_delivery(*state, delivery);
    assert_invalid(&decoded, "/headers/x-allot-deadline");
    assert_false(decoded.request.has_deadline);
}

/* Each step corrects the fault of the step before. So each failure comes before all later ones. */
static void test_refusals_come_in_the_order_of_the_contract(void **state)
{
    struct arena *arena = *state;
    char *spaces = arena_alloc(arena, BODY_BYTES_MAX + 1);
    struct delivery delivery = delivery_of(text_view(spaces, BODY_BYTES_MAX + 1));
    delivery.properties.message_id = TEXT_NONE;
    delivery.properties.user_id = TEXT_NONE;
    delivery.deadline = HEADER_WRONG_TYPE;
    struct decoded decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_TOO_LARGE);

    delivery.body = text_of("{\"version\":2,\"command\":\"no.such\"");
    decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_MALFORMED);

    delivery.body = text_of("{\"version\":2,\"command\":\"no.such\"}");
    decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_MISSING_MESSAGE_ID);

    delivery.properties.message_id = text_of("key");
    decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_UNAUTHENTICATED);

    delivery.properties.user_id = text_of("conductor");
    decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_UNSUPPORTED_VERSION);

    delivery.body = text_of("{\"version\":1,\"command\":\"no.such\"}");
    decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_UNKNOWN_COMMAND);

    delivery.body = text_of("{\"version\":1,\"command\":\"provider.get\"}");
    decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_INVALID);
}

static struct fingerprint fingerprint(struct arena *arena, const char *params)
{
    struct decoded decoded = decode_command(arena, "usage.get", params);
    assert_accepted(&decoded);
    return decoded.request.fingerprint;
}

static bool same_fingerprint(struct arena *arena, const char *a, const char *b)
{
    struct fingerprint left = fingerprint(arena, a);
    struct fingerprint right = fingerprint(arena, b);
    return memcmp(left.bytes, right.bytes, sizeof left.bytes) == 0;
}

static void test_a_fingerprint_is_of_the_canonical_body(void **state)
{
    assert_true(same_fingerprint(*state, "{\"project_id\":\"a\",\"user_id\":\"b\"}",
                                 "{ \"user_id\" : \"\\u0062\" ,\n\"project_id\":\"a\"}"));
    assert_false(same_fingerprint(*state, "{\"project_id\":\"a\"}", "{\"project_id\":\"b\"}"));
    assert_false(same_fingerprint(*state, "{\"project_id\":\"a\"}",
                                  "{\"project_id\":\"a\",\"user_id\":\"a\"}"));

    /* printf '%s' '{"command":"usage.get","params":{"project_id":"a"},"version":1}' | sha256sum */
    static const uint8_t expected[] = {0xb1, 0x56, 0xc9, 0x5c, 0x62, 0xea, 0xd8, 0x05,
                                       0x9d, 0x7f, 0x89, 0xfc, 0x52, 0xf7, 0xd7, 0x11,
                                       0xa8, 0x69, 0x4a, 0x0a, 0x3b, 0x0a, 0xb8, 0x1d,
                                       0x4a, 0x15, 0x65, 0xba, 0x98, 0x69, 0x68, 0x15};
    struct fingerprint known = fingerprint(*state, "{\"project_id\":\"a\"}");
    assert_memory_equal(known.bytes, expected, sizeof expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(test_a_plain_command_is_accepted),
        ARENA_TEST(test_a_message_id_is_1_to_255_printable_bytes),
        ARENA_TEST(test_a_principal_that_nobody_knows_is_unauthenticated),
        ARENA_TEST(test_an_untrusted_user_id_never_counts),
        ARENA_TEST(test_a_trusted_message_without_user_id_has_no_default),
        ARENA_TEST(test_a_refusal_is_answered_only_where_the_policy_allows_it),
        ARENA_TEST(test_another_version_is_unsupported),
        ARENA_TEST(test_an_unknown_command_comes_before_all_that_is_invalid),
        ARENA_TEST(test_the_envelope_has_exactly_three_members),
        ARENA_TEST(test_a_reason_tells_missing_from_a_wrong_type),
        ARENA_TEST(test_the_reason_of_units_that_exclude_each_other_has_both),
        ARENA_TEST(test_a_pointer_of_a_megabyte_leaves_the_message_short),
        ARENA_TEST(test_a_deadline_is_an_integer_header),
        ARENA_TEST(test_refusals_come_in_the_order_of_the_contract),
        ARENA_TEST(test_a_fingerprint_is_of_the_canonical_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
