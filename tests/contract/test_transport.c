/* SPDX-License-Identifier: Apache-2.0 */
/* The transport port's contract, claim by claim, against the broker in memory and RabbitMQ. */
#include "tests/contract/transport_rabbitmq.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "common/codec/field_table.h"

enum { MEBIBYTE = 1024 * 1024 };

/* --- deliveries ----------------------------------------------------------------------------- */

static void test_a_delivery_arrives_with_all_properties_and_headers(void **state)
{
    struct lab *lab = *state;
    const struct outgoing_header headers[] = {
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of(LAB_TRACE)},
        {.name = "x-allot-deadline", .kind = OUTGOING_INTEGER, .integer = 1700000000123},
        {.name = "a-flag", .kind = OUTGOING_BOOL, .integer = 1},
        {.name = "a-text", .kind = OUTGOING_TEXT, .text = text_of("with \xc3\xa4")}};
    struct outgoing command = {.properties = lab_properties(),
                               .headers = headers,
                               .header_count = 4,
                               .body = text_of("{\"version\":1}")};
    lab->backend->send(lab, &command);
    lab_consume(lab, 10);
    const struct delivery *delivery = lab_delivery(lab, 0);
    assert_lab_properties(&delivery->properties);
    assert_text(delivery->body, "{\"version\":1}");
    assert_int_equal(delivery->delivery_count, 0);
    assert_int_equal(delivery->deadline, HEADER_INTEGER);
    assert_int_equal(delivery->deadline_ms, 1700000000123);
    assert_text(delivery->traceparent, LAB_TRACE);
    assert_text(lab_text_header(delivery->raw_headers, "a-text"), "with \xc3\xa4");
    struct field flag;
    assert_true(field_table_find(delivery->raw_headers, "a-flag", &flag));
    assert_int_equal(flag.kind, FIELD_BOOLEAN);
    assert_int_equal(flag.integer, 1);
}

static void test_what_was_not_sent_is_absent(void **state)
{
    struct lab *lab = *state;
    lab_send(lab, "a", text_of(""));
    lab_consume(lab, 10);
    const struct delivery *delivery = lab_delivery(lab, 0);
    assert_false(text_present(delivery->properties.reply_to));
    assert_false(text_present(delivery->properties.correlation_id));
    assert_false(text_present(delivery->properties.content_type));
    assert_false(text_present(delivery->traceparent));
    assert_false(delivery->properties.has_priority);
    assert_false(delivery->properties.has_timestamp);
    assert_int_equal(delivery->deadline, HEADER_ABSENT);
}

static void test_bodies_of_any_size_arrive_whole(void **state)
{
    struct lab *lab = *state;
    const size_t sizes[] = {0, 1, 131064, 131065, MEBIBYTE, 3 * MEBIBYTE};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        lab_send(lab, "big", lab_pattern(lab, sizes[i]));
    lab_consume(lab, 10);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_same_text(lab_delivery(lab, i)->body, lab_pattern(lab, sizes[i]));
}

static void test_a_forged_delivery_count_is_ignored_on_the_first_delivery(void **state)
{
    struct lab *lab = *state;
    const struct outgoing_header forged = {
        .name = "x-delivery-count", .kind = OUTGOING_INTEGER, .integer = 7};
    struct outgoing command = {.headers = &forged, .header_count = 1, .body = text_of("{}")};
    lab->backend->send(lab, &command);
    lab_consume(lab, 10);
    const struct delivery *first = lab_delivery(lab, 0);
    assert_int_equal(first->delivery_count, 0);
    assert_int_equal(lab->transport->ops->give_back(lab->transport, first->tag, &lab->error),
                     TRANSPORT_OK);
    assert_int_equal(lab_delivery(lab, 1)->delivery_count, 1);
}

static void test_the_prefetch_bounds_what_is_unacknowledged(void **state)
{
    struct lab *lab = *state;
    lab_send_some(lab, 10);
    lab_consume(lab, 3);
    lab_await(lab, TRANSPORT_DELIVERY, 3);
    lab_rest(lab);
    assert_int_equal(lab_count(lab, TRANSPORT_DELIVERY), 3);
    lab_ack(lab, lab_delivery(lab, 1)->tag);
    lab_await(lab, TRANSPORT_DELIVERY, 4);
    lab_rest(lab);
    assert_int_equal(lab_count(lab, TRANSPORT_DELIVERY), 4);
}

