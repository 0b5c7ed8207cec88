/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "common/base/utf8.h"

/* Encodes a number in `length` bytes by the rules of UTF-8, also if it is no valid code point. */
static struct text encode(uint32_t point, size_t length, char bytes[4])
{
    static const uint8_t marks[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = length; i-- > 1;) {
        bytes[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (char)(marks[length] | point);
    return text_view(bytes, length);
}

static size_t shortest(uint32_t point)
{
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

static void test_every_code_point_but_surrogates_is_valid(void **state)
{
    (void)state;
    char bytes[4];
    for (uint32_t point = 0; point < 0x200000; point++) {
        size_t length = shortest(point);
        bool valid = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        size_t found = utf8_sequence(encode(point, length, bytes));
        if (found != (valid ? length : 0))
            fail_msg("U+%04X: %zu bytes", point, found);
    }
}

static void test_an_overlong_form_is_invalid(void **state)
{
    (void)state;
    char bytes[4];
    for (uint32_t point = 0; point < 0x10000; point++) {
        for (size_t length = shortest(point) + 1; length <= 4; length++)
            assert_int_equal(utf8_sequence(encode(point, length, bytes)), 0);
    }
}

static void test_a_truncated_sequence_is_invalid(void **state)
{
    (void)state;
    static const uint32_t points[] = {0xe9, 0x20ac, 0x1f600};
    char bytes[4];
    for (size_t i = 0; i < 3; i++) {
        struct text text = encode(points[i], shortest(points[i]), bytes);
        for (size_t length = 1; length < text.length; length++)
            assert_false(utf8_valid(text_view(text.bytes, length)));
    }
    assert_int_equal(utf8_sequence(text_of("")), 0);
    assert_int_equal(utf8_sequence(TEXT_NONE), 0);
}

static void test_only_continuation_bytes_continue_a_sequence(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char two[] = {'\xc3', (char)byte}, four[] = {'\xf1', '\x80', '\x80', (char)byte};
        char third[] = {'\xf1', '\x80', (char)byte, '\x80'};
        bool valid = byte >= 0x80 && byte <= 0xbf;
        assert_int_equal(utf8_sequence(text_view(two, sizeof two)), valid ? 2 : 0);
        assert_int_equal(utf8_sequence(text_view(four, sizeof four)), valid ? 4 : 0);
        assert_int_equal(utf8_sequence(text_view(third, sizeof third)), valid ? 4 : 0);
    }
}

static void test_one_invalid_sequence_makes_the_text_invalid(void **state)
{
    (void)state;
    assert_true(utf8_valid(text_of("")));
    assert_true(utf8_valid(TEXT_NONE));
    assert_true(utf8_valid(text_of("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80")));
    assert_true(utf8_valid(text_view("a\0b", 3)));
    assert_false(utf8_valid(text_of("caf\xe9")));
    assert_false(utf8_valid(text_of("\x80")));
    assert_false(utf8_valid(text_of("ok\xff")));
}

/* The end of a prefix is greater than every text with the prefix, and nothing is between them. */
static void test_the_end_of_a_prefix_raises_its_last_code_point(void **state)
{
    static const struct {
        const char *prefix, *end;
    } rows[] = {
        {"a", "b"},
        {"compute-", "compute."},
        {"\x7f", "\xc2\x80"},
        {"caf\xc3\xa9", "caf\xc3\xaa"},
        {"\xdf\xbf", "\xe0\xa0\x80"},
        {"\xed\x9f\xbf", "\xee\x80\x80"}, /* surrogates are no code points */
        {"\xef\xbf\xbf", "\xf0\x90\x80\x80"},
        {"a\xf4\x8f\xbf\xbf", "b"}, /* U+10FFFF is the last one */
        {"a\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf", "b"},
    };
    struct arena *arena = arena_new(0);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text end = utf8_prefix_end(arena, text_of(rows[i].prefix));
        assert_true(text_is(end, rows[i].end));
        assert_true(utf8_valid(end));
    }
    assert_false(text_present(utf8_prefix_end(arena, text_of("\xf4\x8f\xbf\xbf"))));
    assert_false(text_present(utf8_prefix_end(arena, text_of(""))));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_of_a_prefix_raises_its_last_code_point),
        cmocka_unit_test(test_every_code_point_but_surrogates_is_valid),
        cmocka_unit_test(test_an_overlong_form_is_invalid),
        cmocka_unit_test(test_a_truncated_sequence_is_invalid),
        cmocka_unit_test(test_only_continuation_bytes_continue_a_sequence),
        cmocka_unit_test(test_one_invalid_sequence_makes_the_text_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
