/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests flow control: when the lane consumes, with which prefetch, and what it requeues.
 *
 * `struct recorder` is a transport that notes consume, cancel and requeue; `update` runs one step
 * of flow_update at a given time. The tests cover the start, the limit of bytes in flight
 * (deliveries over it are requeued after the subscription ended), the cut of the prefetch for large
 * bodies, its growth in quiet times, deliveries that are held, a lost connection, and the two log
 * events of a pause.
 *
 * Not here: a real broker's answer to cancel and requeue; that is in
 * tests/contract/test_transport.c.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/host/log.h"
#include "tests/support/captured_log.h"
#include "worker/service/flow.h"

static struct memory_budget budget; /* without a limit, unless a test sets one */

/* A transport that records what is asked of it. */
struct recorder {
    struct transport base;
    bool consuming;
    bool refuses;  /* consume fails */
    bool requeues; /* while it consumes, too */
    unsigned consumes;
    uint16_t prefetch;
    uint64_t requeued[200];
    size_t requeued_count;
};

static enum transport_status record_consume(struct transport *transport, uint16_t prefetch,
                                            struct error *error)
{
    struct recorder *self = (struct recorder *)transport;
    (void)error;
    self->consumes++;
    if (self->refuses)
        return TRANSPORT_LOST;
    self->consuming = true;
    self->prefetch = prefetch;
    return TRANSPORT_OK;
}

static enum transport_status record_cancel(struct transport *transport, struct error *error)
{
    (void)error;
    ((struct recorder *)transport)->consuming = false;
    return TRANSPORT_OK;
}

static enum transport_status record_requeue(struct transport *transport, uint64_t tag,
                                            struct error *error)
{
    struct recorder *self = (struct recorder *)transport;
    (void)error;
    if (!self->requeues)
        assert_false(self->consuming); /* else the broker would deliver it again at once */
    self->requeued[self->requeued_count++] = tag;
    return TRANSPORT_OK;
}

static const struct transport_ops record_ops = {
    .consume = record_consume,
    .cancel = record_cancel,
    .requeue = record_requeue,
};

static void update(struct flow *flow, struct recorder *recorder, bool stopping, int64_t now_ms)
{
    assert_int_equal(flow_update(flow, &recorder->base, stopping, now_ms, NULL), TRANSPORT_OK);
}

static void test_consuming_starts_with_the_whole_prefetch_and_ends_when_stopping(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    update(&flow, &recorder, false, 0);
    assert_true(recorder.consuming);
    assert_int_equal(recorder.prefetch, 100);
    update(&flow, &recorder, true, 0);
    assert_false(recorder.consuming);
    update(&flow, &recorder, true, 0);
    assert_int_equal(recorder.consumes, 1);
}

static void test_it_is_consuming_only_after_a_successful_consume(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}, .refuses = true};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    assert_int_equal(flow_update(&flow, &recorder.base, false, 0, NULL), TRANSPORT_LOST);
    assert_false(flow.consuming);
    recorder.refuses = false;
    update(&flow, &recorder, false, 0);
    assert_true(flow.consuming);
    assert_int_equal(recorder.consumes, 2);
}

static void test_deliveries_over_the_limit_are_requeued_after_the_subscription_ended(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    update(&flow, &recorder, false, 0);
    assert_true(flow_admit(&flow, 1));
    flow_add(&flow, 1001); /* one delivery may exceed the limit */
    assert_false(flow_admit(&flow, 2));
    assert_false(flow_admit(&flow, 3));
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.requeued_count, 2);
    assert_false(flow_admit(&flow, 4)); /* was on its way when the subscription ended */
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.requeued_count, 3);
    assert_false(recorder.consuming);
}

/* An answer counts as soon as it is there. */
static void test_an_answer_counts(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    update(&flow, &recorder, false, 0);
    flow_add(&flow, 100);
    flow_grow(&flow, 800);
    update(&flow, &recorder, false, 0);
    assert_false(recorder.consuming);
    flow_remove(&flow, 900);
    update(&flow, &recorder, false, 0);
    assert_true(recorder.consuming);
}

