/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which basic.ack frames are sent for the finished deliveries of a channel. */
#include "tests/support/cmocka.h"

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

/* A wrong tag is sent as it is: the broker then closes the channel, as for any mistake. */
static void test_a_wrong_tag_is_sent_as_it_is(void **state)
{
    (void)state;
    struct acks acks = {0};
    acks_add(&acks, 1);
    expect_ack(&acks, 1, true);
    acks_add(&acks, 1);
    expect_ack(&acks, 1, false);
    acks_add(&acks, UINT64_MAX);
    expect_ack(&acks, UINT64_MAX, false);
    acks_add(&acks, 2);
    expect_ack(&acks, 2, true);
    expect_nothing(&acks);
    acks_clear(&acks);
}

enum { BEHIND = 240000, STEPS_PER_TAG_MAX = 10 };

/* The work for each tag must not grow with the number of finished tags behind an open one. */
static void test_the_work_for_a_tag_does_not_grow_with_those_behind_an_open_one(void **state)
{
    (void)state;
    struct acks acks = {0};
    for (uint64_t tag = 2; tag <= BEHIND; tag++) {
        acks_add(&acks, tag);
        expect_ack(&acks, tag, false);
        expect_nothing(&acks);
        assert_in_range(acks.steps, 1, STEPS_PER_TAG_MAX * tag);
    }
    uint64_t before = acks.steps;
    acks_add(&acks, 1);
    expect_ack(&acks, 1, true); /* all others were acknowledged */
    expect_nothing(&acks);
    assert_in_range(acks.steps - before, 1, STEPS_PER_TAG_MAX * BEHIND);
    acks_clear(&acks);
}

/* The same with bursts, whose tags finish in the reverse order. */
static void test_bursts_behind_an_open_tag_cost_no_more_than_their_own_tags(void **state)
{
    (void)state;
    struct acks acks = {0};
    enum { BURST = 100 };
    for (uint64_t first = 2; first < BEHIND; first += BURST) {
        for (uint64_t i = BURST; i > 0; i--)
            acks_add(&acks, first + i - 1);
        for (uint64_t i = 0; i < BURST; i++)
            expect_ack(&acks, first + i, false);
        expect_nothing(&acks);
    }
    assert_in_range(acks.steps, 1, STEPS_PER_TAG_MAX * BEHIND);
    acks_clear(&acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_from_the_first_is_one_acknowledgement),
        cmocka_unit_test(test_tags_above_a_gap_are_acknowledged_singly_and_once),
        cmocka_unit_test(test_a_nacked_tag_is_not_acknowledged),
        cmocka_unit_test(test_after_a_restart_tags_count_from_one),
        cmocka_unit_test(test_a_wrong_tag_is_sent_as_it_is),
        cmocka_unit_test(test_the_work_for_a_tag_does_not_grow_with_those_behind_an_open_one),
        cmocka_unit_test(test_bursts_behind_an_open_tag_cost_no_more_than_their_own_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
