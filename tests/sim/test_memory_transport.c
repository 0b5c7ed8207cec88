/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker in memory does beyond the port's contract: the faults that simulations set. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/support/memory_transport.h"

enum { EVENTS_MAX = 64, SESSION_CALLS = 7 };

struct bench {
    struct memory_broker *broker;
    struct transport *transport;
    struct memory_faults *faults;
    struct error error;
    struct transport_event events[EVENTS_MAX];
    size_t count;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->broker = memory_broker_new(&MEMORY_NAMES_DEFAULT);
    memory_broker_declare(bench->broker, "replies");
    bench->transport = memory_transport_new(bench->broker);
    bench->faults = memory_transport_faults(bench->transport);
    assert_int_equal(bench->transport->ops->open(bench->transport, &bench->error), TRANSPORT_OK);
    *state = bench;
    return 0;
}

static void forget(struct bench *bench)
{
    for (size_t i = 0; i < bench->count; i++)
        arena_free(bench->events[i].arena);
    bench->count = 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    forget(bench);
    bench->transport->ops->free(bench->transport);
    memory_broker_free(bench->broker);
    free(bench);
    return 0;
}

static void record(void *context, const struct transport_event *event)
{
    struct bench *bench = context;
    assert_true(bench->count < EVENTS_MAX);
    bench->events[bench->count++] = *event;
}

static enum transport_status poll_once(struct bench *bench)
{
    const struct transport_handler handler = {bench, record};
    return bench->transport->ops->poll(bench->transport, 1000, -1, &handler, &bench->error);
}

static enum transport_status reply(struct bench *bench, uint64_t sequence)
{
    struct outgoing outgoing = {.kind = OUTGOING_REPLY,
                                .sequence = sequence,
                                .exchange = text_of(""),
                                .routing_key = text_of("replies"),
                                .mandatory = true,
                                .body = text_of("r")};
    return bench->transport->ops->publish(bench->transport, &outgoing, &bench->error);
}

static enum transport_status dead_letter(struct bench *bench, uint64_t sequence)
{
    struct outgoing outgoing = {.kind = OUTGOING_DEAD_LETTER,
                                .sequence = sequence,
                                .exchange = text_of("allot.dead"),
                                .mandatory = true,
                                .body = text_of("d")};
    return bench->transport->ops->publish(bench->transport, &outgoing, &bench->error);
}

static void send_command(struct bench *bench)
{
    struct outgoing command = {.exchange = text_of("allot.commands"),
                               .routing_key = text_of("allot.commands"),
                               .body = text_of("c")};
    assert_true(memory_broker_send(bench->broker, &command));
}

static void consume(struct bench *bench)
{
    assert_int_equal(bench->transport->ops->consume(bench->transport, 10, &bench->error),
                     TRANSPORT_OK);
}

static void assert_event(const struct bench *bench, size_t index, enum transport_event_kind kind,
                         uint64_t sequence)
{
    assert_true(index < bench->count);
    assert_int_equal(bench->events[index].kind, kind);
    assert_int_equal(bench->events[index].sequence, sequence);
}

static void test_the_nth_publish_is_nacked_and_not_queued(void **state)
{
    struct bench *bench = *state;
    bench->faults->nack_publish = 2;
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(reply(bench, i), TRANSPORT_OK);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_event(bench, 0, TRANSPORT_CONFIRMED, 1);
    assert_event(bench, 1, TRANSPORT_NACKED, 2);
    assert_event(bench, 2, TRANSPORT_CONFIRMED, 3);
    assert_int_equal(memory_broker_count(bench->broker, "replies"), 2);
}

