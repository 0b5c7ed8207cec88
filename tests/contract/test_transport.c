/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests each promise of the transport port (include/allot/transport.h). BOTH runs a test against
 * the broker in memory and against RabbitMQ: the simulations use the one in memory, so it has to
 * behave as RabbitMQ does. RABBITMQ runs a test against RabbitMQ only.
 *
 *   this file                 deliveries, acks, the AMQP consumer, waiting
 *   transport_publishing.c    replies and dead letters, with confirms and returns
 *   transport_desk.c          the desk queue
 *   transport_only.c          opening, silent peers, topology, large messages, the client
 *   transport_fixture.[ch]    what the tests share
 *   transport_memory.c, transport_rabbitmq.[ch]   the two backends
 *
 * A test gets a fixture with an open transport and empty queues of its own.
 */
#include "tests/contract/transport_rabbitmq.h"
#include "tests/contract/transport_unreadable.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "allot/limits.h"
#include "common/codec/field_table.h"

enum { MEBIBYTE = 1024 * 1024 };

/* --- deliveries ----------------------------------------------------------------------------- */

static void test_a_delivery_arrives_with_all_properties_and_headers(void **state)
{
    struct fixture *fixture = *state;
    const struct outgoing_header headers[] = {
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of(FIXTURE_TRACE)},
        {.name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = 1700000000123},
        {.name = "a-flag", .kind = OUTGOING_BOOL, .integer = 1},
        {.name = "a-text", .kind = OUTGOING_TEXT, .text = text_of("with \xc3\xa4")}};
    struct outgoing command = {.properties = fixture_properties(),
                               .headers = headers,
                               .header_count = 4,
                               .body = text_of("{\"version\":1}")};
    fixture->backend->send(fixture, &command);
    fixture_consume(fixture, 10);
    const struct delivery *delivery = fixture_delivery(fixture, 0);
    assert_fixture_properties(&delivery->properties);
    assert_text(delivery->body, "{\"version\":1}");
    assert_false(delivery->redelivered);
    assert_int_equal(delivery->deadline, HEADER_INTEGER);
    assert_int_equal(delivery->deadline_ms, 1700000000123);
    assert_text(delivery->traceparent, FIXTURE_TRACE);
    assert_text(fixture_text_header(delivery->raw_headers, "a-text"), "with \xc3\xa4");
    struct field flag;
    assert_true(field_table_find(delivery->raw_headers, "a-flag", &flag));
    assert_int_equal(flag.kind, FIELD_BOOLEAN);
    assert_int_equal(flag.integer, 1);
}

static void test_absent_properties_and_headers_stay_absent(void **state)
{
    struct fixture *fixture = *state;
    fixture_send(fixture, "a", text_of(""));
    fixture_consume(fixture, 10);
    const struct delivery *delivery = fixture_delivery(fixture, 0);
    assert_false(text_present(delivery->properties.reply_to));
    assert_false(text_present(delivery->properties.correlation_id));
    assert_false(text_present(delivery->properties.content_type));
    assert_false(text_present(delivery->traceparent));
    assert_false(delivery->properties.has_priority);
    assert_false(delivery->properties.has_timestamp);
    assert_int_equal(delivery->deadline, HEADER_ABSENT);
}

static void test_bodies_up_to_the_limit_arrive_whole(void **state)
{
    struct fixture *fixture = *state;
    const size_t sizes[] = {0, 1, 131064, 131065, MEBIBYTE};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        fixture_send(fixture, "big", fixture_pattern(fixture, sizes[i]));
    fixture_consume(fixture, 10);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_same_text(fixture_delivery(fixture, i)->body, fixture_pattern(fixture, sizes[i]));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(fixture_delivery(fixture, i)->cut_size, 0);
        assert_false(text_present(fixture_delivery(fixture, i)->body_sha256));
    }
}

static struct text sha256_of(struct fixture *fixture, struct text body)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char *hex = arena_alloc(fixture->arena, 2 * sizeof digest + 1);
    (void)SHA256((const unsigned char *)body.bytes, body.length, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return text_of(hex);
}

