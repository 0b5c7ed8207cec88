/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "worker/service/watchdog.h"

enum { LIMIT_MS = 1000 };

static void test_a_thread_with_progress_is_never_reported(void **state)
{
    (void)state;
    struct watchdog watchdog = {0};
    for (int64_t now_ms = 5; now_ms < 100 * LIMIT_MS; now_ms += LIMIT_MS)
        assert_false(watchdog_check(&watchdog, (uint64_t)now_ms, true, now_ms, LIMIT_MS));
}

static void test_an_idle_thread_is_never_reported(void **state)
{
    (void)state;
    struct watchdog watchdog = {0};
    for (int64_t now_ms = 5; now_ms < 100 * LIMIT_MS; now_ms += LIMIT_MS)
        assert_false(watchdog_check(&watchdog, 7, false, now_ms, LIMIT_MS));
}

static void test_time_counts_from_the_first_check_with_work(void **state)
{
    (void)state;
    struct watchdog watchdog = {0};
    assert_false(watchdog_check(&watchdog, 0, true, 90000, LIMIT_MS));
    assert_false(watchdog_check(&watchdog, 0, true, 90000 + LIMIT_MS - 1, LIMIT_MS));
    assert_true(watchdog_check(&watchdog, 0, true, 90000 + LIMIT_MS, LIMIT_MS));
}

static void test_time_without_work_does_not_count(void **state)
{
    (void)state;
    struct watchdog watchdog = {0};
    assert_false(watchdog_check(&watchdog, 3, true, 1000, LIMIT_MS));
    assert_false(watchdog_check(&watchdog, 3, false, 1900, LIMIT_MS));
    assert_false(watchdog_check(&watchdog, 3, true, 2800, LIMIT_MS));
    assert_false(watchdog_check(&watchdog, 3, true, 3799, LIMIT_MS));
    assert_true(watchdog_check(&watchdog, 3, true, 3800, LIMIT_MS));
}

static void test_a_stall_is_reported_once_each_limit_and_counted(void **state)
{
    (void)state;
    struct watchdog watchdog = {0};
    assert_false(watchdog_check(&watchdog, 3, true, 1000, LIMIT_MS));
    assert_true(watchdog_check(&watchdog, 3, true, 2000, LIMIT_MS));
    assert_int_equal(watchdog.consecutive, 1);
    assert_false(watchdog_check(&watchdog, 3, true, 2001, LIMIT_MS));
    assert_true(watchdog_check(&watchdog, 3, true, 3000, LIMIT_MS));
    assert_int_equal(watchdog.consecutive, 2);
}

static void test_progress_restarts_the_count(void **state)
{
    (void)state;
    struct watchdog watchdog = {0};
    assert_false(watchdog_check(&watchdog, 3, true, 1000, LIMIT_MS));
    assert_true(watchdog_check(&watchdog, 3, true, 2000, LIMIT_MS));
    assert_false(watchdog_check(&watchdog, 4, true, 3000, LIMIT_MS));
    assert_int_equal(watchdog.consecutive, 0);
    assert_true(watchdog_check(&watchdog, 4, true, 4000, LIMIT_MS));
    assert_int_equal(watchdog.consecutive, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_with_progress_is_never_reported),
        cmocka_unit_test(test_an_idle_thread_is_never_reported),
        cmocka_unit_test(test_time_counts_from_the_first_check_with_work),
        cmocka_unit_test(test_time_without_work_does_not_count),
        cmocka_unit_test(test_a_stall_is_reported_once_each_limit_and_counted),
        cmocka_unit_test(test_progress_restarts_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