static void test_a_swallowed_confirm_leaves_the_message_in_its_queue(void **state)
{
    struct bench *bench = *state;
    bench->faults->swallow_confirm = 1;
    assert_int_equal(reply(bench, 1), TRANSPORT_OK);
    assert_int_equal(reply(bench, 2), TRANSPORT_OK);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_int_equal(bench->count, 1);
    assert_event(bench, 0, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(memory_broker_count(bench->broker, "replies"), 2);
}

static void test_an_unbound_dead_letter_exchange_returns_letters(void **state)
{
    struct bench *bench = *state;
    memory_broker_bind_dead(bench->broker, false);
    assert_int_equal(dead_letter(bench, 1), TRANSPORT_OK);
    memory_broker_bind_dead(bench->broker, true);
    assert_int_equal(dead_letter(bench, 2), TRANSPORT_OK);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_event(bench, 0, TRANSPORT_RETURNED, 1);
    assert_event(bench, 1, TRANSPORT_CONFIRMED, 1);
    assert_event(bench, 2, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(memory_broker_count(bench->broker, "allot.dead"), 1);
}

static void test_a_blocked_broker_takes_what_was_published_once_it_is_unblocked(void **state)
{
    struct bench *bench = *state;
    memory_broker_block(bench->broker, "low on memory");
    assert_int_equal(reply(bench, 1), TRANSPORT_OK);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_int_equal(bench->count, 1);
    assert_event(bench, 0, TRANSPORT_BLOCKED, 0);
    assert_string_equal(bench->events[0].reason, "low on memory");
    assert_int_equal(memory_broker_count(bench->broker, "replies"), 0);
    memory_broker_block(bench->broker, NULL);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_event(bench, 1, TRANSPORT_UNBLOCKED, 0);
    assert_event(bench, 2, TRANSPORT_CONFIRMED, 1);
    assert_int_equal(memory_broker_count(bench->broker, "replies"), 1);
}

static void test_what_was_held_is_lost_with_the_connection(void **state)
{
    struct bench *bench = *state;
    memory_broker_block(bench->broker, "low on memory");
    assert_int_equal(reply(bench, 1), TRANSPORT_OK);
    memory_transport_cut(bench->transport);
    memory_broker_block(bench->broker, NULL);
    assert_int_equal(poll_once(bench), TRANSPORT_LOST);
    assert_int_equal(memory_broker_count(bench->broker, "replies"), 0);
}

static void test_a_duplicated_delivery_comes_twice_and_each_is_acknowledged(void **state)
{
    struct bench *bench = *state;
    bench->faults->duplicate_delivery = 1;
    send_command(bench);
    consume(bench);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_int_equal(bench->count, 2);
    assert_int_equal(bench->events[0].delivery.delivery_count, 0);
    assert_int_equal(bench->events[1].delivery.delivery_count, 1);
    assert_int_equal(memory_broker_unacked(bench->broker), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(bench->transport->ops->ack(bench->transport, bench->events[i].delivery.tag,
                                                    &bench->error),
                         TRANSPORT_OK);
    assert_int_equal(memory_broker_unacked(bench->broker), 0);
    assert_int_equal(memory_broker_count(bench->broker, "allot.commands"), 0);
}

static void test_a_connection_lost_before_a_publish_leaves_no_message(void **state)
{
    struct bench *bench = *state;
    bench->faults->lose_at_call = 1;
    assert_int_equal(reply(bench, 1), TRANSPORT_LOST);
    assert_int_equal(memory_broker_count(bench->broker, "replies"), 0);
    assert_int_equal(reply(bench, 2), TRANSPORT_LOST);
}

static void test_a_connection_lost_after_a_publish_leaves_the_message_unconfirmed(void **state)
{
    struct bench *bench = *state;
    bench->faults->lose_at_call = 1;
    bench->faults->lose_after_effect = true;
    assert_int_equal(reply(bench, 1), TRANSPORT_LOST);
    assert_int_equal(memory_broker_count(bench->broker, "replies"), 1);
    assert_int_equal(bench->transport->ops->open(bench->transport, &bench->error), TRANSPORT_OK);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_int_equal(bench->count, 0);
}

/* One small session: open, consume, poll, publish, poll, ack, cancel. */
static bool session_is_well(struct bench *bench)
{
    struct transport *transport = bench->transport;
    if (transport->ops->open(transport, &bench->error) != TRANSPORT_OK ||
        transport->ops->consume(transport, 10, &bench->error) != TRANSPORT_OK ||
        poll_once(bench) != TRANSPORT_OK || reply(bench, 1) != TRANSPORT_OK)
        return false;
    uint64_t tag = bench->events[0].delivery.tag;
    return poll_once(bench) == TRANSPORT_OK &&
           transport->ops->ack(transport, tag, &bench->error) == TRANSPORT_OK &&
           transport->ops->cancel(transport, &bench->error) == TRANSPORT_OK;
}

/* The last call, cancel, comes after the ack: then the command is gone rightly. */
static void test_no_command_is_lost_whichever_call_fails(void **state)
{
    struct bench *bench = *state;
    for (uint64_t call = 1; call <= SESSION_CALLS + 1; call++) {
        send_command(bench);
        *bench->faults = (struct memory_faults){.lose_at_call = call};
        assert_int_equal(session_is_well(bench), call > SESSION_CALLS);
        bench->transport->ops->close(bench->transport);
        assert_int_equal(memory_broker_count(bench->broker, "allot.commands"),
                         call < SESSION_CALLS ? 1 : 0);
        (void)memory_broker_drop_first(bench->broker, "allot.commands");
        forget(bench);
    }
}

static void test_two_workers_share_the_queue_and_one_inherits_the_other(void **state)
{
    struct bench *bench = *state;
    struct bench other = {.broker = bench->broker};
    other.transport = memory_transport_new(bench->broker);
    assert_int_equal(other.transport->ops->open(other.transport, &other.error), TRANSPORT_OK);
    for (int i = 0; i < 3; i++)
        send_command(bench);
    assert_int_equal(bench->transport->ops->consume(bench->transport, 2, &bench->error),
                     TRANSPORT_OK);
    consume(&other);
    assert_int_equal(poll_once(bench), TRANSPORT_OK);
    assert_int_equal(poll_once(&other), TRANSPORT_OK);
    assert_int_equal(bench->count, 2);
    assert_int_equal(other.count, 1);
    memory_transport_cut(bench->transport);
    assert_int_equal(poll_once(&other), TRANSPORT_OK);
    assert_int_equal(other.count, 3);
    assert_int_equal(other.events[1].delivery.delivery_count, 1);
    forget(&other);
    other.transport->ops->free(other.transport);
}

static void test_a_broker_that_is_down_cuts_and_lets_nobody_in(void **state)
{
    struct bench *bench = *state;
    memory_broker_set_down(bench->broker, true);
    assert_int_equal(poll_once(bench), TRANSPORT_LOST);
    assert_int_equal(bench->transport->ops->open(bench->transport, &bench->error), TRANSPORT_LOST);
    memory_broker_set_down(bench->broker, false);
    assert_int_equal(bench->transport->ops->open(bench->transport, &bench->error), TRANSPORT_OK);
}

static void give_back_at_once(void *context, const struct transport_event *event)
{
    struct bench *bench = context;
    record(context, event);
    assert_int_equal(
        bench->transport->ops->requeue(bench->transport, event->delivery.tag, &bench->error),
        TRANSPORT_OK);
}

static void test_a_handler_that_gives_back_does_not_keep_a_poll_for_ever(void **state)
{
    struct bench *bench = *state;
    const struct transport_handler handler = {bench, give_back_at_once};
    send_command(bench);
    consume(bench);
    assert_int_equal(bench->transport->ops->poll(bench->transport, 0, -1, &handler, &bench->error),
                     TRANSPORT_OK);
    assert_int_equal(bench->count, 1);
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_nth_publish_is_nacked_and_not_queued),
        TEST(test_a_swallowed_confirm_leaves_the_message_in_its_queue),
        TEST(test_an_unbound_dead_letter_exchange_returns_letters),
        TEST(test_a_blocked_broker_takes_what_was_published_once_it_is_unblocked),
        TEST(test_what_was_held_is_lost_with_the_connection),
        TEST(test_a_duplicated_delivery_comes_twice_and_each_is_acknowledged),
        TEST(test_a_connection_lost_before_a_publish_leaves_no_message),
        TEST(test_a_connection_lost_after_a_publish_leaves_the_message_unconfirmed),
        TEST(test_no_command_is_lost_whichever_call_fails),
        TEST(test_two_workers_share_the_queue_and_one_inherits_the_other),
        TEST(test_a_broker_that_is_down_cuts_and_lets_nobody_in),
        TEST(test_a_handler_that_gives_back_does_not_keep_a_poll_for_ever),
    };
    return cmocka_run_group_tests_name("memory_transport", tests, NULL, NULL) != 0;
}