static void test_a_body_over_the_limit_is_cut_and_hashed(void **state)
{
    struct fixture *fixture = *state;
    const size_t sizes[] = {MEBIBYTE + 1, 3 * MEBIBYTE};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        fixture_send(fixture, "big", fixture_pattern(fixture, sizes[i]));
    fixture_send(fixture, "small", text_of("next"));
    fixture_consume(fixture, 10);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct delivery *delivery = fixture_delivery(fixture, i);
        struct text body = fixture_pattern(fixture, sizes[i]);
        assert_same_text(delivery->body, text_view(body.bytes, BODY_KEPT_BYTES));
        assert_int_equal(delivery->cut_size, sizes[i]);
        assert_same_text(delivery->body_sha256, sha256_of(fixture, body));
    }
    assert_text(fixture_delivery(fixture, 2)->body, "next");
}

/* Brokers count in these headers: 3.10 in the first, 4.3 in both. */
static void test_a_forged_count_of_deliveries_is_not_believed(void **state)
{
    struct fixture *fixture = *state;
    const struct outgoing_header forged[] = {
        {.name = "x-delivery-count", .kind = OUTGOING_INTEGER, .integer = 7},
        {.name = "x-acquired-count", .kind = OUTGOING_INTEGER, .integer = 9}};
    struct outgoing command = {.headers = forged, .header_count = 2, .body = text_of("{}")};
    fixture->backend->send(fixture, &command);
    fixture_consume(fixture, 10);
    const struct delivery *first = fixture_delivery(fixture, 0);
    assert_false(first->redelivered);
    assert_int_equal(
        fixture->transport->ops->requeue(fixture->transport, first->tag, &fixture->error),
        TRANSPORT_OK);
    assert_true(fixture_delivery(fixture, 1)->redelivered);
}

static void test_the_prefetch_limits_unacknowledged_deliveries(void **state)
{
    struct fixture *fixture = *state;
    fixture_send_some(fixture, 10);
    fixture_consume(fixture, 3);
    fixture_await(fixture, TRANSPORT_DELIVERY, 3);
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 3);
    fixture_ack(fixture, fixture_delivery(fixture, 1)->tag);
    fixture_await(fixture, TRANSPORT_DELIVERY, 4);
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 4);
}

static void test_acknowledged_commands_are_not_redelivered(void **state)
{
    struct fixture *fixture = *state;
    fixture_send_some(fixture, 3);
    fixture_consume(fixture, 10);
    fixture_await(fixture, TRANSPORT_DELIVERY, 3);
    fixture_ack(fixture, fixture_delivery(fixture, 2)->tag);
    fixture_ack(fixture, fixture_delivery(fixture, 0)->tag);
    fixture_poll_a_while(fixture);
    fixture_clear_events(fixture);
    fixture_open(fixture);
    fixture_consume(fixture, 10);
    assert_text(fixture_delivery(fixture, 0)->properties.message_id, "b");
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 1);
}

static void test_a_requeued_command_is_redelivered(void **state)
{
    struct fixture *fixture = *state;
    fixture_send_some(fixture, 1);
    fixture_consume(fixture, 10);
    for (size_t i = 0; i < 4; i++) {
        const struct delivery *delivery = fixture_delivery(fixture, i);
        assert_int_equal(delivery->redelivered, i > 0);
        assert_text(delivery->properties.message_id, "a");
        assert_int_equal(
            fixture->transport->ops->requeue(fixture->transport, delivery->tag, &fixture->error),
            TRANSPORT_OK);
    }
}