/* What another lane holds counts as well; but a lane that holds nothing goes on. */
static void test_the_budget_of_the_process_pauses_a_lane_that_holds_something(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    budget = (struct memory_budget){.max = 4000};
    flow_init(&flow, 1000, 100, &budget, NULL);
    memory_budget_add(&budget, 1990);
    update(&flow, &recorder, false, 0);
    assert_true(recorder.consuming);
    assert_true(flow_admit(&flow, 1));
    flow_add(&flow, 10);
    assert_false(flow_admit(&flow, 2));
    update(&flow, &recorder, false, 0);
    assert_false(recorder.consuming);
    memory_budget_remove(&budget, 1000);
    update(&flow, &recorder, false, 0);
    assert_false(recorder.consuming); /* not before half of it is free */
    memory_budget_remove(&budget, 990);
    update(&flow, &recorder, false, 0);
    assert_true(recorder.consuming);
    flow_remove(&flow, 10);
    budget = (struct memory_budget){0};
}

static void test_what_is_on_its_way_is_kept_up_to_the_limit(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    update(&flow, &recorder, false, 0);
    flow_add(&flow, 751);
    update(&flow, &recorder, false, 0);
    assert_false(recorder.consuming);
    assert_true(flow_admit(&flow, 2)); /* was on its way */
    flow_add(&flow, 249);
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.requeued_count, 0);
}

static void test_it_consumes_again_below_half_with_half_the_prefetch(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 6, &budget, NULL);
    update(&flow, &recorder, false, 0);
    for (int i = 0; i < 5; i++)
        flow_add(&flow, 220);
    update(&flow, &recorder, false, 0);
    flow_remove(&flow, 220);
    flow_remove(&flow, 220);
    update(&flow, &recorder, false, 0);
    assert_false(recorder.consuming);
    flow_remove(&flow, 220);
    update(&flow, &recorder, false, 0);
    assert_true(recorder.consuming);
    assert_int_equal(recorder.prefetch, 3); /* though four would fit */
}

static void test_the_prefetch_is_cut_at_once_to_what_fits_of_large_bodies(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    update(&flow, &recorder, false, 0);
    for (int i = 0; i < 5; i++)
        flow_add(&flow, 220);
    update(&flow, &recorder, false, 0);
    for (int i = 0; i < 5; i++)
        flow_remove(&flow, 220);
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.prefetch, 4);
    flow_add(&flow, 5000); /* larger than the limit by itself */
    update(&flow, &recorder, false, 0);
    flow_remove(&flow, 5000);
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.prefetch, 1);
}

static void test_the_prefetch_grows_back_in_quiet_times_up_to_what_is_set(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 3, &budget, NULL);
    update(&flow, &recorder, false, 0);
    flow_add(&flow, 1001);
    update(&flow, &recorder, false, 0);
    flow_remove(&flow, 1001);
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.prefetch, 1);
    update(&flow, &recorder, false, 9999);
    assert_int_equal(recorder.consumes, 2); /* too early */
    update(&flow, &recorder, false, 10000);
    update(&flow, &recorder, false, 10000);
    assert_int_equal(recorder.prefetch, 2);
    update(&flow, &recorder, false, 20000);
    update(&flow, &recorder, false, 20000);
    assert_int_equal(recorder.prefetch, 3);
    update(&flow, &recorder, false, 30000);
    assert_int_equal(recorder.consumes, 4);
}

static void test_a_lost_connection_leaves_nothing_to_requeue(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    update(&flow, &recorder, false, 0);
    flow_add(&flow, 1001);
    assert_false(flow_admit(&flow, 2));
    flow_reset(&flow);
    flow_remove(&flow, 1001);
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.requeued_count, 0);
    assert_true(recorder.consuming);
}

