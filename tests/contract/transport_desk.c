/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the transport port promises of the desk queue: it gets a copy of each dead letter, and
 * costs the commands nothing.
 *
 * Sections: both backends; RabbitMQ only.
 *
 * await() and count() look at the deliveries of one queue only, since those of both arrive in any
 * order.
 *
 * A dead letter of a test is published by its own transport. The unreadable message of the desk
 * queue is in transport_unreadable.c.
 */
#include "tests/contract/transport_rabbitmq.h"

#include <string.h>

enum { CHECK_MS = 20, RARELY_MS = 1000, POLL_MS = 50, POLLS_MAX = 200 };

/* Returns the delivery at `index` among those from this queue; NULL if there are fewer. */
static const struct delivery *find(const struct fixture *fixture, enum delivery_source source,
                                   size_t index)
{
    for (size_t i = 0; i < fixture->event_count; i++) {
        const struct transport_event *event = &fixture->events[i];
        if (event->kind == TRANSPORT_DELIVERY && event->delivery.source == source && index-- == 0)
            return &event->delivery;
    }
    return NULL;
}

static size_t count(const struct fixture *fixture, enum delivery_source source)
{
    size_t found = 0;
    while (find(fixture, source, found) != NULL)
        found++;
    return found;
}

static const struct delivery *await(struct fixture *fixture, enum delivery_source source,
                                    size_t index)
{
    for (int i = 0; i < POLLS_MAX && find(fixture, source, index) == NULL; i++)
        assert_int_equal(fixture_poll(fixture, POLL_MS), TRANSPORT_OK);
    assert_non_null(find(fixture, source, index));
    return find(fixture, source, index);
}

static void publish_letters(struct fixture *fixture, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        struct outgoing letter = fixture_dead_letter(fixture, "garbage");
        size_t confirmed = fixture_count(fixture, TRANSPORT_CONFIRMED);
        fixture_publish(fixture, &letter);
        fixture_await(fixture, TRANSPORT_CONFIRMED, confirmed + 1);
    }
}

/* Opens the transport again, and asserts that nothing is delivered. */
static void assert_nothing_left(struct fixture *fixture)
{
    fixture->transport->ops->close(fixture->transport);
    fixture_clear_events(fixture);
    fixture_open(fixture);
    fixture_consume(fixture, 10);
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 0);
}

/* --- both backends -------------------------------------------------------------------------- */

void test_a_delivery_says_from_which_queue_it_is(void **state)
{
    struct fixture *fixture = *state;
    fixture_consume(fixture, 10);
    fixture_send(fixture, "a", text_of("command"));
    publish_letters(fixture, 1);
    const struct delivery *command = await(fixture, DELIVERY_COMMAND, 0);
    const struct delivery *letter = await(fixture, DELIVERY_DESK, 0);
    assert_text(command->body, "command");
    assert_text(letter->body, "garbage");
    assert_true(command->tag != letter->tag);
    assert_text(fixture_take(fixture, fixture->names.dead_letter_queue).body, "garbage");
}

void test_an_acknowledged_message_of_the_desk_is_gone(void **state)
{
    struct fixture *fixture = *state;
    fixture_consume(fixture, 10);
    fixture_send(fixture, "a", text_of("command"));
    publish_letters(fixture, 2);
    fixture_ack(fixture, await(fixture, DELIVERY_DESK, 1)->tag);
    fixture_ack(fixture, await(fixture, DELIVERY_COMMAND, 0)->tag);
    fixture_ack(fixture, await(fixture, DELIVERY_DESK, 0)->tag);
    fixture_poll_a_while(fixture);
    assert_nothing_left(fixture);
}

void test_the_desk_queue_has_a_prefetch_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    fixture_consume(fixture, 1);
    publish_letters(fixture, 3);
    fixture_send_some(fixture, 2);
    (void)await(fixture, DELIVERY_DESK, 2);
    fixture_poll_a_while(fixture);
    assert_int_equal(count(fixture, DELIVERY_COMMAND), 1);
    fixture_ack(fixture, await(fixture, DELIVERY_COMMAND, 0)->tag);
    (void)await(fixture, DELIVERY_COMMAND, 1);
}