static void test_a_lost_connection_redelivers_all_unacknowledged_commands(void **state)
{
    struct fixture *fixture = *state;
    fixture_send_some(fixture, 3);
    fixture_consume(fixture, 10);
    fixture_await(fixture, TRANSPORT_DELIVERY, 3);
    fixture->backend->cut(fixture);
    fixture_await_lost(fixture);
    fixture_clear_events(fixture);
    fixture_open(fixture);
    fixture_consume(fixture, 10);
    fixture_await(fixture, TRANSPORT_DELIVERY, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(fixture_delivery(fixture, i)->redelivered);
}

static void test_after_a_loss_each_call_returns_lost_until_open(void **state)
{
    struct fixture *fixture = *state;
    struct transport *transport = fixture->transport;
    struct outgoing reply = fixture_reply(fixture, "x");
    fixture->backend->cut(fixture);
    fixture_await_lost(fixture);
    assert_int_equal(transport->ops->publish(transport, &reply, &fixture->error), TRANSPORT_LOST);
    assert_int_equal(transport->ops->ack(transport, 1, &fixture->error), TRANSPORT_LOST);
    assert_int_equal(transport->ops->requeue(transport, 1, &fixture->error), TRANSPORT_LOST);
    assert_int_equal(transport->ops->consume(transport, 1, &fixture->error), TRANSPORT_LOST);
    assert_int_equal(transport->ops->cancel(transport, &fixture->error), TRANSPORT_LOST);
    assert_int_equal(fixture_poll(fixture, 0), TRANSPORT_LOST);
    transport->ops->close(transport);
    transport->ops->close(transport);
    assert_int_equal(fixture_poll(fixture, 0), TRANSPORT_LOST);
    fixture_open(fixture);
    assert_int_equal(fixture_poll(fixture, 0), TRANSPORT_OK);
}

static void test_an_unknown_tag_loses_the_connection(void **state)
{
    struct fixture *fixture = *state;
    fixture_consume(fixture, 10);
    fixture_ack(fixture, 4711);
    fixture_await_lost(fixture);
}

static void test_cancel_stops_deliveries_and_consume_resumes_them(void **state)
{
    struct fixture *fixture = *state;
    fixture_send_some(fixture, 1);
    fixture_consume(fixture, 10);
    fixture_await(fixture, TRANSPORT_DELIVERY, 1);
    assert_int_equal(fixture->transport->ops->cancel(fixture->transport, &fixture->error),
                     TRANSPORT_OK);
    fixture_poll_a_while(fixture); /* the broker ends the consumer */
    fixture_send(fixture, "later", text_of("{}"));
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 1);
    /* A delivery from before the cancel can still be acknowledged. */
    fixture_ack(fixture, fixture_delivery(fixture, 0)->tag);
    fixture_consume(fixture, 10);
    assert_text(fixture_delivery(fixture, 1)->properties.message_id, "later");
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 2);
    assert_int_equal(fixture_count(fixture, TRANSPORT_CANCELLED), 0);
}

/* The worker's flow control does the same: it cancels the AMQP consumer while deliveries arrive,
   requeues some of them, and consumes again while others are not acknowledged. */
static void test_a_consumer_restarted_beside_unacknowledged_deliveries_gets_the_rest(void **state)
{
    enum { COMMANDS = 24, KEPT = 8 };
    struct fixture *fixture = *state;
    struct transport *transport = fixture->transport;
    for (size_t i = 0; i < COMMANDS; i++)
        fixture_send(fixture, "some", fixture_pattern(fixture, MEBIBYTE / 4));
    fixture_consume(fixture, 1000);
    fixture_await(fixture, TRANSPORT_DELIVERY, COMMANDS);
    assert_int_equal(transport->ops->cancel(transport, &fixture->error), TRANSPORT_OK);
    for (size_t i = KEPT; i < COMMANDS; i++)
        assert_int_equal(
            transport->ops->requeue(transport, fixture_delivery(fixture, i)->tag, &fixture->error),
            TRANSPORT_OK);
    for (size_t i = 0; i < KEPT / 2; i++)
        fixture_ack(fixture, fixture_delivery(fixture, i)->tag);
    fixture_poll_a_while(fixture);
    fixture_consume(fixture, 9);
    for (size_t i = KEPT / 2; i < KEPT; i++)
        fixture_ack(fixture, fixture_delivery(fixture, i)->tag);
    for (size_t i = COMMANDS; i < COMMANDS + COMMANDS - KEPT; i++) {
        assert_true(fixture_delivery(fixture, i)->redelivered);
        fixture_ack(fixture, fixture_delivery(fixture, i)->tag);
    }
    fixture_poll_a_while(fixture);
    fixture_clear_events(fixture);
    fixture_open(fixture);
    fixture_consume(fixture, COMMANDS);
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 0);
}