static void test_what_is_acknowledged_does_not_come_again(void **state)
{
    struct lab *lab = *state;
    lab_send_some(lab, 3);
    lab_consume(lab, 10);
    lab_await(lab, TRANSPORT_DELIVERY, 3);
    lab_ack(lab, lab_delivery(lab, 2)->tag);
    lab_ack(lab, lab_delivery(lab, 0)->tag);
    lab_rest(lab);
    lab_forget(lab);
    lab_open(lab);
    lab_consume(lab, 10);
    assert_text(lab_delivery(lab, 0)->properties.message_id, "b");
    lab_rest(lab);
    assert_int_equal(lab_count(lab, TRANSPORT_DELIVERY), 1);
}

static void test_what_is_given_back_comes_again_with_a_higher_count(void **state)
{
    struct lab *lab = *state;
    lab_send_some(lab, 1);
    lab_consume(lab, 10);
    for (size_t i = 0; i < 4; i++) {
        const struct delivery *delivery = lab_delivery(lab, i);
        assert_int_equal(delivery->delivery_count, i);
        assert_text(delivery->properties.message_id, "a");
        assert_int_equal(lab->transport->ops->give_back(lab->transport, delivery->tag, &lab->error),
                         TRANSPORT_OK);
    }
}

static void test_a_lost_connection_brings_all_unacknowledged_back(void **state)
{
    struct lab *lab = *state;
    lab_send_some(lab, 3);
    lab_consume(lab, 10);
    lab_await(lab, TRANSPORT_DELIVERY, 3);
    lab->backend->cut(lab);
    lab_await_lost(lab);
    lab_forget(lab);
    lab_open(lab);
    lab_consume(lab, 10);
    lab_await(lab, TRANSPORT_DELIVERY, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(lab_delivery(lab, i)->delivery_count, 1);
}

static void test_after_a_loss_every_call_is_lost_until_open(void **state)
{
    struct lab *lab = *state;
    struct transport *transport = lab->transport;
    struct outgoing reply = lab_reply(lab, "x");
    lab->backend->cut(lab);
    lab_await_lost(lab);
    assert_int_equal(transport->ops->publish(transport, &reply, &lab->error), TRANSPORT_LOST);
    assert_int_equal(transport->ops->ack(transport, 1, &lab->error), TRANSPORT_LOST);
    assert_int_equal(transport->ops->give_back(transport, 1, &lab->error), TRANSPORT_LOST);
    assert_int_equal(transport->ops->consume(transport, 1, &lab->error), TRANSPORT_LOST);
    assert_int_equal(transport->ops->cancel(transport, &lab->error), TRANSPORT_LOST);
    assert_int_equal(lab_poll(lab, 0), TRANSPORT_LOST);
    transport->ops->close(transport);
    transport->ops->close(transport);
    assert_int_equal(lab_poll(lab, 0), TRANSPORT_LOST);
    lab_open(lab);
    assert_int_equal(lab_poll(lab, 0), TRANSPORT_OK);
}

static void test_an_unknown_tag_loses_the_connection(void **state)
{
    struct lab *lab = *state;
    lab_consume(lab, 10);
    lab_ack(lab, 4711);
    lab_await_lost(lab);
}

static void test_cancel_stops_deliveries_and_consume_resumes_them(void **state)
{
    struct lab *lab = *state;
    lab_send_some(lab, 1);
    lab_consume(lab, 10);
    lab_await(lab, TRANSPORT_DELIVERY, 1);
    assert_int_equal(lab->transport->ops->cancel(lab->transport, &lab->error), TRANSPORT_OK);
    lab_send(lab, "later", text_of("{}"));
    lab_rest(lab);
    assert_int_equal(lab_count(lab, TRANSPORT_DELIVERY), 1);
    lab_ack(lab, lab_delivery(lab, 0)->tag); /* what was delivered is still ours */
    lab_consume(lab, 10);
    assert_text(lab_delivery(lab, 1)->properties.message_id, "later");
    lab_rest(lab);
    assert_int_equal(lab_count(lab, TRANSPORT_DELIVERY), 2);
    assert_int_equal(lab_count(lab, TRANSPORT_CANCELLED), 0);
}

/* As flow control does it: ended in the midst of deliveries, some given back, and started again
   while others are unsettled still. */
static void test_a_consumer_started_again_beside_unsettled_deliveries_gets_the_rest(void **state)
{
    enum { COMMANDS = 24, KEPT = 8 };
    struct lab *lab = *state;
    struct transport *transport = lab->transport;
    for (size_t i = 0; i < COMMANDS; i++)
        lab_send(lab, "some", lab_pattern(lab, MEBIBYTE / 4));
    lab_consume(lab, 1000);
    lab_await(lab, TRANSPORT_DELIVERY, COMMANDS);
    assert_int_equal(transport->ops->cancel(transport, &lab->error), TRANSPORT_OK);
    for (size_t i = KEPT; i < COMMANDS; i++)
        assert_int_equal(
            transport->ops->give_back(transport, lab_delivery(lab, i)->tag, &lab->error),
            TRANSPORT_OK);
    for (size_t i = 0; i < KEPT / 2; i++)
        lab_ack(lab, lab_delivery(lab, i)->tag);
    lab_rest(lab);
    lab_consume(lab, 9);
    for (size_t i = KEPT / 2; i < KEPT; i++)
        lab_ack(lab, lab_delivery(lab, i)->tag);
    for (size_t i = COMMANDS; i < COMMANDS + COMMANDS - KEPT; i++) {
        assert_int_equal(lab_delivery(lab, i)->delivery_count, 1);
        lab_ack(lab, lab_delivery(lab, i)->tag);
    }
    lab_rest(lab);
    lab_forget(lab);
    lab_open(lab);
    lab_consume(lab, COMMANDS);
    lab_rest(lab);
    assert_int_equal(lab_count(lab, TRANSPORT_DELIVERY), 0);
}

static void test_a_deleted_queue_cancels_the_consumer(void **state)
{
    struct lab *lab = *state;
    lab_consume(lab, 10);
    lab->backend->delete_queue(lab, lab->names.queue);
    lab_await(lab, TRANSPORT_CANCELLED, 1);
    assert_int_equal(lab_poll(lab, 0), TRANSPORT_OK);
    lab_open(lab); /* declares it again */
    lab_consume(lab, 10);
    lab_send_some(lab, 1);
    lab_await(lab, TRANSPORT_DELIVERY, 1);
}

/* --- waiting -------------------------------------------------------------------------------- */

static void test_a_readable_wake_fd_ends_a_poll(void **state)
{
    struct lab *lab = *state;
    const struct transport_handler handler = {lab, NULL}; /* nothing is to be handed out */
    int wake = eventfd(1, EFD_NONBLOCK);
    assert_true(wake >= 0);
    lab_rest(lab);
    alarm(5); /* the poll itself would last much longer */
    enum transport_status status =
        lab->transport->ops->poll(lab->transport, 600000, wake, &handler, &lab->error);
    alarm(0);
    assert_int_equal(status, TRANSPORT_OK);
    (void)close(wake);
}

static void test_an_idle_connection_outlives_three_heartbeats(void **state)
{
    struct lab *lab = *state;
    assert_int_equal(lab_poll(lab, 3 * LAB_HEARTBEAT_MS + LAB_HEARTBEAT_MS / 2), TRANSPORT_OK);
    struct outgoing reply = lab_reply(lab, "still here");
    lab_publish(lab, &reply);
    lab_await(lab, TRANSPORT_CONFIRMED, 1);
    lab_send_some(lab, 1);
    lab_consume(lab, 1);
    lab_await(lab, TRANSPORT_DELIVERY, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_a_delivery_arrives_with_all_properties_and_headers),
        BOTH(test_what_was_not_sent_is_absent),
        BOTH(test_bodies_of_any_size_arrive_whole),
        BOTH(test_a_forged_delivery_count_is_ignored_on_the_first_delivery),
        BOTH(test_the_prefetch_bounds_what_is_unacknowledged),
        BOTH(test_what_is_acknowledged_does_not_come_again),
        BOTH(test_what_is_given_back_comes_again_with_a_higher_count),
        BOTH(test_a_lost_connection_brings_all_unacknowledged_back),
        BOTH(test_after_a_loss_every_call_is_lost_until_open),
        BOTH(test_an_unknown_tag_loses_the_connection),
        BOTH(test_cancel_stops_deliveries_and_consume_resumes_them),
        BOTH(test_a_consumer_started_again_beside_unsettled_deliveries_gets_the_rest),
        BOTH(test_a_deleted_queue_cancels_the_consumer),
#define X(claim) BOTH(claim),
        PUBLISHING_CLAIMS(X)
#undef X
            BOTH(test_a_readable_wake_fd_ends_a_poll),
        BOTH(test_an_idle_connection_outlives_three_heartbeats),
#define X(claim) RABBITMQ(claim),
        RABBITMQ_CLAIMS(X)
#undef X
    };
    return cmocka_run_group_tests_name("transport", tests, NULL, NULL) != 0;
}
