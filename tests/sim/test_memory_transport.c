/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the faults of the broker in memory, which the simulations set. What it has in common with
 * RabbitMQ is tested by tests/contract/test_transport.c, against both.
 *
 * Each test has a fixture: a broker with a queue `replies`, one open transport, and the events that
 * its polls reported. poll_once() polls; reply(), dead_letter() and send_command() publish; then
 * the test compares events and the number of messages in a queue.
 *
 * test_no_command_is_lost_whichever_call_fails runs the same small session again and again and lets
 * one call later fail each time.
 */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "tests/support/memory_transport.h"

enum { EVENTS_MAX = 64, SESSION_CALLS = 7 };

struct fixture {
    struct memory_broker *broker;
    struct transport *transport;
    struct memory_faults *faults;
    struct error error;
    struct transport_event events[EVENTS_MAX];
    size_t count;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->broker = memory_broker_new(&MEMORY_NAMES_DEFAULT);
    memory_broker_declare(fixture->broker, "replies");
    fixture->transport = memory_transport_new(fixture->broker);
    fixture->faults = memory_transport_faults(fixture->transport);
    assert_int_equal(fixture->transport->ops->open(fixture->transport, &fixture->error),
                     TRANSPORT_OK);
    *state = fixture;
    return 0;
}

static void clear_events(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->count; i++)
        arena_free(fixture->events[i].arena);
    fixture->count = 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    clear_events(fixture);
    fixture->transport->ops->free(fixture->transport);
    memory_broker_free(fixture->broker);
    free(fixture);
    return 0;
}

static void record(void *context, const struct transport_event *event)
{
    struct fixture *fixture = context;
    assert_true(fixture->count < EVENTS_MAX);
    fixture->events[fixture->count++] = *event;
}

static enum transport_status poll_once(struct fixture *fixture)
{
    const struct transport_handler handler = {fixture, record};
    return fixture->transport->ops->poll(fixture->transport, 1000, -1, &handler, &fixture->error);
}

static enum transport_status reply(struct fixture *fixture, uint64_t sequence)
{
    struct outgoing outgoing = {.route = ROUTE_REPLIES,
                                .sequence = sequence,
                                .exchange = text_of(""),
                                .routing_key = text_of("replies"),
                                .mandatory = true,
                                .body = text_of("r")};
    return fixture->transport->ops->publish(fixture->transport, &outgoing, &fixture->error);
}

static enum transport_status dead_letter(struct fixture *fixture, uint64_t sequence)
{
    struct outgoing outgoing = {.route = ROUTE_DEAD_LETTERS,
                                .sequence = sequence,
                                .exchange = text_of("allot.dead"),
                                .mandatory = true,
                                .body = text_of("d")};
    return fixture->transport->ops->publish(fixture->transport, &outgoing, &fixture->error);
}

static void send_command(struct fixture *fixture)
{
    struct outgoing command = {.exchange = text_of("allot.commands"),
                               .routing_key = text_of("allot.commands"),
                               .body = text_of("c")};
    assert_true(memory_broker_send(fixture->broker, &command));
}

static void consume(struct fixture *fixture)
{
    assert_int_equal(fixture->transport->ops->consume(fixture->transport, 10, &fixture->error),
                     TRANSPORT_OK);
}

static void assert_event(const struct fixture *fixture, size_t index,
                         enum transport_event_kind kind, uint64_t sequence)
{
    assert_true(index < fixture->count);
    assert_int_equal(fixture->events[index].kind, kind);
    assert_int_equal(fixture->events[index].sequence, sequence);
}

static void test_the_nth_publish_is_nacked_and_not_queued(void **state)
{
    struct fixture *fixture = *state;
    fixture->faults->nack_publish = 2;
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(reply(fixture, i), TRANSPORT_OK);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_event(fixture, 0, TRANSPORT_CONFIRMED, 1);
    assert_event(fixture, 1, TRANSPORT_NACKED, 2);
    assert_event(fixture, 2, TRANSPORT_CONFIRMED, 3);
    assert_int_equal(memory_broker_count(fixture->broker, "replies"), 2);
}

