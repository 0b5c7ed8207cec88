/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the page in the browser does with texts of others: the writer of HTML, errors with
 * URIs, and bodies that are laid out in lines.
 *
 * Each text is compared with what a browser gets, byte by byte: what shows itself is nothing else.
 *
 * Not here: what a browser makes of hostile letters (tests/system/test_web_browser).
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "ctl/web/html.h"
#include "ctl/web/json_pretty.h"
#include "ctl/web/page.h"

static int make_arena(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int drop_arena(void **state)
{
    arena_free(*state);
    return 0;
}

static void expect_text(struct arena *arena, struct text text, const char *expected)
{
    struct html html = html_new(arena);
    html_text(&html, text);
    struct text result = html_result(&html);
    assert_int_equal(result.length, strlen(expected));
    assert_memory_equal(result.bytes, expected, result.length);
}

static void expect_shown(struct arena *arena, const char *text, const char *expected)
{
    expect_text(arena, text_of(text), expected);
}

static void test_markup_shows_itself(void **state)
{
    expect_shown(*state, "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
    expect_shown(*state, "a & b &amp;", "a &amp; b &amp;amp;");
    expect_shown(*state, "\" onclick='x'", "&quot; onclick=&#39;x&#39;");
    expect_shown(*state, "", "");
    expect_text(*state, TEXT_NONE, "");
}

static void test_control_characters_become_escapes_that_show(void **state)
{
    expect_text(*state, text_view("a\0b", 3), "a\\u0000b");
    expect_shown(*state, "\x1b[2J\x7f\r", "\\u001b[2J\\u007f\\u000d");
    expect_shown(*state, "\xC2\x85", "\\u0085");
    expect_shown(*state, "line\nand\ttab", "line\nand\ttab");
}

static void test_the_direction_of_the_text_cannot_be_changed(void **state)
{
    expect_shown(*state,
                 "\xE2\x80\xAE"
                 "evil\xE2\x81\xA6",
                 "\\u202eevil\\u2066");
    expect_shown(*state, "\xE2\x80\x8F\xE2\x80\xA8", "\\u200f\\u2028");
}

static void test_other_characters_stay(void **state)
{
    expect_shown(*state, "Gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \xE4\xB8\xAD",
                 "Gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \xE4\xB8\xAD");
}

static void test_bytes_that_are_not_utf8_are_replaced_one_by_one(void **state)
{
    expect_shown(*state,
                 "a\xFF\xFE"
                 "b",
                 "a\xEF\xBF\xBD\xEF\xBF\xBD"
                 "b");
    expect_shown(*state, "\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"); /* cut off */
    expect_shown(*state, "\xC0\xBC", "\xEF\xBF\xBD\xEF\xBF\xBD"); /* an overlong '<' */
    expect_shown(*state, "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

static void test_an_attribute_cannot_be_left(void **state)
{
    struct html html = html_new(*state);
    html_raw(&html, "<a");
    html_attribute(&html, "title", text_of("\"><b>"));
    html_raw(&html, ">");
    struct text result = html_result(&html);
    const char *expected = "<a title=\"&quot;&gt;&lt;b&gt;\">";
    assert_int_equal(result.length, strlen(expected));
    assert_memory_equal(result.bytes, expected, result.length);
}

static void test_a_part_of_a_url_is_encoded(void **state)
{
    struct html html = html_new(*state);
    html_url(&html, text_view("a/b?c&d=\"\0\xFF-._~", 15));
    struct text result = html_result(&html);
    const char *expected = "a%2Fb%3Fc%26d%3D%22%00%FF-._~";
    assert_int_equal(result.length, strlen(expected));
    assert_memory_equal(result.bytes, expected, result.length);
}

static void test_a_page_grows_without_a_limit_of_its_own(void **state)
{
    struct html html = html_new(*state);
    for (int i = 0; i < 100000; i++)
        html_raw(&html, "0123456789");
    assert_int_equal(html_result(&html).length, 1000000);
    assert_memory_equal(html_result(&html).bytes + 999990, "0123456789", 10);
}

static void expect_error(struct arena *arena, const char *text, const char *expected)
{
    struct html html = html_new(arena);
    page_error_text(&html, text);
    struct text result = html_result(&html);
    assert_int_equal(result.length, strlen(expected));
    assert_memory_equal(result.bytes, expected, result.length);
}

static void test_errors_show_no_password_of_a_uri(void **state)
{
    expect_error(*state, "cannot connect to amqp://operator:se@cret@host/%2f: refused",
                 "cannot connect to amqp://***@host/%2f: refused");
    expect_error(*state, "mongodb://u:p@a,b/?x and amqps://u:p@c",
                 "mongodb://***@a,b/?x and "
                 "amqps://***@c");
    expect_error(*state, "see http://host/a@b", "see http://host/a@b");
    expect_error(*state, "<no URI>", "&lt;no URI&gt;");
}

static void expect_pretty(struct arena *arena, const char *json, const char *expected)
{
    struct text pretty;
    assert_true(json_pretty(text_of(json), arena, &pretty));
    assert_int_equal(pretty.length, strlen(expected));
    assert_memory_equal(pretty.bytes, expected, pretty.length);
}

static void test_json_is_laid_out_in_lines(void **state)
{
    expect_pretty(*state, "{\"a\":[1,{\"b\":{}}],\"c\":[ ]}",
                  "{\n  \"a\": [\n    1,\n    {\n      \"b\": {}\n    }\n  ],\n  \"c\": []\n}");
    expect_pretty(*state, " 17 ", "17");
}

static void test_only_white_space_of_json_changes(void **state)
{
    expect_pretty(*state, "{\"a\":1.10e2,\"a\":12345678901234567890}",
                  "{\n  \"a\": 1.10e2,\n  \"a\": 12345678901234567890\n}");
    expect_pretty(*state, "[\"a,{:}\\\"\\\\\",\"\\u0041 b\"]",
                  "[\n  \"a,{:}\\\"\\\\\",\n  \"\\u0041 b\"\n]");
}

static void test_what_is_not_json_is_not_laid_out(void **state)
{
    const char *const bodies[] = {"", "{", "[1,]", "\"", "\xFF", "{\"a\":1}x", "nul"};
    struct text pretty;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_false(json_pretty(text_of(bodies[i]), *state, &pretty));
}

/* Each bracket would get a line of its own, far to the right. */
static void test_json_that_would_become_very_long_is_not_laid_out(void **state)
{
    enum { DEPTH = 1000, TIMES = 200, LENGTH = TIMES * (2 * DEPTH + 2) + 3 };
    char *json = arena_alloc(*state, LENGTH + 1);
    size_t length = 0;
    struct text pretty;
    json[length++] = '[';
    for (int i = 0; i < TIMES; i++) {
        if (i > 0)
            json[length++] = ',';
        memset(json + length, '[', DEPTH);
        memset(json + length + DEPTH, ']', DEPTH);
        length += 2 * (size_t)DEPTH;
    }
    json[length++] = ']';
    assert_false(json_pretty(text_view(json, length), *state, &pretty));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_arena, drop_arena)
        TEST(test_markup_shows_itself),
        TEST(test_control_characters_become_escapes_that_show),
        TEST(test_the_direction_of_the_text_cannot_be_changed),
        TEST(test_other_characters_stay),
        TEST(test_bytes_that_are_not_utf8_are_replaced_one_by_one),
        TEST(test_an_attribute_cannot_be_left),
        TEST(test_a_part_of_a_url_is_encoded),
        TEST(test_a_page_grows_without_a_limit_of_its_own),
        TEST(test_errors_show_no_password_of_a_uri),
        TEST(test_json_is_laid_out_in_lines),
        TEST(test_only_white_space_of_json_changes),
        TEST(test_what_is_not_json_is_not_laid_out),
        TEST(test_json_that_would_become_very_long_is_not_laid_out),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
