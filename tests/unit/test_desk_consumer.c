/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests when the consumer of the desk queue starts after a failure of the broker, and which queue
 * is then suspected. What is sent to a real broker is in tests/contract/transport_desk.c.
 */
#include "tests/support/cmocka.h"

#include "common/amqp/desk_consumer.h"

enum { NOW_MS = 5000, LATER_MS = 2000 };

static struct desk_consumer started(bool postponed)
{
    struct desk_consumer desk;
    desk_consumer_init(&desk, text_of("allot.dead.desk"), 60000, (struct amqp_observer){0});
    if (postponed)
        assert_false(desk_consumer_postpone(&desk));
    desk_consumer_reset(&desk);
    desk_consumer_start(&desk, NOW_MS);
    return desk;
}

static void test_it_starts_at_once_and_is_not_suspected(void **state)
{
    struct desk_consumer desk = started(false);
    (void)state;
    assert_true(desk.due_ms <= NOW_MS);
    desk.step = DESK_CONSUMING;
    assert_false(desk_consumer_postpone(&desk));
    desk_consumer_clear(&desk);
}

static void test_after_a_failure_it_starts_later_than_the_commands(void **state)
{
    struct desk_consumer desk = started(true);
    (void)state;
    assert_int_equal(desk.due_ms,
                     NOW_MS + LATER_MS); /* from the connect on, however late that is */
    assert_int_equal(desk_consumer_tick(&desk, NULL, NOW_MS + LATER_MS - 1, NULL), TRANSPORT_OK);
    assert_int_equal(desk.step, DESK_CLOSED);
    assert_false(desk_consumer_postpone(&desk)); /* it had not started */
    desk_consumer_clear(&desk);
}

static void test_a_failure_after_a_late_start_is_its_own(void **state)
{
    struct desk_consumer desk = started(true);
    (void)state;
    desk.step = DESK_CONSUMING;
    desk_consumer_start(&desk, NOW_MS + LATER_MS); /* the commands were paused in between */
    assert_true(desk_consumer_postpone(&desk));
    desk_consumer_clear(&desk);
}

static void test_after_a_connection_without_a_failure_it_starts_at_once(void **state)
{
    struct desk_consumer desk = started(true);
    (void)state;
    desk_consumer_reset(&desk);
    desk_consumer_start(&desk, NOW_MS);
    assert_true(desk.due_ms <= NOW_MS);
    assert_false(desk.late);
    desk_consumer_clear(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_starts_at_once_and_is_not_suspected),
        cmocka_unit_test(test_after_a_failure_it_starts_later_than_the_commands),
        cmocka_unit_test(test_a_failure_after_a_late_start_is_its_own),
        cmocka_unit_test(test_after_a_connection_without_a_failure_it_starts_at_once),
    };
    return cmocka_run_group_tests_name("desk_consumer", tests, NULL, NULL) != 0;
}
