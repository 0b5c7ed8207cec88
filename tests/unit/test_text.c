/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/base/text.h"

static void test_absent_is_not_the_same_as_empty(void **state)
{
    (void)state;
    assert_false(text_present(TEXT_NONE));
    assert_false(text_present(text_of(NULL)));
    assert_true(text_present(text_of("")));
    assert_true(text_present(text_view("x", 0)));
}

static void test_equality_compares_every_byte_and_the_length(void **state)
{
    (void)state;
    assert_true(text_equal(text_of("abc"), text_view("abcd", 3)));
    assert_false(text_equal(text_of("abc"), text_of("abd")));
    assert_false(text_equal(text_of("abc"), text_of("ab")));
    assert_false(text_equal(text_view("a\0b", 3), text_view("a\0c", 3)));
    assert_true(text_equal(TEXT_NONE, text_of("")));
    assert_true(text_equal(TEXT_NONE, TEXT_NONE));
}

static void test_a_c_string_ends_at_its_nul(void **state)
{
    (void)state;
    assert_true(text_is(text_of("abc"), "abc"));
    assert_false(text_is(text_view("abc\0", 4), "abc"));
    assert_false(text_is(text_of("ab"), "abc"));
    assert_true(text_is(TEXT_NONE, ""));
}

static void assert_less(struct text less, struct text more)
{
    assert_true(text_compare(less, more) < 0);
    assert_true(text_compare(more, less) > 0);
}

static void test_order_is_by_unsigned_bytes_and_a_prefix_comes_first(void **state)
{
    (void)state;
    assert_less(text_of("ab"), text_of("abc"));
    assert_less(text_of("abc"), text_of("abd"));
    assert_less(text_of("z"), text_of("\xc3\xa9"));
    assert_less(text_of("B"), text_of("a"));
    assert_less(text_view("a\0a", 3), text_view("a\0b", 3));
    assert_less(text_of(""), text_view("\0", 1));
    assert_less(TEXT_NONE, text_of("a"));
    assert_int_equal(text_compare(TEXT_NONE, text_of("")), 0);
    assert_int_equal(text_compare(text_of("same"), text_of("same")), 0);
}

static void test_a_prefix_longer_than_the_text_is_not_found(void **state)
{
    (void)state;
    assert_true(text_starts_with(text_of("allocation.set"), "allocation."));
    assert_true(text_starts_with(text_of("a"), "a"));
    assert_true(text_starts_with(text_of("a"), ""));
    assert_true(text_starts_with(TEXT_NONE, ""));
    assert_false(text_starts_with(text_of("al"), "allocation"));
    assert_false(text_starts_with(text_of("b"), "a"));
    assert_false(text_starts_with(TEXT_NONE, "a"));
    assert_false(text_starts_with(text_view("allocation", 2), "allocation"));
}

static void test_a_copy_is_independent_and_ends_with_a_nul(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    char source[] = "abcdef";
    struct text copy = text_copy(arena, text_view(source, 3));
    memset(source, 'x', sizeof source);
    assert_true(text_is(copy, "abc"));
    assert_int_equal(copy.bytes[copy.length], '\0');

    struct text with_nul = text_copy(arena, text_view("a\0b", 3));
    assert_memory_equal(with_nul.bytes, "a\0b\0", 4);
    arena_free(arena);
}

static void test_a_copy_keeps_absent_absent_and_empty_empty(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_false(text_present(text_copy(arena, TEXT_NONE)));
    struct text empty = text_copy(arena, text_of(""));
    assert_true(text_present(empty));
    assert_int_equal(empty.length, 0);
    assert_int_equal(empty.bytes[0], '\0');
    arena_free(arena);
}

static void test_a_formatted_text_is_never_truncated(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_true(text_is(text_format(arena, "%s-%d", "a", 7), "a-7"));
    assert_true(text_is(text_format(arena, "%.*s", TEXT_ARGS(TEXT_NONE)), ""));
    struct text empty = text_format(arena, "%s", "");
    assert_true(text_present(empty));
    assert_int_equal(empty.length, 0);

    struct text wide = text_format(arena, "%*d", 20000, 5);
    assert_int_equal(wide.length, 20000);
    assert_int_equal(wide.bytes[0], ' ');
    assert_int_equal(wide.bytes[19999], '5');
    assert_int_equal(wide.bytes[20000], '\0');
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_is_not_the_same_as_empty),
        cmocka_unit_test(test_equality_compares_every_byte_and_the_length),
        cmocka_unit_test(test_a_c_string_ends_at_its_nul),
        cmocka_unit_test(test_order_is_by_unsigned_bytes_and_a_prefix_comes_first),
        cmocka_unit_test(test_a_prefix_longer_than_the_text_is_not_found),
        cmocka_unit_test(test_a_copy_is_independent_and_ends_with_a_nul),
        cmocka_unit_test(test_a_copy_keeps_absent_absent_and_empty_empty),
        cmocka_unit_test(test_a_formatted_text_is_never_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
