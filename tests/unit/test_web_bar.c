/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the bars of the capacity page, and that each reason of a letter is explained. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "allot/limits.h"
#include "common/core/verdict.h"
#include "ctl/web/bar.h"
#include "ctl/web/reason.h"

static struct inventory_record record_of(int64_t total, int64_t reserved, int64_t ratio,
                                         int64_t used)
{
    return (struct inventory_record){.inventory = {.resource_class = text_of("VCPU"),
                                                   .total = total,
                                                   .reserved = reserved,
                                                   .min_unit = 1,
                                                   .max_unit = INT32_MAX,
                                                   .step_size = 1,
                                                   .ratio = ratio},
                                     .used = used};
}

static void test_a_bar_has_amounts_after_the_ratio(void **state)
{
    struct inventory_record record = record_of(32, 2, 4 * RATIO_ONE, 100);
    struct bar bar = bar_of(&record);
    (void)state;
    assert_int_equal(bar.used, 100);
    assert_int_equal(bar.reserved, 8);
    assert_int_equal(bar.free, 20);
    assert_int_equal(bar.over, 0);
}

static void test_what_is_over_the_capacity_is_not_free(void **state)
{
    struct inventory_record record = record_of(10, 2, RATIO_ONE, 11);
    struct bar bar = bar_of(&record);
    (void)state;
    assert_int_equal(bar.free, 0);
    assert_int_equal(bar.over, 3);
}

static void test_sums_do_not_overflow(void **state)
{
    struct inventory_record record = record_of(INT64_MAX, INT64_MAX / 2, RATIO_MAX, INT64_MAX);
    struct bar bar = bar_of(&record), other = bar;
    (void)state;
    bar_add(&bar, &other);
    assert_int_equal(bar.used, INT64_MAX);
    assert_int_equal(bar.reserved, INT64_MAX);
}

static bool contains(struct text text, const char *part)
{
    return memmem(text.bytes, text.length, part, strlen(part)) != NULL;
}

static void test_the_numbers_stand_beside_the_bar(void **state)
{
    struct arena *arena = arena_new(0);
    struct inventory_record record = record_of(10, 2, RATIO_ONE, 11);
    struct bar bar = bar_of(&record);
    struct html html = html_new(arena);
    (void)state;
    bar_write(&html, &bar, &record);
    assert_true(contains(html_result(&html), "11 used, 2 reserved, 0 free (total 10, ratio 1.0)"));
    assert_true(contains(html_result(&html), "over-committed by 3"));
    assert_true(contains(html_result(&html), "137%"));
    arena_free(arena);
}

static void test_each_failure_is_explained(void **state)
{
    (void)state;
#define X(id, name, recorded, retryable, dead, when, details)                                      \
    assert_non_null(reason_find(text_of(name)));
    VERDICT_FAILURES(X)
#undef X
}

static void test_each_reason_of_the_broker_is_explained(void **state)
{
    const char *const reasons[] = {"expired",  "delivery_limit", "maxlen",
                                   "rejected", "unreadable",     "unknown"};
    (void)state;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        assert_non_null(reason_find(text_of(reasons[i])));
    assert_null(reason_find(text_of("")));
    assert_null(reason_find(TEXT_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bar_has_amounts_after_the_ratio),
        cmocka_unit_test(test_what_is_over_the_capacity_is_not_free),
        cmocka_unit_test(test_sums_do_not_overflow),
        cmocka_unit_test(test_the_numbers_stand_beside_the_bar),
        cmocka_unit_test(test_each_failure_is_explained),
        cmocka_unit_test(test_each_reason_of_the_broker_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