void test_a_message_of_the_desk_is_redelivered_after_a_lost_connection(void **state)
{
    struct fixture *fixture = *state;
    fixture->transport->ops->close(fixture->transport);
    fixture_open(fixture);
    publish_letters(fixture, 1);
    fixture_consume(fixture, 10);
    assert_false(await(fixture, DELIVERY_DESK, 0)->redelivered);
    fixture->transport->ops->close(fixture->transport);
    fixture_clear_events(fixture);
    fixture_open(fixture);
    fixture_consume(fixture, 10);
    const struct delivery *again = await(fixture, DELIVERY_DESK, 0);
    assert_true(again->redelivered);
    fixture_ack(fixture, again->tag);
    fixture_poll_a_while(fixture);
    assert_nothing_left(fixture);
}

void test_a_requeued_message_of_the_desk_comes_again(void **state)
{
    struct fixture *fixture = *state;
    fixture_consume(fixture, 10);
    publish_letters(fixture, 1);
    uint64_t tag = await(fixture, DELIVERY_DESK, 0)->tag;
    assert_int_equal(fixture->transport->ops->requeue(fixture->transport, tag, &fixture->error),
                     TRANSPORT_OK);
    const struct delivery *again = await(fixture, DELIVERY_DESK, 1);
    assert_true(again->redelivered);
    fixture_ack(fixture, again->tag);
}

void test_a_cancel_ends_both_consumers_and_a_consume_starts_both(void **state)
{
    struct fixture *fixture = *state;
    fixture_consume(fixture, 10);
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture->transport->ops->cancel(fixture->transport, &fixture->error),
                     TRANSPORT_OK);
    fixture_poll_a_while(fixture);
    publish_letters(fixture, 1);
    fixture_send(fixture, "a", text_of("command"));
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 0);
    fixture_consume(fixture, 10);
    (void)await(fixture, DELIVERY_DESK, 0);
    (void)await(fixture, DELIVERY_COMMAND, 0);
}

/* --- RabbitMQ only -------------------------------------------------------------------------- */

static struct {
    unsigned unavailable, available;
    struct error why;
} told;

static void notify(void *context, enum amqp_notice notice, const char *text)
{
    (void)context;
    told.unavailable += notice == AMQP_DESK_UNAVAILABLE;
    told.available += notice == AMQP_DESK_AVAILABLE;
    if (notice == AMQP_DESK_UNAVAILABLE)
        error_set(&told.why, "%s", text);
}

static void observe(struct fixture *fixture, bool declare, int64_t check_ms)
{
    memset(&told, 0, sizeof told);
    rabbitmq_observe(fixture, declare, check_ms, notify);
}

void test_commands_are_served_without_the_desk_queue_until_it_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct amqp_options options = rabbitmq_options(fixture);
    struct error warning = {""};
    fixture->backend->delete_queue(fixture, fixture->names.desk_queue);
    observe(fixture, false, CHECK_MS);
    fixture_consume(fixture, 10);
    fixture_send(fixture, "a", text_of("command"));
    fixture_ack(fixture, await(fixture, DELIVERY_COMMAND, 0)->tag);
    fixture_poll_a_while(fixture);
    assert_int_equal(told.unavailable, 1);
    assert_non_null(strstr(told.why.text, fixture->names.desk_queue));
    assert_int_equal(
        topology_declare(options.uri, &options.tls, &options.topology, &warning, &fixture->error),
        TRANSPORT_OK);
    publish_letters(fixture, 1);
    (void)await(fixture, DELIVERY_DESK, 0);
    assert_int_equal(told.available, 1);
    assert_int_equal(told.unavailable, 1);
}

/* RabbitMQ 3.10 sends no cancel if the queue is declared again within milliseconds, and the
   consumer is gone all the same. So the check has to come later, as it does in a worker. */
void test_a_desk_queue_that_is_deleted_comes_back(void **state)
{
    struct fixture *fixture = *state;
    observe(fixture, true, RARELY_MS);
    fixture_consume(fixture, 10);
    fixture_poll_a_while(fixture);
    fixture->backend->delete_queue(fixture, fixture->names.desk_queue);
    for (int i = 0; told.available == 0 && i < POLLS_MAX; i++)
        assert_int_equal(fixture_poll(fixture, POLL_MS), TRANSPORT_OK);
    assert_int_equal(told.unavailable, 1);
    assert_int_equal(told.available, 1);
    fixture_send(fixture, "a", text_of("command"));
    (void)await(fixture, DELIVERY_COMMAND, 0);
    publish_letters(fixture, 1);
    (void)await(fixture, DELIVERY_DESK, 0);
}
