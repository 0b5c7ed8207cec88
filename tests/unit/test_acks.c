/* SPDX-License-Identifier: Apache-2.0 */
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
        acks_note(&acks, tag, false);
    expect_ack(&acks, 1000, true);
    expect_nothing(&acks);
    acks_note(&acks, 1001, false);
    expect_ack(&acks, 1001, true);
    expect_nothing(&acks);
    acks_free(&acks);
}

static void test_what_lies_above_an_open_one_goes_singly_and_once(void **state)
{
    (void)state;
    struct acks acks = {0};
    acks_note(&acks, 1, false);
    acks_note(&acks, 4, false);
    acks_note(&acks, 3, false);
    expect_ack(&acks, 1, true); /* 2 is open */
    expect_ack(&acks, 3, false);
    expect_ack(&acks, 4, false);
    expect_nothing(&acks);
    acks_note(&acks, 2, false);
    expect_ack(&acks, 2, true); /* 3 and 4 are not waited for: to name them is an error */
    expect_nothing(&acks);
    acks_free(&acks);
}

static void test_what_was_given_back_is_not_acknowledged(void **state)
{
    (void)state;
    struct acks acks = {0};
    acks_note(&acks, 1, true);
    acks_note(&acks, 3, true);
    expect_nothing(&acks);
    acks_note(&acks, 2, false);
    expect_ack(&acks, 2, true);
    expect_nothing(&acks);
    acks_free(&acks);
}

static void test_a_new_channel_counts_from_one_again(void **state)
{
    (void)state;
    struct acks acks = {0};
    acks_note(&acks, 1, false);
    acks_note(&acks, 7, false);
    expect_ack(&acks, 1, true);
    acks_clear(&acks);
    expect_nothing(&acks);
    acks_note(&acks, 1, false);
    expect_ack(&acks, 1, true);
    acks_free(&acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_from_the_first_is_one_acknowledgement),
        cmocka_unit_test(test_what_lies_above_an_open_one_goes_singly_and_once),
        cmocka_unit_test(test_what_was_given_back_is_not_acknowledged),
        cmocka_unit_test(test_a_new_channel_counts_from_one_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