/* Each subscription with an eighth of held deliveries is replaced by one that has room. */
static void test_held_deliveries_take_no_room_from_the_next(void **state)
{
    enum { PREFETCH = 24, HELD = 100 };
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct counters counters = {0};
    struct flow flow;
    flow_init(&flow, 1000, PREFETCH, &budget, &counters);
    update(&flow, &recorder, false, 0);
    for (uint64_t tag = 1; tag <= HELD; tag++) {
        flow_hold(&flow, tag, flow.subscription, 0);
        update(&flow, &recorder, false, 0);
        update(&flow, &recorder, false, 0);
        assert_true(recorder.consuming);
    }
    assert_int_equal(recorder.consumes, 1 + HELD / (PREFETCH / 8 + 1));
    assert_int_equal(recorder.prefetch, PREFETCH);
    assert_int_equal(counter_read(&counters, COUNTER_DELIVERIES_HELD), HELD);
    flow_clear(&flow);
}

static void release_held(struct flow *flow, struct recorder *recorder, int64_t now_ms)
{
    assert_int_equal(flow_release_held(flow, &recorder->base, SIZE_MAX, now_ms, NULL),
                     TRANSPORT_OK);
}

static void test_held_deliveries_are_requeued_a_few_at_a_time_and_oldest_first(void **state)
{
    enum { HELD = 150, AT_A_TIME = 64, PAUSE_MS = 100 };
    (void)state;
    struct recorder recorder = {.base = {&record_ops}, .requeues = true};
    struct flow flow;
    flow_init(&flow, 1000, 1000, &budget, NULL);
    update(&flow, &recorder, false, 0);
    for (uint64_t tag = 1; tag <= HELD; tag++)
        flow_hold(&flow, tag, flow.subscription, 0);
    release_held(&flow, &recorder, 5000);
    assert_int_equal(recorder.requeued_count, AT_A_TIME);
    release_held(&flow, &recorder, 5000 + PAUSE_MS - 1);
    assert_int_equal(recorder.requeued_count, AT_A_TIME);
    for (int64_t i = 1; i <= 3; i++)
        release_held(&flow, &recorder, 5000 + i * PAUSE_MS);
    assert_int_equal(recorder.requeued_count, HELD);
    for (size_t i = 0; i < HELD; i++)
        assert_int_equal(recorder.requeued[i], i + 1);
    flow_clear(&flow);
}

static void test_no_more_held_deliveries_are_requeued_than_could_be_settled(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}, .requeues = true};
    struct flow flow;
    flow_init(&flow, 1000, 1000, &budget, NULL);
    update(&flow, &recorder, false, 0);
    for (uint64_t tag = 1; tag <= 5; tag++)
        flow_hold(&flow, tag, flow.subscription, 0);
    assert_int_equal(flow_release_held(&flow, &recorder.base, 0, 5000, NULL), TRANSPORT_OK);
    assert_int_equal(recorder.requeued_count, 0);
    assert_int_equal(flow_release_held(&flow, &recorder.base, 2, 5000, NULL), TRANSPORT_OK);
    assert_int_equal(recorder.requeued_count, 2);
    flow_clear(&flow);
}

static void test_a_held_delivery_may_have_to_wait_longer_than_others(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}, .requeues = true};
    struct flow flow;
    flow_init(&flow, 1000, 1000, &budget, NULL);
    update(&flow, &recorder, false, 0);
    flow_hold(&flow, 1, flow.subscription, 9000);
    flow_hold(&flow, 2, flow.subscription, 0);
    release_held(&flow, &recorder, 5000);
    release_held(&flow, &recorder, 8999);
    assert_int_equal(recorder.requeued_count, 1);
    assert_int_equal(recorder.requeued[0], 2);
    release_held(&flow, &recorder, 9100);
    assert_int_equal(recorder.requeued[1], 1);
    flow_clear(&flow);
}

