/* SPDX-License-Identifier: Apache-2.0 */
/* Tests how allotctl reads and prints points in time. */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <time.h>

#include "ctl/time_text.h"

#define NOW_MS INT64_C(1800000000000)

/* Sets the zone of the user. */
static void live_in(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

static int setup(void **state)
{
    (void)state;
    live_in("UTC");
    return 0;
}

static void expect(const char *text, int64_t expected_ms)
{
    int64_t parsed_ms = 0;
    if (!time_parse(text, NOW_MS, &parsed_ms))
        fail_msg("not a time: %s", text);
    assert_true(parsed_ms == expected_ms);
}

static void test_dates_times_and_durations_are_parsed(void **state)
{
    (void)state;
    expect("1970-01-02", 86400000);
    expect("1970-01-02Z", 86400000);
    expect("2026-01-31T23:59:59", INT64_C(1769903999000));
    expect("2026-01-31 23:59:59", INT64_C(1769903999000));
    expect("2026-01-31 23:59:59Z", INT64_C(1769903999000));
    expect("2026-01-31T23:59:59Z", INT64_C(1769903999000));
    expect("2024-02-29", INT64_C(1709164800000));
    expect("90s", NOW_MS - 90000);
    expect("2h", NOW_MS - 7200000);
    expect("7d", NOW_MS - INT64_C(604800000));
}

static void test_what_is_no_time_is_rejected(void **state)
{
    (void)state;
    const char *const cases[] = {"",
                                 "yesterday",
                                 "2026",
                                 "2026-13-01",
                                 "2026-02-30",
                                 "2026-01-31T23:59",
                                 "2026-01-31T24:00:00",
                                 "2026-01-31T23:59:59+1",
                                 "2026-01-31T23:59:59 CET",
                                 "2026-01-31x",
                                 "1970-01-01",
                                 "1969-01-01",
                                 "2",
                                 "-2h",
                                 "99999999999999d"};
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (time_parse(cases[i], NOW_MS, &ms))
            fail_msg("taken for a time: %s", cases[i]);
    }
}

/* "EST5EDT" with its rule needs no database of zones. */
static void test_a_time_without_z_is_local(void **state)
{
    (void)state;
    live_in("EST5EDT,M3.2.0,M11.1.0");
    expect("2026-01-31T23:59:59", INT64_C(1769903999000) + 5 * 3600000);
    expect("2026-07-31 00:00:00", INT64_C(1785456000000) + 4 * 3600000); /* summer time */
    expect("2026-01-31", INT64_C(1769817600000) + 5 * 3600000);
    expect("2026-01-31Z", INT64_C(1769817600000));
    expect("2026-01-31T23:59:59Z", INT64_C(1769903999000));
    expect("2h", NOW_MS - 7200000);
}

static void test_a_time_with_a_zone_is_of_that_zone(void **state)
{
    (void)state;
    live_in("EST5EDT,M3.2.0,M11.1.0");
    expect("2026-02-01T00:59:59+01:00", INT64_C(1769903999000));
    expect("2026-02-01 00:59:59 +0100", INT64_C(1769903999000));
    expect("2026-01-31 18:59:59 -0500", INT64_C(1769903999000));
}

static void test_local_times_are_printed_with_their_zone(void **state)
{
    (void)state;
    live_in("EST5EDT,M3.2.0,M11.1.0");
    assert_string_equal(time_format_local(INT64_C(1769903999999)).chars,
                        "2026-01-31 18:59:59 -0500");
    assert_string_equal(time_format_local(INT64_C(1785456000000)).chars,
                        "2026-07-30 20:00:00 -0400");
    live_in("UTC");
    assert_string_equal(time_format_local(INT64_C(1769903999999)).chars,
                        "2026-01-31 23:59:59 +0000");
    assert_string_equal(time_format_local(0).chars, "-");
    assert_string_equal(time_format_local(INT64_MAX).chars, "-");
}

/* In the night in which summer time begins there is no such time, and no day is lost by it. */
static void test_a_printed_local_time_is_read_as_the_same_time(void **state)
{
    (void)state;
    live_in("EST5EDT,M3.2.0,M11.1.0");
    for (int64_t ms = INT64_C(1772928000000); ms < INT64_C(1773100800000); ms += 3600000) {
        struct time_text text = time_format_local(ms);
        expect(text.chars, ms);
        text.chars[19] = '\0'; /* without the zone */
        expect(text.chars, ms);
    }
}

static void test_times_are_printed_in_utc(void **state)
{
    (void)state;
    assert_string_equal(time_format(INT64_C(1769903999999)).chars, "2026-01-31T23:59:59Z");
    assert_string_equal(time_format(0).chars, "-");
    assert_string_equal(time_format(-1).chars, "-");
    assert_string_equal(time_format(INT64_MAX).chars, "-");
}

static void test_ages_have_two_units_at_most(void **state)
{
    (void)state;
    const struct {
        int64_t seconds;
        const char *age;
    } cases[] = {{0, "0s"},      {59, "59s"},       {60, "1m0s"},    {3599, "59m59s"},
                 {3600, "1h0m"}, {86399, "23h59m"}, {86400, "1d0h"}, {2 * 86400 + 7200, "2d2h"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(time_format_age(NOW_MS - cases[i].seconds * 1000, NOW_MS).chars,
                            cases[i].age);
    assert_string_equal(time_format_age(NOW_MS + 1, NOW_MS).chars, "-");
    assert_string_equal(time_format_age(-1, NOW_MS).chars, "-");
    assert_string_equal(time_format_age(INT64_MIN, NOW_MS).chars, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_dates_times_and_durations_are_parsed, setup),
        cmocka_unit_test_setup(test_what_is_no_time_is_rejected, setup),
        cmocka_unit_test_setup(test_a_time_without_z_is_local, setup),
        cmocka_unit_test_setup(test_a_time_with_a_zone_is_of_that_zone, setup),
        cmocka_unit_test_setup(test_local_times_are_printed_with_their_zone, setup),
        cmocka_unit_test_setup(test_a_printed_local_time_is_read_as_the_same_time, setup),
        cmocka_unit_test_setup(test_times_are_printed_in_utc, setup),
        cmocka_unit_test_setup(test_ages_have_two_units_at_most, setup),
    };
    return cmocka_run_group_tests_name("time_text", tests, NULL, NULL) != 0;
}
