/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which permissions a worker needs. */
#include "tests/support/cmocka.h"

#include "ctl/permissions.h"

static const struct topology topology = {.exchange = {"c", 1},
                                         .queue = {"c", 1},
                                         .dead_letter_exchange = {"d", 1},
                                         .dead_letter_queue = {"d", 1},
                                         .desk_queue = {"d.desk", 6}};

static bool has(const struct permissions *permissions, const char *name)
{
    for (size_t i = 0; i < permissions->count; i++) {
        if (text_is(permissions->names[i], name))
            return true;
    }
    return false;
}

static void test_a_worker_that_declares_nothing_consumes_and_publishes(void **state)
{
    (void)state;
    struct permissions needed[PERMISSION_KINDS];
    permissions_needed(&topology, false, needed);
    assert_string_equal(needed[0].kind, "configure");
    assert_int_equal(needed[0].count, 0);
    assert_string_equal(needed[1].kind, "write");
    assert_int_equal(needed[1].count, 2);
    assert_true(has(&needed[1], "d") && has(&needed[1], "amq.default"));
    assert_string_equal(needed[2].kind, "read");
    assert_int_equal(needed[2].count, 2);
    assert_true(has(&needed[2], "c") && has(&needed[2], "d.desk"));
}

static void test_a_worker_that_declares_also_configures_and_binds(void **state)
{
    (void)state;
    struct permissions needed[PERMISSION_KINDS];
    permissions_needed(&topology, true, needed);
    assert_int_equal(needed[0].count, 3); /* an exchange and a queue of one name count once */
    assert_true(has(&needed[0], "c") && has(&needed[0], "d") && has(&needed[0], "d.desk"));
    assert_int_equal(needed[1].count, 4);
    assert_true(has(&needed[1], "c") && has(&needed[1], "d.desk"));
    assert_int_equal(needed[2].count, 3);
    assert_true(has(&needed[2], "d"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_worker_that_declares_nothing_consumes_and_publishes),
        cmocka_unit_test(test_a_worker_that_declares_also_configures_and_binds),
    };
    return cmocka_run_group_tests_name("permissions", tests, NULL, NULL) != 0;
}