/* A quarter of a small prefetch is nothing. */
static void test_what_waits_takes_no_room_from_a_small_prefetch(void **state)
{
    (void)state;
    for (uint16_t prefetch = 1; prefetch <= 16; prefetch *= 2) {
        struct recorder recorder = {.base = {&record_ops}};
        struct flow flow;
        flow_init(&flow, 1000, prefetch, &budget, NULL);
        update(&flow, &recorder, false, 0);
        for (size_t i = 0; i < 3; i++) {
            flow_set_waiting(&flow, i == 0 ? 1 : 0); /* of the present subscription */
            update(&flow, &recorder, false, 0);
        }
        assert_int_equal(recorder.consumes, prefetch < 8 ? 2 : 1);
        assert_true(recorder.consuming);
    }
}

/* They take no room from the present subscription, so it is not replaced again for them. */
static void test_held_deliveries_of_older_subscriptions_do_not_count(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 24, &budget, NULL);
    update(&flow, &recorder, false, 0);
    unsigned first = flow.subscription;
    for (uint64_t tag = 1; tag <= 24; tag++) {
        flow_hold(&flow, tag, first, 0);
        update(&flow, &recorder, false, 0);
        update(&flow, &recorder, false, 0);
    }
    assert_int_equal(recorder.consumes, 2);
    flow_clear(&flow);
}

static void test_a_lost_connection_leaves_nothing_held(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}, .requeues = true};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    update(&flow, &recorder, false, 0);
    flow_hold(&flow, 1, flow.subscription, 0);
    flow_reset(&flow);
    update(&flow, &recorder, false, 0);
    release_held(&flow, &recorder, 5000);
    assert_int_equal(recorder.requeued_count, 0);
    flow_clear(&flow);
}

/* Runs `flow_update` and returns what it logged; the text is valid until the next call. */
static const char *log_of_update(struct flow *flow, struct recorder *recorder, int64_t now_ms)
{
    static struct captured_log captured;
    captured_log_begin(&captured);
    update(flow, recorder, false, now_ms);
    const char *text = captured_log_read(&captured);
    captured_log_end(&captured);
    return text;
}

static void test_a_pause_and_its_end_are_logged_with_its_length(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    assert_string_equal(log_of_update(&flow, &recorder, 5000), "");
    flow_add(&flow, 1001);
    assert_non_null(strstr(log_of_update(&flow, &recorder, 5000), "\"event\":\"flow.paused\""));
    flow_reset(&flow); /* a new connection does not end the pause */
    assert_string_equal(log_of_update(&flow, &recorder, 6000), "");
    flow_remove(&flow, 1001);
    const char *resumed = log_of_update(&flow, &recorder, 7500);
    assert_non_null(strstr(resumed, "\"event\":\"flow.resumed\""));
    assert_non_null(strstr(resumed, "\"paused_ms\":2500"));
    flow_reset(&flow);
    assert_string_equal(log_of_update(&flow, &recorder, 8000), "");
}

static void
test_it_counts_what_is_in_flight_the_pauses_and_the_deliveries_over_the_limit(void **state)
{
    (void)state;
    struct recorder recorder = {.base = {&record_ops}};
    struct counters counters = {0};
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, &counters);
    update(&flow, &recorder, false, 0);
    flow_add(&flow, 400);
    flow_add(&flow, 601);
    assert_int_equal(counter_read(&counters, COUNTER_IN_FLIGHT), 2);
    assert_int_equal(counter_read(&counters, COUNTER_BYTES_IN_FLIGHT), 1001);
    assert_false(flow_admit(&flow, 3));
    update(&flow, &recorder, false, 0);
    flow_remove(&flow, 400);
    assert_int_equal(counter_read(&counters, COUNTER_IN_FLIGHT), 1);
    assert_int_equal(counter_read(&counters, COUNTER_BYTES_IN_FLIGHT), 601);
    assert_int_equal(counter_read(&counters, COUNTER_FLOW_PAUSES), 1);
    assert_int_equal(counter_read(&counters, COUNTER_DELIVERIES_OVER_LIMIT), 1);
}

