/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/base/error.h"

/* An error, followed by bytes that must stay unchanged. */
struct guarded {
    struct error error;
    char sentinel[16];
};

static struct guarded guarded_new(void)
{
    struct guarded guarded;
    memset(&guarded, 0x5a, sizeof guarded);
    guarded.error.text[0] = '\0';
    return guarded;
}

static void assert_intact(const struct guarded *guarded)
{
    static const char sentinel[] = "ZZZZZZZZZZZZZZZZ";
    assert_memory_equal(guarded->sentinel, sentinel, sizeof sentinel - 1);
    assert_true(strnlen(guarded->error.text, ERROR_TEXT_MAX) < ERROR_TEXT_MAX);
}

static void test_setting_replaces_the_text(void **state)
{
    (void)state;
    struct guarded guarded = guarded_new();
    error_set(&guarded.error, "a much longer text than the next one");
    error_set(&guarded.error, "%s %d", "code", 7);
    assert_string_equal(guarded.error.text, "code 7");
    assert_intact(&guarded);
}

static void test_the_last_prefix_comes_first(void **state)
{
    (void)state;
    struct guarded guarded = guarded_new();
    error_set(&guarded.error, "refused");
    error_prefix(&guarded.error, "connect to %s", "host");
    error_prefix(&guarded.error, "start");
    assert_string_equal(guarded.error.text, "start: connect to host: refused");
    assert_intact(&guarded);
}

static void test_a_null_error_is_ignored(void **state)
{
    (void)state;
    error_set(NULL, "%s", "text");
    error_prefix(NULL, "%s", "text");
}

static void test_a_text_that_is_too_long_is_truncated_and_terminated(void **state)
{
    (void)state;
    struct guarded guarded = guarded_new();
    error_set(&guarded.error, "%*d", 5000, 1);
    assert_int_equal(strlen(guarded.error.text), ERROR_TEXT_MAX - 1);
    assert_intact(&guarded);
}

static void test_a_long_prefix_truncates_the_end_of_the_text(void **state)
{
    (void)state;
    for (int width = 1; width < ERROR_TEXT_MAX + 10; width++) {
        struct guarded guarded = guarded_new();
        error_set(&guarded.error, "inner %*d", 400, 1);
        error_prefix(&guarded.error, "x%*s", width, "y");
        assert_intact(&guarded);
        assert_int_equal(guarded.error.text[0], 'x');
        size_t length = strlen(guarded.error.text);
        assert_true(length <= ERROR_TEXT_MAX - 1);
        if (width < 90)
            assert_int_equal(length, (size_t)width + 1 + 2 + 406);
        else if (width > 110)
            assert_int_equal(length, ERROR_TEXT_MAX - 1);
    }
}

static void test_an_unterminated_text_is_not_read_beyond_its_end(void **state)
{
    (void)state;
    struct guarded guarded;
    memset(&guarded, 0x5a, sizeof guarded);
    error_prefix(&guarded.error, "p");
    assert_int_equal(strlen(guarded.error.text), ERROR_TEXT_MAX - 1);
    assert_memory_equal(guarded.error.text, "p: ZZ", 5);
    assert_intact(&guarded);
}

static void test_percent_signs_in_values_are_not_formats(void **state)
{
    (void)state;
    struct guarded guarded = guarded_new();
    error_set(&guarded.error, "50%% of %%s");
    error_prefix(&guarded.error, "%s", "100%d");
    assert_string_equal(guarded.error.text, "100%d: 50% of %s");
    assert_intact(&guarded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setting_replaces_the_text),
        cmocka_unit_test(test_the_last_prefix_comes_first),
        cmocka_unit_test(test_a_null_error_is_ignored),
        cmocka_unit_test(test_a_text_that_is_too_long_is_truncated_and_terminated),
        cmocka_unit_test(test_a_long_prefix_truncates_the_end_of_the_text),
        cmocka_unit_test(test_an_unterminated_text_is_not_read_beyond_its_end),
        cmocka_unit_test(test_percent_signs_in_values_are_not_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
