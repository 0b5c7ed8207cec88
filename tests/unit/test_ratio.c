/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/codec/ratio.h"

static void assert_round_trip(int64_t ratio)
{
    struct ratio_text text = ratio_format(ratio);
    int64_t read = 0;
    if (!ratio_from_double(strtod(text.chars, NULL), &read) || read != ratio)
        fail_msg("%lld is written as %s and read as %lld", (long long)ratio, text.chars,
                 (long long)read);
}

static void test_every_ratio_survives_writing_and_reading(void **state)
{
    (void)state;
    for (int64_t ratio = RATIO_MIN; ratio <= 2 * RATIO_ONE; ratio++)
        assert_round_trip(ratio);
    for (int64_t ratio = RATIO_MAX; ratio > RATIO_MAX - 100000; ratio--)
        assert_round_trip(ratio);
    for (int64_t ratio = 1; ratio < RATIO_MAX / 3; ratio = ratio * 3 / 2 + 1)
        assert_round_trip(ratio);
}

/* Returns the double that is `steps` after `number`, which is positive. */
static double neighbour(double number, int steps)
{
    int64_t bits = 0;
    memcpy(&bits, &number, sizeof bits);
    bits += steps;
    memcpy(&number, &bits, sizeof bits);
    return number;
}

static void test_a_neighbour_of_a_decimal_is_no_ratio(void **state)
{
    (void)state;
    for (int64_t ratio = RATIO_MIN; ratio < RATIO_MAX; ratio += 1 + ratio / 97) {
        double exact = (double)ratio / 1e6;
        int64_t read = -1;
        assert_false(ratio_from_double(neighbour(exact, -1), &read));
        assert_false(ratio_from_double(neighbour(exact, 1), &read));
        assert_int_equal(read, -1);
    }
}

static void test_a_number_beyond_the_range_is_no_ratio(void **state)
{
    (void)state;
    static const double invalid[] = {0.0,       -0.0,   -1.0,  1e-7,   4.9e-324, 1000000.000001,
                                     1000001.0, 9.3e18, 1e300, -1e300, INFINITY, -INFINITY,
                                     NAN};
    int64_t read = -1;
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        assert_false(ratio_from_double(invalid[i], &read));
    static const int64_t integers[] = {0, -1, 1000001, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        assert_false(ratio_from_integer(integers[i], &read));
    assert_int_equal(read, -1);
}

static void test_integers_are_ratios_too(void **state)
{
    (void)state;
    int64_t ratio = 0;
    assert_true(ratio_from_integer(1, &ratio));
    assert_int_equal(ratio, RATIO_ONE);
    assert_true(ratio_from_integer(1000000, &ratio));
    assert_int_equal(ratio, RATIO_MAX);
}

static void test_a_ratio_is_written_as_a_short_decimal(void **state)
{
    (void)state;
    static const struct {
        int64_t ratio;
        const char *text;
    } rows[] = {{1, "0.000001"},    {10, "0.00001"},         {570000, "0.57"}, {999999, "0.999999"},
                {1000000, "1.0"},   {1000001, "1.000001"},   {1500000, "1.5"}, {16000000, "16.0"},
                {10100000, "10.1"}, {RATIO_MAX, "1000000.0"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(ratio_format(rows[i].ratio).chars, rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_ratio_survives_writing_and_reading),
        cmocka_unit_test(test_a_neighbour_of_a_decimal_is_no_ratio),
        cmocka_unit_test(test_a_number_beyond_the_range_is_no_ratio),
        cmocka_unit_test(test_integers_are_ratios_too),
        cmocka_unit_test(test_a_ratio_is_written_as_a_short_decimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
