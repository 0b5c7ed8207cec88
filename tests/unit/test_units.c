/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "common/codec/units.h"

enum { UNTOUCHED = -7 };

static int64_t parsed(enum unit_kind kind, const char *string)
{
    int64_t value = UNTOUCHED;
    assert_true(units_parse(kind, text_of(string), &value));
    return value;
}

static void assert_refused(enum unit_kind kind, const char *string)
{
    int64_t value = UNTOUCHED;
    if (units_parse(kind, text_of(string), &value))
        fail_msg("\"%s\" was taken for %lld", string, (long long)value);
    assert_int_equal(value, UNTOUCHED);
}

static void test_each_unit_has_its_factor(void **state)
{
    (void)state;
    assert_int_equal(parsed(UNIT_COUNT, "42"), 42);
    assert_int_equal(parsed(UNIT_DURATION, "250ms"), 250);
    assert_int_equal(parsed(UNIT_DURATION, "3s"), 3000);
    assert_int_equal(parsed(UNIT_DURATION, "2m"), 120000);
    assert_int_equal(parsed(UNIT_DURATION, "1h"), 3600000);
    assert_int_equal(parsed(UNIT_DURATION, "7d"), 604800000);
    assert_int_equal(parsed(UNIT_BYTES, "5B"), 5);
    assert_int_equal(parsed(UNIT_BYTES, "1KiB"), 1024);
    assert_int_equal(parsed(UNIT_BYTES, "8MiB"), 8388608);
    assert_int_equal(parsed(UNIT_BYTES, "16GiB"), 17179869184);
}

static void test_zero_is_a_number_and_has_one_digit(void **state)
{
    (void)state;
    assert_int_equal(parsed(UNIT_COUNT, "0"), 0);
    assert_int_equal(parsed(UNIT_DURATION, "0s"), 0);
    assert_refused(UNIT_COUNT, "00");
    assert_refused(UNIT_COUNT, "010");
    assert_refused(UNIT_DURATION, "01s");
}

static void test_only_decimal_digits_make_a_number(void **state)
{
    (void)state;
    static const char *const strings[] = {"",     " ",  "-1",  "+1",  "1.0", "1e3",
                                          "0x10", " 1", "1 ",  "1\n", "1_0", "1,",
                                          "one",  "s",  "NaN", "1 s", "ms1", "\xd9\xa1"};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        assert_refused(UNIT_COUNT, strings[i]);
        assert_refused(UNIT_DURATION, strings[i]);
        assert_refused(UNIT_BYTES, strings[i]);
    }
    assert_false(units_parse(UNIT_COUNT, TEXT_NONE, &(int64_t){0}));
}

static void test_a_unit_is_needed_and_has_to_be_one_of_its_kind(void **state)
{
    (void)state;
    static const char *const durations[] = {"10", "10S", "10sec", "10M", "10us", "10ss", "10B"};
    static const char *const sizes[] = {"10", "10b", "10kB", "10KB", "10MB", "10mib", "10K", "10s"};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++)
        assert_refused(UNIT_DURATION, durations[i]);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_refused(UNIT_BYTES, sizes[i]);
    assert_refused(UNIT_COUNT, "10s");
    assert_refused(UNIT_COUNT, "10B");
}

static void test_what_is_beyond_64_bits_saturates_and_never_wraps(void **state)
{
    (void)state;
    assert_int_equal(parsed(UNIT_COUNT, "9223372036854775807"), INT64_MAX);
    assert_int_equal(parsed(UNIT_COUNT, "9223372036854775806"), INT64_MAX - 1);
    assert_int_equal(parsed(UNIT_COUNT, "9223372036854775808"), INT64_MAX);
    assert_int_equal(parsed(UNIT_COUNT, "18446744073709551617"), INT64_MAX);
    assert_int_equal(parsed(UNIT_COUNT, "99999999999999999999999999999999999999"), INT64_MAX);
    assert_int_equal(parsed(UNIT_DURATION, "106751991168d"), INT64_MAX);
    assert_int_equal(parsed(UNIT_DURATION, "106751991167d"), 106751991167 * 86400000);
    assert_int_equal(parsed(UNIT_BYTES, "17179869184GiB"), INT64_MAX);
}

static void test_a_value_is_written_with_its_largest_whole_unit(void **state)
{
    (void)state;
    assert_string_equal(units_format(UNIT_COUNT, 1500).chars, "1500");
    assert_string_equal(units_format(UNIT_DURATION, 1500).chars, "1500ms");
    assert_string_equal(units_format(UNIT_DURATION, 60000).chars, "1m");
    assert_string_equal(units_format(UNIT_DURATION, 90000).chars, "90s");
    assert_string_equal(units_format(UNIT_DURATION, 31536000000).chars, "365d");
    assert_string_equal(units_format(UNIT_BYTES, 17179869184).chars, "16GiB");
    assert_string_equal(units_format(UNIT_BYTES, 1048577).chars, "1048577B");
    assert_string_equal(units_format(UNIT_DURATION, 0).chars, "0ms");
    assert_string_equal(units_format(UNIT_BYTES, 0).chars, "0B");
}

static void test_what_is_written_is_read_back_the_same(void **state)
{
    (void)state;
    static const enum unit_kind kinds[] = {UNIT_COUNT, UNIT_DURATION, UNIT_BYTES};
    for (size_t i = 0; i < 3; i++) {
        for (int64_t value = 0; value < INT64_MAX / 7; value = value * 7 + 11)
            assert_int_equal(parsed(kinds[i], units_format(kinds[i], value).chars), value);
        assert_int_equal(parsed(kinds[i], units_format(kinds[i], INT64_MAX).chars), INT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_unit_has_its_factor),
        cmocka_unit_test(test_zero_is_a_number_and_has_one_digit),
        cmocka_unit_test(test_only_decimal_digits_make_a_number),
        cmocka_unit_test(test_a_unit_is_needed_and_has_to_be_one_of_its_kind),
        cmocka_unit_test(test_what_is_beyond_64_bits_saturates_and_never_wraps),
        cmocka_unit_test(test_a_value_is_written_with_its_largest_whole_unit),
        cmocka_unit_test(test_what_is_written_is_read_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
