/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the budget: what is counted, when a batch may be begun, and the thresholds. */
#include "tests/support/cmocka.h"

#include "worker/service/memory_budget.h"

static void test_a_batch_is_begun_only_if_there_is_room(void **state)
{
    (void)state;
    struct memory_budget budget = {.max = 200};
    assert_true(memory_budget_reserve(&budget, 40));
    assert_true(memory_budget_reserve(&budget, 40));
    assert_false(memory_budget_reserve(&budget, 40));
    assert_true(memory_budget_reserve(&budget, 20));
    memory_budget_release(&budget, 40);
    assert_true(memory_budget_reserve(&budget, 40));
    memory_budget_release(&budget, 100);
    assert_int_equal(budget.reserved, 0);
}

/* Else commands that hold all of it would wait for ever for the batch that answers them. */
static void test_the_only_batch_is_always_begun(void **state)
{
    (void)state;
    struct memory_budget budget = {.max = 200};
    assert_true(memory_budget_reserve(&budget, 1000));
    assert_false(memory_budget_reserve(&budget, 1));
    memory_budget_release(&budget, 1000);
    assert_true(memory_budget_reserve(&budget, 1000));
}

/* However many batches of reads there are, the intake of commands goes on. */
static void test_reservations_do_not_count_as_used(void **state)
{
    (void)state;
    struct memory_budget budget = {.max = 200};
    while (memory_budget_reserve(&budget, 30))
        continue;
    assert_true(memory_budget_has_room(&budget));
    memory_budget_add(&budget, 100);
    memory_budget_release(&budget, 30);
    assert_true(memory_budget_reserve(&budget, 30)); /* nor the other way round */
}

static void test_the_thresholds(void **state)
{
    (void)state;
    struct memory_budget budget = {.max = 200};
    memory_budget_add(&budget, 49);
    assert_true(memory_budget_has_room(&budget));
    memory_budget_add(&budget, 26);
    assert_false(memory_budget_has_room(&budget));
    assert_false(memory_budget_is_nearly_full(&budget));
    memory_budget_add(&budget, 1);
    assert_true(memory_budget_is_nearly_full(&budget));
    assert_false(memory_budget_is_full(&budget));
    memory_budget_add(&budget, 24);
    assert_true(memory_budget_is_full(&budget));
}

static void test_without_a_limit_there_is_always_room(void **state)
{
    (void)state;
    struct memory_budget budget = {0};
    memory_budget_add(&budget, SIZE_MAX / 2);
    assert_true(memory_budget_reserve(&budget, 1));
    assert_true(memory_budget_reserve(&budget, 1));
    assert_true(memory_budget_has_room(&budget));
    assert_false(memory_budget_is_full(&budget));
    assert_false(memory_budget_is_nearly_full(&budget));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_batch_is_begun_only_if_there_is_room),
    cmocka_unit_test(test_the_only_batch_is_always_begun),
    cmocka_unit_test(test_reservations_do_not_count_as_used),
    cmocka_unit_test(test_the_thresholds),
    cmocka_unit_test(test_without_a_limit_there_is_always_room),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