static void test_a_swallowed_confirm_leaves_the_message_in_its_queue(void **state)
{
    struct fixture *fixture = *state;
    fixture->faults->swallow_confirm = 1;
    assert_int_equal(reply(fixture, 1), TRANSPORT_OK);
    assert_int_equal(reply(fixture, 2), TRANSPORT_OK);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_int_equal(fixture->count, 1);
    assert_event(fixture, 0, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(memory_broker_count(fixture->broker, "replies"), 2);
}

static void test_a_slow_queue_confirms_some_polls_late(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_slow_down(fixture->broker, "replies", 2);
    assert_int_equal(reply(fixture, 1), TRANSPORT_OK);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_int_equal(dead_letter(fixture, 2), TRANSPORT_OK);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_int_equal(fixture->count, 1);
    assert_event(fixture, 0, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_event(fixture, 1, TRANSPORT_CONFIRMED, 1);
}

static void test_an_unbound_dead_letter_exchange_returns_letters(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_bind_dead(fixture->broker, false);
    assert_int_equal(dead_letter(fixture, 1), TRANSPORT_OK);
    memory_broker_bind_dead(fixture->broker, true);
    assert_int_equal(dead_letter(fixture, 2), TRANSPORT_OK);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_event(fixture, 0, TRANSPORT_RETURNED, 1);
    assert_event(fixture, 1, TRANSPORT_CONFIRMED, 1);
    assert_event(fixture, 2, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(memory_broker_count(fixture->broker, "allot.dead"), 1);
}

static void test_a_blocked_broker_accepts_held_messages_once_it_is_unblocked(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_block(fixture->broker, "low on memory");
    assert_int_equal(reply(fixture, 1), TRANSPORT_OK);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_int_equal(fixture->count, ROUTE_COUNT);
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        assert_event(fixture, i, TRANSPORT_BLOCKED, 0);
    assert_string_equal(fixture->events[0].reason, "low on memory");
    assert_int_equal(memory_broker_count(fixture->broker, "replies"), 0);
    memory_broker_block(fixture->broker, NULL);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_event(fixture, ROUTE_COUNT, TRANSPORT_UNBLOCKED, 0);
    assert_event(fixture, 2 * ROUTE_COUNT, TRANSPORT_CONFIRMED, 1);
    assert_int_equal(memory_broker_count(fixture->broker, "replies"), 1);
}

static void test_messages_held_while_blocked_are_lost_with_the_connection(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_block(fixture->broker, "low on memory");
    assert_int_equal(reply(fixture, 1), TRANSPORT_OK);
    memory_transport_cut(fixture->transport);
    memory_broker_block(fixture->broker, NULL);
    assert_int_equal(poll_once(fixture), TRANSPORT_LOST);
    assert_int_equal(memory_broker_count(fixture->broker, "replies"), 0);
}

static void test_a_duplicated_delivery_comes_twice_and_each_is_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    fixture->faults->duplicate_delivery = 1;
    send_command(fixture);
    consume(fixture);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_int_equal(fixture->count, 2);
    assert_false(fixture->events[0].delivery.redelivered);
    assert_true(fixture->events[1].delivery.redelivered);
    assert_int_equal(memory_broker_unacked(fixture->broker), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fixture->transport->ops->ack(
                             fixture->transport, fixture->events[i].delivery.tag, &fixture->error),
                         TRANSPORT_OK);
    assert_int_equal(memory_broker_unacked(fixture->broker), 0);
    assert_int_equal(memory_broker_count(fixture->broker, "allot.commands"), 0);
}

static void test_a_connection_lost_before_a_publish_leaves_no_message(void **state)
{
    struct fixture *fixture = *state;
    fixture->faults->lose_at_call = 1;
    assert_int_equal(reply(fixture, 1), TRANSPORT_LOST);
    assert_int_equal(memory_broker_count(fixture->broker, "replies"), 0);
    assert_int_equal(reply(fixture, 2), TRANSPORT_LOST);
}

static void test_a_connection_lost_after_a_publish_leaves_the_message_unconfirmed(void **state)
{
    struct fixture *fixture = *state;
    fixture->faults->lose_at_call = 1;
    fixture->faults->lose_after_effect = true;
    assert_int_equal(reply(fixture, 1), TRANSPORT_LOST);
    assert_int_equal(memory_broker_count(fixture->broker, "replies"), 1);
    assert_int_equal(fixture->transport->ops->open(fixture->transport, &fixture->error),
                     TRANSPORT_OK);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_int_equal(fixture->count, 0);
}

/* Runs a small session: open, consume, poll, publish, poll, ack, cancel. Returns false if a call
   failed. */
static bool run_session(struct fixture *fixture)
{
    struct transport *transport = fixture->transport;
    if (transport->ops->open(transport, &fixture->error) != TRANSPORT_OK ||
        transport->ops->consume(transport, 10, &fixture->error) != TRANSPORT_OK ||
        poll_once(fixture) != TRANSPORT_OK || reply(fixture, 1) != TRANSPORT_OK)
        return false;
    uint64_t tag = fixture->events[0].delivery.tag;
    return poll_once(fixture) == TRANSPORT_OK &&
           transport->ops->ack(transport, tag, &fixture->error) == TRANSPORT_OK &&
           transport->ops->cancel(transport, &fixture->error) == TRANSPORT_OK;
}

/* If the last call, cancel, fails, the command is acknowledged, so it has to be gone. */
static void test_no_command_is_lost_whichever_call_fails(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t call = 1; call <= SESSION_CALLS + 1; call++) {
        send_command(fixture);
        *fixture->faults = (struct memory_faults){.lose_at_call = call};
        assert_int_equal(run_session(fixture), call > SESSION_CALLS);
        fixture->transport->ops->close(fixture->transport);
        assert_int_equal(memory_broker_count(fixture->broker, "allot.commands"),
                         call < SESSION_CALLS ? 1 : 0);
        (void)memory_broker_drop_first(fixture->broker, "allot.commands");
        clear_events(fixture);
    }
}

static void test_two_workers_share_the_queue_and_one_gets_what_the_other_lost(void **state)
{
    struct fixture *fixture = *state;
    struct fixture other = {.broker = fixture->broker};
    other.transport = memory_transport_new(fixture->broker);
    assert_int_equal(other.transport->ops->open(other.transport, &other.error), TRANSPORT_OK);
    for (int i = 0; i < 3; i++)
        send_command(fixture);
    assert_int_equal(fixture->transport->ops->consume(fixture->transport, 2, &fixture->error),
                     TRANSPORT_OK);
    consume(&other);
    assert_int_equal(poll_once(fixture), TRANSPORT_OK);
    assert_int_equal(poll_once(&other), TRANSPORT_OK);
    assert_int_equal(fixture->count, 2);
    assert_int_equal(other.count, 1);
    memory_transport_cut(fixture->transport);
    assert_int_equal(poll_once(&other), TRANSPORT_OK);
    assert_int_equal(other.count, 3);
    assert_true(other.events[1].delivery.redelivered);
    clear_events(&other);
    other.transport->ops->free(other.transport);
}

static void test_a_broker_that_is_down_cuts_connections_and_accepts_none(void **state)
{
    struct fixture *fixture = *state;
    memory_broker_set_down(fixture->broker, true);
    assert_int_equal(poll_once(fixture), TRANSPORT_LOST);
    assert_int_equal(fixture->transport->ops->open(fixture->transport, &fixture->error),
                     TRANSPORT_LOST);
    memory_broker_set_down(fixture->broker, false);
    assert_int_equal(fixture->transport->ops->open(fixture->transport, &fixture->error),
                     TRANSPORT_OK);
}

static void requeue_at_once(void *context, const struct transport_event *event)
{
    struct fixture *fixture = context;
    record(context, event);
    assert_int_equal(
        fixture->transport->ops->requeue(fixture->transport, event->delivery.tag, &fixture->error),
        TRANSPORT_OK);
}

static void test_a_handler_that_requeues_does_not_keep_a_poll_forever(void **state)
{
    struct fixture *fixture = *state;
    const struct transport_handler handler = {fixture, requeue_at_once};
    send_command(fixture);
    consume(fixture);
    assert_int_equal(
        fixture->transport->ops->poll(fixture->transport, 0, -1, &handler, &fixture->error),
        TRANSPORT_OK);
    assert_int_equal(fixture->count, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_nth_publish_is_nacked_and_not_queued),
        TEST(test_a_swallowed_confirm_leaves_the_message_in_its_queue),
        TEST(test_a_slow_queue_confirms_some_polls_late),
        TEST(test_an_unbound_dead_letter_exchange_returns_letters),
        TEST(test_a_blocked_broker_accepts_held_messages_once_it_is_unblocked),
        TEST(test_messages_held_while_blocked_are_lost_with_the_connection),
        TEST(test_a_duplicated_delivery_comes_twice_and_each_is_acknowledged),
        TEST(test_a_connection_lost_before_a_publish_leaves_no_message),
        TEST(test_a_connection_lost_after_a_publish_leaves_the_message_unconfirmed),
        TEST(test_no_command_is_lost_whichever_call_fails),
        TEST(test_two_workers_share_the_queue_and_one_gets_what_the_other_lost),
        TEST(test_a_broker_that_is_down_cuts_connections_and_accepts_none),
        TEST(test_a_handler_that_requeues_does_not_keep_a_poll_forever),
    };
    return cmocka_run_group_tests_name("memory_transport", tests, NULL, NULL) != 0;
}
