/* SPDX-License-Identifier: Apache-2.0 */
/* Tests when an outage is logged. The time is a number. */
#include "tests/support/cmocka.h"

#include "worker/service/outage_log.h"

enum { BEGIN_MS = 5000 };

static struct outage_log begun(void)
{
    struct outage_log outage = {0};
    outage_log_begin(&outage, BEGIN_MS);
    return outage;
}

static void test_no_outage_has_no_line(void **state)
{
    (void)state;
    struct outage_log outage = {0};
    assert_false(outage_log_due(&outage, false, 0));
    assert_false(outage_log_due(&outage, true, 1000000));
    assert_int_equal(outage_log_duration_ms(&outage, 1000000), 0);
    assert_int_equal(outage_log_end(&outage, 1000000), 0);
}

static void test_the_first_failure_is_the_start(void **state)
{
    (void)state;
    struct outage_log outage = begun();
    assert_true(outage_log_due(&outage, true, BEGIN_MS));
    assert_false(outage_log_due(&outage, true, BEGIN_MS));
    assert_false(outage_log_due(&outage, false, BEGIN_MS + OUTAGE_START_MS));
}

static void test_without_a_failure_the_start_comes_after_a_second(void **state)
{
    (void)state;
    struct outage_log outage = begun();
    assert_false(outage_log_due(&outage, false, BEGIN_MS + OUTAGE_START_MS - 1));
    assert_true(outage_log_due(&outage, false, BEGIN_MS + OUTAGE_START_MS));
    assert_false(outage_log_due(&outage, false, BEGIN_MS + OUTAGE_START_MS + 1));
    assert_false(outage_log_due(&outage, true, BEGIN_MS + OUTAGE_START_MS + 1));
}

static void test_a_line_follows_each_minute(void **state)
{
    (void)state;
    struct outage_log outage = begun();
    size_t lines = 0;
    for (int64_t second = 0; second <= 600; second++) {
        outage_log_begin(&outage, BEGIN_MS + second * 1000); /* it has begun already */
        lines += outage_log_due(&outage, second % 2 == 0, BEGIN_MS + second * 1000);
    }
    assert_int_equal(lines, 11);
    assert_int_equal(outage_log_duration_ms(&outage, BEGIN_MS + 600000), 600000);
}

static void test_an_outage_ends_and_the_next_has_its_own_lines(void **state)
{
    (void)state;
    struct outage_log outage = begun();
    assert_true(outage_log_due(&outage, true, BEGIN_MS + 10));
    assert_int_equal(outage_log_end(&outage, BEGIN_MS + 1234), 1234);
    assert_false(outage_log_due(&outage, true, BEGIN_MS + 100000));
    outage_log_begin(&outage, BEGIN_MS + 2000);
    assert_true(outage_log_due(&outage, true, BEGIN_MS + 2000));
    assert_int_equal(outage_log_end(&outage, BEGIN_MS + 2001), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_outage_has_no_line),
        cmocka_unit_test(test_the_first_failure_is_the_start),
        cmocka_unit_test(test_without_a_failure_the_start_comes_after_a_second),
        cmocka_unit_test(test_a_line_follows_each_minute),
        cmocka_unit_test(test_an_outage_ends_and_the_next_has_its_own_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
