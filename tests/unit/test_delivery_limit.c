/* SPDX-License-Identifier: Apache-2.0 */
/* Tests when allotctl may take messages from a queue only to look at them. */
#include "tests/support/cmocka.h"

#include "ctl/delivery_limit.h"

static void test_before_4_0_a_requeue_does_no_harm(void **state)
{
    (void)state;
    const char *const versions[] = {"3.10.8", "3.13.7", "3.12.0-rc.1", "3.99"};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        assert_true(delivery_limit_allows_looking(text_of(versions[i]), DELIVERY_LIMIT_UNKNOWN));
        assert_true(delivery_limit_allows_looking(text_of(versions[i]), 20));
    }
}

static void test_from_4_0_on_the_limit_decides(void **state)
{
    (void)state;
    const char *const versions[] = {"4.0.0", "4.0.5", "4.1.0-beta.4", "5.0", "10.2.1"};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct text version = text_of(versions[i]);
        assert_false(delivery_limit_allows_looking(version, DELIVERY_LIMIT_UNKNOWN));
        assert_false(delivery_limit_allows_looking(version, 20));
        assert_false(delivery_limit_allows_looking(version, DELIVERY_LIMIT_HIGH - 1));
        assert_true(delivery_limit_allows_looking(version, DELIVERY_LIMIT_HIGH));
        assert_true(delivery_limit_allows_looking(version, DELIVERY_LIMIT_HIGH + INT64_C(1)));
        assert_true(delivery_limit_allows_looking(version, DELIVERY_LIMIT_NONE));
        assert_false(delivery_limit_allows_looking(version, -2));
    }
}

static void test_an_unknown_version_counts_as_a_new_one(void **state)
{
    (void)state;
    const char *const versions[] = {NULL, "", "3", "v3.10.8", "three.ten", ".3", "99999.1", "-3.1"};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        assert_false(delivery_limit_allows_looking(text_of(versions[i]), DELIVERY_LIMIT_UNKNOWN));
        assert_true(delivery_limit_allows_looking(text_of(versions[i]), DELIVERY_LIMIT_NONE));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_4_0_a_requeue_does_no_harm),
        cmocka_unit_test(test_from_4_0_on_the_limit_decides),
        cmocka_unit_test(test_an_unknown_version_counts_as_a_new_one),
    };
    return cmocka_run_group_tests_name("delivery_limit", tests, NULL, NULL) != 0;
}
