/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "worker/service/patience.h"

enum { LEAST_MS = 1000, MAX_MS = 10000, SLOW = 1, OTHER = 2, THIRD = 3 };

static struct patience begin(void)
{
    struct patience patience;
    patience_init(&patience, MAX_MS);
    return patience;
}

static void test_it_begins_with_a_second_or_the_maximum(void **state)
{
    (void)state;
    struct patience patience = begin();
    assert_int_equal(patience.ms, LEAST_MS);
    patience_init(&patience, 300);
    assert_int_equal(patience.ms, 300);
    assert_int_equal(patience_main_ms(&patience), 300);
}

static void test_one_destination_never_raises_it(void **state)
{
    (void)state;
    struct patience patience = begin();
    for (int64_t latency_ms = 500; latency_ms < MAX_MS; latency_ms += 100) {
        patience_confirmed(&patience, SLOW, latency_ms, true);
        patience_confirmed(&patience, SLOW, latency_ms, false);
        assert_int_equal(patience.ms, LEAST_MS);
    }
}

static void test_two_slow_destinations_raise_it_to_twice_the_quicker(void **state)
{
    (void)state;
    struct patience patience = begin();
    patience_confirmed(&patience, SLOW, 9000, true);
    patience_confirmed(&patience, OTHER, 1500, true);
    assert_int_equal(patience.ms, 3000);
    patience_confirmed(&patience, SLOW, 9000, true);
    assert_int_equal(patience.ms, 3000);
    patience_confirmed(&patience, OTHER, 1600, true);
    assert_int_equal(patience.ms, 3200);
    patience_confirmed(&patience, THIRD, 9000, true);
    assert_int_equal(patience.ms, 3200);
    patience_confirmed(&patience, OTHER, 9000, true);
    assert_int_equal(patience.ms, MAX_MS);
}

static void test_a_quick_confirm_between_them_is_evidence_against(void **state)
{
    (void)state;
    struct patience patience = begin();
    patience_confirmed(&patience, SLOW, 9000, true);
    patience_confirmed(&patience, THIRD, 500, true);
    patience_confirmed(&patience, OTHER, 9000, true);
    assert_int_equal(patience.ms, LEAST_MS);
}

/* There one destination can be the reason why all are slow. */
static void test_the_main_route_raises_it_to_two_seconds_at_most(void **state)
{
    (void)state;
    struct patience patience = begin();
    for (int64_t latency_ms = 600; latency_ms < MAX_MS; latency_ms += 100) {
        patience_confirmed(&patience, SLOW, latency_ms, false);
        patience_confirmed(&patience, OTHER, latency_ms, false);
        assert_true(patience.ms <= 2 * LEAST_MS);
    }
    assert_int_equal(patience.ms, 2 * LEAST_MS);
}

static void test_quick_confirms_lower_it_slowly(void **state)
{
    (void)state;
    struct patience patience = begin();
    patience_confirmed(&patience, SLOW, 4000, true);
    patience_confirmed(&patience, OTHER, 4000, true);
    assert_int_equal(patience.ms, 8000);
    patience_confirmed(&patience, OTHER, 4000, true);
    assert_int_equal(patience.ms, 8000);
    patience_confirmed(&patience, OTHER, 10, false);
    assert_int_equal(patience.ms, 7500);
    for (size_t i = 0; i < 40; i++)
        patience_confirmed(&patience, OTHER, 10, false);
    assert_int_equal(patience.ms, LEAST_MS);
}

static void test_restarts_double_it_on_the_main_route_until_a_confirm_in_time(void **state)
{
    (void)state;
    struct patience patience = begin();
    patience_restarted(&patience);
    patience_restarted(&patience);
    assert_int_equal(patience.ms, LEAST_MS);
    assert_int_equal(patience_main_ms(&patience), 4 * LEAST_MS);
    patience_confirmed(&patience, OTHER, LEAST_MS + 1, false);
    assert_int_equal(patience_main_ms(&patience), 4 * LEAST_MS);
    for (size_t i = 0; i < 100; i++)
        patience_restarted(&patience);
    assert_int_equal(patience_main_ms(&patience), MAX_MS);
    patience_confirmed(&patience, OTHER, LEAST_MS, false);
    assert_int_equal(patience_main_ms(&patience), LEAST_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_begins_with_a_second_or_the_maximum),
        cmocka_unit_test(test_one_destination_never_raises_it),
        cmocka_unit_test(test_two_slow_destinations_raise_it_to_twice_the_quicker),
        cmocka_unit_test(test_a_quick_confirm_between_them_is_evidence_against),
        cmocka_unit_test(test_the_main_route_raises_it_to_two_seconds_at_most),
        cmocka_unit_test(test_quick_confirms_lower_it_slowly),
        cmocka_unit_test(test_restarts_double_it_on_the_main_route_until_a_confirm_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
