/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which basic.ack frames are sent for the finished deliveries of a channel. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/amqp/acks.h"

static void expect_ack(struct acks *acks, uint64_t tag, bool multiple)
{
    struct ack ack;
    assert_true(acks_next(acks, &ack));
    assert_int_equal(ack.tag, tag);
    assert_int_equal(ack.multiple, multiple);
}

static void expect_nothing(struct acks *acks)
{
    struct ack ack;
    assert_false(acks_next(acks, &ack));
}

static void test_a_run_from_the_first_is_one_acknowledgement(void **state)
{
    (void)state;
    struct acks acks = {0};
    for (uint64_t tag = 1000; tag >= 1; tag--)
        acks_add(&acks, tag);
    expect_ack(&acks, 1000, true);
    expect_nothing(&acks);
    acks_add(&acks, 1001);
    expect_ack(&acks, 1001, true);
    expect_nothing(&acks);
    acks_clear(&acks);
}

static void test_tags_above_a_gap_are_acknowledged_singly_and_once(void **state)
{
    (void)state;
    struct acks acks = {0};
    acks_add(&acks, 1);
    acks_add(&acks, 4);
    acks_add(&acks, 3);
    expect_ack(&acks, 1, true); /* 2 is still in flight */
    expect_ack(&acks, 3, false);
    expect_ack(&acks, 4, false);
    expect_nothing(&acks);
    acks_add(&acks, 2);
    expect_ack(&acks, 2, true); /* not 4: it was acknowledged before */
    expect_nothing(&acks);
    acks_clear(&acks);
}

static void test_a_nacked_tag_is_not_acknowledged(void **state)
{
    (void)state;
    struct acks acks = {0};
    acks_add_nacked(&acks, 1);
    acks_add_nacked(&acks, 3);
    expect_nothing(&acks);
    acks_add(&acks, 2);
    expect_ack(&acks, 2, true);
    expect_nothing(&acks);
    acks_clear(&acks);
}

static void test_after_a_restart_tags_count_from_one(void **state)
{
    (void)state;
    struct acks acks = {0};
    acks_add(&acks, 1);
    acks_add(&acks, 7);
    expect_ack(&acks, 1, true);
    acks_restart(&acks);
    expect_nothing(&acks);
    acks_add(&acks, 1);
    expect_ack(&acks, 1, true);
    acks_clear(&acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_from_the_first_is_one_acknowledgement),
        cmocka_unit_test(test_tags_above_a_gap_are_acknowledged_singly_and_once),
        cmocka_unit_test(test_a_nacked_tag_is_not_acknowledged),
        cmocka_unit_test(test_after_a_restart_tags_count_from_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
