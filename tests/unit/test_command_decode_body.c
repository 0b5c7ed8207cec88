/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the body before its members are read: its size, its content type and encoding, and which
 * JSON is malformed.
 *
 * The rows of each table are bodies with the failure that is expected. The limits are tested on
 * both sides: BODY_BYTES_MAX and one byte more, 32 nested containers and 33. One test decodes a
 * megabyte of open brackets, which must not use the stack.
 *
 * The members of the body are tested in the other test_command_decode_*.c files; the helpers are in
 * test_command_decode.h.
 */
#include "tests/unit/test_command_decode.h"

#define VALID_BODY                                                                                 \
    "{\"version\":1,\"command\":\"provider.get\",\"params\":{\"uuid\":\"" UUID_A "\"}}"
#define WITH(member) "{\"version\":1,\"command\":\"provider.get\",\"params\":{\"uuid\":" member "}}"

static void test_a_body_of_one_byte_too_many_is_too_large(void **state)
{
    struct arena *arena = *state;
    char *bytes = arena_alloc(arena, BODY_BYTES_MAX + 1);
    memset(bytes, ' ', BODY_BYTES_MAX + 1);
    memcpy(bytes, VALID_BODY, strlen(VALID_BODY));
    struct decoded fits = decode_delivery(arena, delivery_of(text_view(bytes, BODY_BYTES_MAX)));
    assert_accepted(&fits);

    struct delivery delivery = delivery_of(text_view(bytes, BODY_BYTES_MAX + 1));
    delivery.properties.content_type = text_of("text/plain");
    struct decoded decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_TOO_LARGE);
    assert_int_equal(detail_integer(&decoded, "size"), BODY_BYTES_MAX + 1);
    assert_int_equal(detail_integer(&decoded, "limit"), BODY_BYTES_MAX);
    assert_false(text_present(decoded.command));
    assert_text(decoded.request.key, "key-1");
    assert_true(decoded.verdict.reply_allowed);
}

/* The transport keeps the beginning of such a body only: here it is even a valid command. */
static void test_the_size_of_a_cut_body_is_that_of_the_whole(void **state)
{
    struct arena *arena = *state;
    struct delivery delivery = delivery_of(text_of(VALID_BODY));
    delivery.cut_size = (uint64_t)BODY_BYTES_MAX + 7;
    struct decoded decoded = decode_delivery(arena, delivery);
    assert_code(&decoded, VERDICT_TOO_LARGE);
    assert_int_equal(detail_integer(&decoded, "size"), BODY_BYTES_MAX + 7);
}

static void test_content_type_is_json_or_absent(void **state)
{
    static const struct {
        const char *content_type;
        bool accepted;
    } rows[] = {
        {NULL, true},
        {"application/json", true},
        {"Application/JSON", true},
        {" application/json ", true},
        {"application/json; charset=utf-8", true},
        {"application/json;charset=UTF-8", true},
        {"application/json ;\tCharset=\"utf-8\" ", true},
        {"", false},
        {"text/plain", false},
        {"application/json5", false},
        {"application/jso", false},
        {"application/problem+json", false},
        {"application/json;", false},
        {"application/json; charset=latin1", false},
        {"application/json; charset=utf-8; charset=utf-8", false},
        {"application/json; charset=\"utf-8", false},
        {"application/json; charset=", false},
        {"application/json; charset", false},
        {"application/json; q=1", false},
        {"application/json, text/plain", false},
        {";", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct delivery delivery = delivery_of(text_of(VALID_BODY));
        delivery.properties.content_type = text_of(rows[i].content_type);
        struct decoded decoded = decode_delivery(*state, delivery);
        if (decoded.accepted != rows[i].accepted)
            fail_msg("content type '%s'", rows[i].content_type);
        if (!rows[i].accepted) {
            assert_code(&decoded, VERDICT_MALFORMED);
            assert_true(detail_text(&decoded, "reason").length > 0);
        }
    }
}

static void test_a_content_encoding_is_malformed_even_if_it_is_empty(void **state)
{
    static const char *const encodings[] = {"gzip", "identity", "utf-8", ""};
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++) {
        struct delivery delivery = delivery_of(text_of(VALID_BODY));
        delivery.properties.content_encoding = text_of(encodings[i]);
        struct decoded decoded = decode_delivery(*state, delivery);
        assert_code(&decoded, VERDICT_MALFORMED);
    }
}

