/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "worker/service/flow.h"

/* A transport that only remembers what it was asked for. */
struct noted {
    struct transport transport;
    bool consuming;
    bool refuses; /* no consumer is to be had */
    unsigned consumes;
    uint16_t prefetch;
    uint64_t requeued[8];
    size_t requeued_count;
};

static enum transport_status note_consume(struct transport *transport, uint16_t prefetch,
                                          struct error *error)
{
    struct noted *noted = (struct noted *)transport;
    (void)error;
    noted->consumes++;
    if (noted->refuses)
        return TRANSPORT_LOST;
    noted->consuming = true;
    noted->prefetch = prefetch;
    return TRANSPORT_OK;
}

static enum transport_status note_cancel(struct transport *transport, struct error *error)
{
    (void)error;
    ((struct noted *)transport)->consuming = false;
    return TRANSPORT_OK;
}

static enum transport_status note_requeue(struct transport *transport, uint64_t tag,
                                          struct error *error)
{
    struct noted *noted = (struct noted *)transport;
    (void)error;
    assert_false(noted->consuming); /* or the broker would send it straight back */
    noted->requeued[noted->requeued_count++] = tag;
    return TRANSPORT_OK;
}

static const struct transport_ops note_ops = {
    .consume = note_consume,
    .cancel = note_cancel,
    .requeue = note_requeue,
};

static void steer(struct flow *flow, struct noted *noted, bool stopping, int64_t now_ms)
{
    assert_int_equal(flow_update(flow, &noted->transport, stopping, now_ms, NULL), TRANSPORT_OK);
}

static void test_consuming_starts_with_the_whole_prefetch_and_ends_when_stopping(void **state)
{
    (void)state;
    struct noted noted = {.transport = {&note_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100);
    steer(&flow, &noted, false, 0);
    assert_true(noted.consuming);
    assert_int_equal(noted.prefetch, 100);
    steer(&flow, &noted, true, 0);
    assert_false(noted.consuming);
    steer(&flow, &noted, true, 0);
    assert_int_equal(noted.consumes, 1);
}

static void test_it_consumes_only_where_a_consumer_was_had(void **state)
{
    (void)state;
    struct noted noted = {.transport = {&note_ops}, .refuses = true};
    struct flow flow;
    flow_init(&flow, 1000, 100);
    assert_int_equal(flow_update(&flow, &noted.transport, false, 0, NULL), TRANSPORT_LOST);
    assert_false(flow.consuming);
    noted.refuses = false;
    steer(&flow, &noted, false, 0);
    assert_true(flow.consuming);
    assert_int_equal(noted.consumes, 2);
}

static void test_what_comes_above_the_limit_is_given_back_after_the_consumer_ended(void **state)
{
    (void)state;
    struct noted noted = {.transport = {&note_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100);
    steer(&flow, &noted, false, 0);
    assert_true(flow_admit(&flow, 1));
    flow_add(&flow, 1001); /* one body may go over: it has to be judged */
    assert_false(flow_admit(&flow, 2));
    assert_false(flow_admit(&flow, 3));
    steer(&flow, &noted, false, 0);
    assert_int_equal(noted.requeued_count, 2);
    assert_false(flow_admit(&flow, 4)); /* was on its way when the consumer ended */
    steer(&flow, &noted, false, 0);
    assert_int_equal(noted.requeued_count, 3);
    assert_false(noted.consuming);
}

static void test_it_consumes_again_below_half_with_half_the_prefetch(void **state)
{
    (void)state;
    struct noted noted = {.transport = {&note_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 6);
    steer(&flow, &noted, false, 0);
    for (int i = 0; i < 5; i++)
        flow_add(&flow, 220);
    steer(&flow, &noted, false, 0);
    flow_remove(&flow, 220);
    flow_remove(&flow, 220);
    steer(&flow, &noted, false, 0);
    assert_false(noted.consuming);
    flow_remove(&flow, 220);
    steer(&flow, &noted, false, 0);
    assert_true(noted.consuming);
    assert_int_equal(noted.prefetch, 3); /* though four would fit */
}

static void test_the_prefetch_is_cut_at_once_to_what_fits_of_large_bodies(void **state)
{
    (void)state;
    struct noted noted = {.transport = {&note_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100);
    steer(&flow, &noted, false, 0);
    for (int i = 0; i < 5; i++)
        flow_add(&flow, 220);
    steer(&flow, &noted, false, 0);
    for (int i = 0; i < 5; i++)
        flow_remove(&flow, 220);
    steer(&flow, &noted, false, 0);
    assert_int_equal(noted.prefetch, 4);
    flow_add(&flow, 5000); /* one that is larger than all that may be in hand */
    steer(&flow, &noted, false, 0);
    flow_remove(&flow, 5000);
    steer(&flow, &noted, false, 0);
    assert_int_equal(noted.prefetch, 1);
}

static void test_the_prefetch_grows_back_in_quiet_times_up_to_what_is_set(void **state)
{
    (void)state;
    struct noted noted = {.transport = {&note_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 3);
    steer(&flow, &noted, false, 0);
    flow_add(&flow, 1001);
    steer(&flow, &noted, false, 0);
    flow_remove(&flow, 1001);
    steer(&flow, &noted, false, 0);
    assert_int_equal(noted.prefetch, 1);
    steer(&flow, &noted, false, 9999);
    assert_int_equal(noted.consumes, 2); /* too early */
    steer(&flow, &noted, false, 10000);
    steer(&flow, &noted, false, 10000);
    assert_int_equal(noted.prefetch, 2);
    steer(&flow, &noted, false, 20000);
    steer(&flow, &noted, false, 20000);
    assert_int_equal(noted.prefetch, 3);
    steer(&flow, &noted, false, 30000);
    assert_int_equal(noted.consumes, 4);
}

static void test_a_lost_connection_has_nothing_to_give_back(void **state)
{
    (void)state;
    struct noted noted = {.transport = {&note_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100);
    steer(&flow, &noted, false, 0);
    flow_add(&flow, 1001);
    assert_false(flow_admit(&flow, 2));
    flow_reset(&flow);
    flow_remove(&flow, 1001);
    steer(&flow, &noted, false, 0);
    assert_int_equal(noted.requeued_count, 0);
    assert_true(noted.consuming);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_consuming_starts_with_the_whole_prefetch_and_ends_when_stopping),
        cmocka_unit_test(test_it_consumes_only_where_a_consumer_was_had),
        cmocka_unit_test(test_what_comes_above_the_limit_is_given_back_after_the_consumer_ended),
        cmocka_unit_test(test_it_consumes_again_below_half_with_half_the_prefetch),
        cmocka_unit_test(test_the_prefetch_is_cut_at_once_to_what_fits_of_large_bodies),
        cmocka_unit_test(test_the_prefetch_grows_back_in_quiet_times_up_to_what_is_set),
        cmocka_unit_test(test_a_lost_connection_has_nothing_to_give_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