/* Below both thresholds: the pause at three quarters, and the new subscription at half. */
static void test_blamed_replies_may_have_a_quarter_of_the_bytes(void **state)
{
    (void)state;
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    assert_int_equal(flow_blamed_bytes(&flow), 250);
}

static void test_blamed_replies_may_have_half_of_the_present_prefetch(void **state)
{
    (void)state;
    struct flow flow;
    flow_init(&flow, 1000, 100, &budget, NULL);
    assert_int_equal(flow_blamed_count(&flow), 50);
    flow.prefetch = 8;
    assert_int_equal(flow_blamed_count(&flow), 4);
    flow.prefetch = 1;
    assert_int_equal(flow_blamed_count(&flow), 1);
    assert_int_equal(flow_without_letter_count(&flow), 0); /* the settler always takes one */
}

/* The broker counts a delivery of all that it has sent when it fails over one of them. */
static void test_after_a_failure_of_the_broker_one_command_is_taken_at_a_time(void **state)
{
    (void)state;
    struct flow flow;
    struct recorder recorder = {.base = {&record_ops}};
    flow_init(&flow, 1000, 100, &budget, NULL);
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.prefetch, 100);
    flow_distrust(&flow, 0);
    flow_reset(&flow);
    update(&flow, &recorder, false, 0);
    assert_int_equal(recorder.prefetch, 1);
    for (int64_t now_ms = 0; now_ms < 10000; now_ms += 1000)
        update(&flow, &recorder, false, now_ms);
    assert_int_equal(recorder.prefetch, 1);
    for (int64_t now_ms = 10000; now_ms < 200000; now_ms += 1000)
        update(&flow, &recorder, false, now_ms);
    assert_int_equal(recorder.prefetch, 100);
    flow_clear(&flow);
}

int main(void)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_a_failure_of_the_broker_one_command_is_taken_at_a_time),
        cmocka_unit_test(test_consuming_starts_with_the_whole_prefetch_and_ends_when_stopping),
        cmocka_unit_test(test_it_is_consuming_only_after_a_successful_consume),
        cmocka_unit_test(test_deliveries_over_the_limit_are_requeued_after_the_subscription_ended),
        cmocka_unit_test(test_an_answer_counts),
        cmocka_unit_test(test_the_budget_of_the_process_pauses_a_lane_that_holds_something),
        cmocka_unit_test(test_what_is_on_its_way_is_kept_up_to_the_limit),
        cmocka_unit_test(test_it_consumes_again_below_half_with_half_the_prefetch),
        cmocka_unit_test(test_the_prefetch_is_cut_at_once_to_what_fits_of_large_bodies),
        cmocka_unit_test(test_the_prefetch_grows_back_in_quiet_times_up_to_what_is_set),
        cmocka_unit_test(test_a_lost_connection_leaves_nothing_to_requeue),
        cmocka_unit_test(test_held_deliveries_take_no_room_from_the_next),
        cmocka_unit_test(test_held_deliveries_are_requeued_a_few_at_a_time_and_oldest_first),
        cmocka_unit_test(test_no_more_held_deliveries_are_requeued_than_could_be_settled),
        cmocka_unit_test(test_a_held_delivery_may_have_to_wait_longer_than_others),
        cmocka_unit_test(test_what_waits_takes_no_room_from_a_small_prefetch),
        cmocka_unit_test(test_held_deliveries_of_older_subscriptions_do_not_count),
        cmocka_unit_test(test_a_lost_connection_leaves_nothing_held),
        cmocka_unit_test(test_a_pause_and_its_end_are_logged_with_its_length),
        cmocka_unit_test(
            test_it_counts_what_is_in_flight_the_pauses_and_the_deliveries_over_the_limit),
        cmocka_unit_test(test_blamed_replies_may_have_half_of_the_present_prefetch),
        cmocka_unit_test(test_blamed_replies_may_have_a_quarter_of_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
