/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "allot/limits.h"
#include "common/core/inventory.h"

static struct inventory inventory_of(int64_t total, int64_t reserved, int64_t ratio)
{
    return (struct inventory){.total = total,
                              .reserved = reserved,
                              .min_unit = 1,
                              .max_unit = AMOUNT_MAX,
                              .step_size = 1,
                              .ratio = ratio};
}

static void test_a_decimal_ratio_is_exact(void **state)
{
    (void)state;
    struct inventory inventory = inventory_of(100, 0, 290000);
    assert_int_equal(inventory_capacity(&inventory), 29);
    assert_true(inventory_fits(&inventory, 29));
    assert_false(inventory_fits(&inventory, 30));
    inventory.ratio = 570000;
    assert_int_equal(inventory_capacity(&inventory), 57);
    assert_true(inventory_fits(&inventory, 57));
}

static void test_a_capacity_is_rounded_down(void **state)
{
    (void)state;
    struct inventory inventory = inventory_of(3, 0, 1500000);
    assert_int_equal(inventory_capacity(&inventory), 4);
    assert_true(inventory_fits(&inventory, 4));
    assert_false(inventory_fits(&inventory, 5));
    inventory = inventory_of(1, 0, RATIO_MIN);
    assert_int_equal(inventory_capacity(&inventory), 0);
    assert_false(inventory_fits(&inventory, 1));
}

static void test_the_reserved_amount_is_subtracted_before_the_ratio_applies(void **state)
{
    (void)state;
    struct inventory inventory = inventory_of(10, 4, 2000000);
    assert_int_equal(inventory_capacity(&inventory), 12);
    inventory = inventory_of(10, 10, RATIO_MAX);
    assert_true(inventory_fits(&inventory, 0));
    assert_false(inventory_fits(&inventory, 1));
}

static void test_the_largest_inventory_does_not_overflow(void **state)
{
    (void)state;
    struct inventory inventory = inventory_of(AMOUNT_MAX, 0, RATIO_MAX);
    int64_t capacity = INT64_C(2147483647) * INT64_C(1000000);
    assert_int_equal(inventory_capacity(&inventory), capacity);
    assert_true(inventory_fits(&inventory, capacity));
    assert_false(inventory_fits(&inventory, capacity + 1));
    assert_false(inventory_fits(&inventory, INT64_MAX));
    inventory = inventory_of(AMOUNT_MAX, 0, RATIO_ONE);
    assert_true(inventory_fits(&inventory, AMOUNT_MAX));
    assert_false(inventory_fits(&inventory, AMOUNT_MAX + 1));
}

static void assert_unit(int64_t amount, const char *unit, int64_t value)
{
    struct inventory inventory = {.min_unit = 4, .max_unit = 9, .step_size = 3};
    int64_t given = -1;
    const char *broken = inventory_broken_unit(&inventory, amount, &given);
    if (unit == NULL) {
        assert_null(broken);
        return;
    }
    assert_non_null(broken);
    assert_string_equal(broken, unit);
    assert_int_equal(given, value);
}

static void test_the_first_violated_unit_is_named(void **state)
{
    (void)state;
    assert_unit(2, "min_unit", 4);
    assert_unit(3, "min_unit", 4);
    assert_unit(10, "max_unit", 9);
    assert_unit(AMOUNT_MAX, "max_unit", 9);
    assert_unit(5, "step_size", 3);
    assert_unit(6, NULL, 0);
    assert_unit(9, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_decimal_ratio_is_exact),
        cmocka_unit_test(test_a_capacity_is_rounded_down),
        cmocka_unit_test(test_the_reserved_amount_is_subtracted_before_the_ratio_applies),
        cmocka_unit_test(test_the_largest_inventory_does_not_overflow),
        cmocka_unit_test(test_the_first_violated_unit_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