/* Flow control depends on it: held deliveries must not fill the prefetch for good. */
static void test_deliveries_of_a_cancelled_consumer_do_not_count_for_the_next(void **state)
{
    enum { PREFETCH = 2, ROUNDS = 3 };
    struct fixture *fixture = *state;
    struct transport *transport = fixture->transport;
    fixture_send_some(fixture, PREFETCH * (ROUNDS + 1));
    for (size_t round = 1; round <= ROUNDS; round++) {
        fixture_consume(fixture, PREFETCH);
        fixture_await(fixture, TRANSPORT_DELIVERY, round * PREFETCH);
        fixture_poll_a_while(fixture);
        assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), round * PREFETCH);
        assert_int_equal(transport->ops->cancel(transport, &fixture->error), TRANSPORT_OK);
        fixture_poll_a_while(fixture);
    }
    for (size_t i = 0; i < ROUNDS * PREFETCH; i++)
        fixture_ack(fixture, fixture_delivery(fixture, i)->tag);
    fixture_consume(fixture, PREFETCH);
    fixture_await(fixture, TRANSPORT_DELIVERY, (ROUNDS + 1) * PREFETCH);
}

static void test_a_deleted_queue_cancels_the_consumer(void **state)
{
    struct fixture *fixture = *state;
    fixture_consume(fixture, 10);
    fixture->backend->delete_queue(fixture, fixture->names.queue);
    fixture_await(fixture, TRANSPORT_CANCELLED, 1);
    assert_int_equal(fixture_poll(fixture, 0), TRANSPORT_OK);
    fixture_open(fixture); /* declares it again */
    fixture_consume(fixture, 10);
    fixture_send_some(fixture, 1);
    fixture_await(fixture, TRANSPORT_DELIVERY, 1);
}

/* --- waiting -------------------------------------------------------------------------------- */

static void test_a_readable_wake_fd_ends_a_poll(void **state)
{
    struct fixture *fixture = *state;
    const struct transport_handler handler = {fixture, NULL}; /* no event may arrive */
    int wake = eventfd(1, EFD_NONBLOCK);
    assert_true(wake >= 0);
    fixture_poll_a_while(fixture);
    alarm(60); /* ends the test if the poll does not; its own timeout is much longer */
    enum transport_status status =
        fixture->transport->ops->poll(fixture->transport, 600000, wake, &handler, &fixture->error);
    alarm(0);
    assert_int_equal(status, TRANSPORT_OK);
    (void)close(wake);
}

static void test_an_idle_connection_outlives_three_heartbeats(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_poll(fixture, 3 * FIXTURE_HEARTBEAT_MS + FIXTURE_HEARTBEAT_MS / 2),
                     TRANSPORT_OK);
    struct outgoing reply = fixture_reply(fixture, "still here");
    fixture_publish(fixture, &reply);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    fixture_send_some(fixture, 1);
    fixture_consume(fixture, 1);
    fixture_await(fixture, TRANSPORT_DELIVERY, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_a_delivery_arrives_with_all_properties_and_headers),
        BOTH(test_absent_properties_and_headers_stay_absent),
        BOTH(test_bodies_up_to_the_limit_arrive_whole),
        BOTH(test_a_body_over_the_limit_is_cut_and_hashed),
        BOTH(test_a_forged_count_of_deliveries_is_not_believed),
        BOTH(test_the_prefetch_limits_unacknowledged_deliveries),
        BOTH(test_acknowledged_commands_are_not_redelivered),
        BOTH(test_a_requeued_command_is_redelivered),
        BOTH(test_a_lost_connection_redelivers_all_unacknowledged_commands),
        BOTH(test_after_a_loss_each_call_returns_lost_until_open),
        BOTH(test_an_unknown_tag_loses_the_connection),
        BOTH(test_cancel_stops_deliveries_and_consume_resumes_them),
        BOTH(test_a_consumer_restarted_beside_unacknowledged_deliveries_gets_the_rest),
        BOTH(test_deliveries_of_a_cancelled_consumer_do_not_count_for_the_next),
        BOTH(test_a_deleted_queue_cancels_the_consumer),
#define X(test) BOTH(test),
        PUBLISHING_TESTS(X) DESK_TESTS(X)
#undef X
            BOTH(test_a_readable_wake_fd_ends_a_poll),
        BOTH(test_an_idle_connection_outlives_three_heartbeats),
#define X(test) RABBITMQ(test),
        RABBITMQ_TESTS(X) UNREADABLE_TESTS(X)
#undef X
    };
    return cmocka_run_group_tests_name("transport", tests, NULL, NULL) != 0;
}