#define ROW(bytes) {bytes, sizeof(bytes) - 1}

static void test_what_is_not_one_json_object_in_utf8_is_malformed(void **state)
{
    static const struct text bodies[] = {
        ROW(""),
        ROW(" "),
        ROW("null"),
        ROW("1"),
        ROW("\"text\""),
        ROW("[]"),
        ROW("[" VALID_BODY "]"),
        ROW("{"),
        ROW("{]"),
        ROW("{}}"),
        ROW("{\"a\":1,}"),
        ROW("{'a':1}"),
        ROW("{a:1}"),
        ROW("{\"a\":01}"),
        ROW("{\"a\":+1}"),
        ROW("{\"a\":.5}"),
        ROW("{\"a\":1.}"),
        ROW("{\"a\":NaN}"),
        ROW("{\"a\":Infinity}"),
        ROW("{\"a\":tru}"),
        ROW("{\"a\":1} // why"),
        ROW(VALID_BODY "x"),
        ROW(VALID_BODY VALID_BODY),
        ROW(VALID_BODY "\0"),
        ROW("\0" VALID_BODY),
        ROW(VALID_BODY "\f"),
        ROW("\xEF\xBB\xBF" VALID_BODY),
        ROW("\xFF\xFE{\0}\0"),
        ROW(WITH("\"a\nb\"")),
        ROW(WITH("\"a\\x41\"")),
        /* not UTF-8: stray, cut short, overlong, surrogates, beyond Unicode */
        ROW(WITH("\"\x80\"")),
        ROW(WITH("\"\xC3\"")),
        ROW(WITH("\"\xE2\x82\"")),
        ROW(WITH("\"\xC0\x80\"")),
        ROW(WITH("\"\xE0\x80\x80\"")),
        ROW(WITH("\"\xED\xA0\x80\"")),
        ROW(WITH("\"\xF4\x90\x80\x80\"")),
        ROW(WITH("\"\xFE\"")),
        ROW("{\"\xFF\":1}"),
        /* U+0000, in values, keys, and raw */
        ROW(WITH("\"\\u0000\"")),
        ROW("{\"\\u0000\":1}"),
        ROW("{\"a\\u0000b\":1}"),
        ROW("{\"a\":\"\0\"}"),
        /* lone surrogates */
        ROW(WITH("\"\\ud800\"")),
        ROW(WITH("\"\\udc00\"")),
        ROW(WITH("\"\\ud83d\\u0041\"")),
        ROW(WITH("\"\\ud83d\\ud83d\"")),
        ROW("{\"\\ud800\":1}"),
        /* duplicate keys, in any spelling, at any level */
        ROW("{\"version\":1,\"version\":1}"),
        ROW("{\"version\":1,\"versio\\u006e\":1}"),
        ROW("{\"a\":{\"/\":1,\"\\/\":1}}"),
        ROW("{\"a\":[{\"\":1,\"\":1}]}"),
        ROW("{\"\xC3\xA9\":1,\"\\u00e9\":1}"),
        ROW("{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":1}"),
        /* numbers beyond 64 bits and beyond a double, of known and unknown members */
        ROW(WITH("9223372036854775808")),
        ROW(WITH("-9223372036854775809")),
        ROW(WITH("100000000000000000000000000000")),
        ROW(WITH("1e400")),
        ROW(WITH("-1E400")),
        ROW("{\"unknown\":[1E+309]}"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct decoded decoded = decode_delivery(*state, delivery_of(bodies[i]));
        if (decoded.accepted || decoded.verdict.code != VERDICT_MALFORMED)
            fail_msg("body %zu '%.*s': %s", i, TEXT_ARGS(bodies[i]),
                     verdict_name(decoded.verdict.code));
        assert_true(detail_text(&decoded, "reason").length > 0);
        assert_false(text_present(decoded.command));
    }
}

static void test_what_looks_odd_but_is_json_is_not_malformed(void **state)
{
    static const struct text bodies[] = {
        ROW(" \t\r\n" VALID_BODY " \t\r\n"),
        ROW(WITH("-9223372036854775808")),
        ROW(WITH("9223372036854775807")),
        ROW(WITH("-0")),
        ROW(WITH("-0.0")),
        ROW(WITH("1e-400")),
        ROW(WITH("1.7976931348623157e308")),
        ROW(WITH("4.9e-324")),
        ROW(WITH("0e999")),
        ROW(WITH("\"\\ud83d\\ude00\"")),
        ROW(WITH("\"\xEF\xBF\xBF\x7F\"")),
        ROW("{}"),
        ROW("{\"\":{\"\":{}}}"),
        ROW("{\"a\":{\"k\":1},\"b\":{\"k\":1}}"),
        ROW("{\"A\":1,\"a\":1}"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct decoded decoded = decode_delivery(*state, delivery_of(bodies[i]));
        if (!decoded.accepted)
            assert_code(&decoded, VERDICT_INVALID);
    }
}

/* An object with nested arrays: `depth` containers, including the outermost. */
static struct text nested(struct arena *arena, size_t depth)
{
    char open[4096];
    char close[4096];
    memset(open, '[', depth - 1);
    memset(close, ']', depth - 1);
    return text_format(arena, "{\"s\":\"[[[{{{\\\"[[\",\"x\":%.*s%.*s}", (int)(depth - 1), open,
                       (int)(depth - 1), close);
}

static void test_the_outermost_of_32_containers_is_level_1(void **state)
{
    struct decoded fits = decode_delivery(*state, delivery_of(nested(*state, BODY_DEPTH_MAX)));
    assert_code(&fits, VERDICT_INVALID);

    static const size_t depths[] = {BODY_DEPTH_MAX + 1, 2048, 4000};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        struct decoded decoded = decode_delivery(*state, delivery_of(nested(*state, depths[i])));
        assert_code(&decoded, VERDICT_MALFORMED);
        assert_non_null(strstr(detail_text(&decoded, "reason").bytes, "depth"));
    }
}

static void test_brackets_in_strings_and_side_by_side_are_no_depth(void **state)
{
    struct arena *arena = *state;
    char many[2001];
    memset(many, '[', 1000);
    many[1000] = '\0';
    struct text quoted = text_format(arena, "{\"x\":\"\\\\\\\"%s\"}", many);
    struct decoded decoded = decode_delivery(arena, delivery_of(quoted));
    assert_code(&decoded, VERDICT_INVALID);

    for (size_t i = 0; i < 1998; i += 3)
        memcpy(many + i, "[],", 3);
    many[1997] = '\0';
    struct text flat = text_format(arena, "{\"x\":[%s]}", many);
    decoded = decode_delivery(arena, delivery_of(flat));
    assert_code(&decoded, VERDICT_INVALID);
}

static void test_a_megabyte_of_open_brackets_costs_no_stack(void **state)
{
    static char bytes[BODY_BYTES_MAX];
    memset(bytes, '[', sizeof bytes);
    struct decoded decoded = decode_delivery(*state, delivery_of(text_view(bytes, sizeof bytes)));
    assert_code(&decoded, VERDICT_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(test_a_body_of_one_byte_too_many_is_too_large),
        ARENA_TEST(test_the_size_of_a_cut_body_is_that_of_the_whole),
        ARENA_TEST(test_content_type_is_json_or_absent),
        ARENA_TEST(test_a_content_encoding_is_malformed_even_if_it_is_empty),
        ARENA_TEST(test_what_is_not_one_json_object_in_utf8_is_malformed),
        ARENA_TEST(test_what_looks_odd_but_is_json_is_not_malformed),
        ARENA_TEST(test_the_outermost_of_32_containers_is_level_1),
        ARENA_TEST(test_brackets_in_strings_and_side_by_side_are_no_depth),
        ARENA_TEST(test_a_megabyte_of_open_brackets_costs_no_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
