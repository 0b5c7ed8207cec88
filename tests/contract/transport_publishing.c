/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the transport port promises about publishing: replies and dead letters, their confirms
 * and returns, and the headers of a dead letter.
 *
 * Each test publishes through the fixture's transport, waits for the events, and compares the
 * message in the queue. The list of the tests is PUBLISHING_TESTS in transport_fixture.h; main()
 * in test_transport.c runs them against both backends.
 *
 * Not here: retries of failed publishes, which are the worker's (tests/sim).
 */
#include "tests/contract/transport_fixture.h"

#include <string.h>

#include "common/codec/field_table.h"

enum { BURST = 1000, TOO_BIG = 130000 };

static bool has_header(struct text raw_headers, const char *name)
{
    struct field field;
    return field_table_find(raw_headers, name, &field);
}

/* --- publishing ----------------------------------------------------------------------------- */

void test_a_routable_reply_is_confirmed_and_arrives_whole(void **state)
{
    struct fixture *fixture = *state;
    const struct outgoing_header headers[] = {
        {.name = "x-allot-replayed", .kind = OUTGOING_BOOL, .integer = 1},
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of(FIXTURE_TRACE)}};
    struct outgoing reply = fixture_reply(fixture, "{\"status\":\"success\"}");
    reply.properties = fixture_properties();
    reply.headers = headers;
    reply.header_count = 2;
    fixture_publish(fixture, &reply);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    assert_int_equal(fixture_event(fixture, TRANSPORT_CONFIRMED, 0)->sequence, reply.sequence);
    struct fixture_message message = fixture_take(fixture, fixture->names.reply_queue);
    assert_fixture_properties(&message.properties);
    assert_text(message.body, "{\"status\":\"success\"}");
    assert_text(fixture_text_header(message.raw_headers, "traceparent"), FIXTURE_TRACE);
    struct field replayed;
    assert_true(field_table_find(message.raw_headers, "x-allot-replayed", &replayed));
    assert_int_equal(replayed.kind, FIELD_BOOLEAN);
    assert_int_equal(replayed.integer, 1);
    assert_int_equal(fixture->event_count, 1);
}

void test_an_unroutable_mandatory_reply_is_returned_then_confirmed(void **state)
{
    struct fixture *fixture = *state;
    struct outgoing routable = fixture_reply(fixture, "routable");
    struct outgoing unroutable = fixture_reply(fixture, "unroutable");
    unroutable.routing_key = text_of(fixture->names.missing);
    fixture_publish(fixture, &routable);
    fixture_publish(fixture, &unroutable);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(fixture_count(fixture, TRANSPORT_RETURNED), 1);
    assert_int_equal(fixture_event(fixture, TRANSPORT_RETURNED, 0)->sequence, unroutable.sequence);
    assert_non_null(fixture_event(fixture, TRANSPORT_RETURNED, 0)->reason);
    size_t confirm =
        fixture_event(fixture, TRANSPORT_CONFIRMED, 0)->sequence == unroutable.sequence ? 0 : 1;
    assert_int_equal(fixture_event(fixture, TRANSPORT_CONFIRMED, confirm)->sequence,
                     unroutable.sequence);
    assert_true(fixture_position(fixture, TRANSPORT_RETURNED, 0) <
                fixture_position(fixture, TRANSPORT_CONFIRMED, confirm));
}

void test_an_unroutable_reply_that_is_not_mandatory_is_only_confirmed(void **state)
{
    struct fixture *fixture = *state;
    struct outgoing reply = fixture_reply(fixture, "x");
    reply.routing_key = text_of(fixture->names.missing);
    reply.mandatory = false;
    fixture_publish(fixture, &reply);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture->event_count, 1);
}

void test_each_of_a_burst_is_confirmed_once(void **state)
{
    struct fixture *fixture = *state;
    bool seen[2 * BURST + 1] = {false};
    for (size_t i = 0; i < BURST; i++) {
        struct outgoing reply = fixture_reply(fixture, "r");
        struct outgoing dead = fixture_dead_letter(fixture, "d");
        fixture_publish(fixture, &reply);
        fixture_publish(fixture, &dead);
    }
    fixture_await(fixture, TRANSPORT_CONFIRMED, 2 * BURST);
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture->event_count, 2 * BURST);
    for (size_t i = 0; i < 2 * BURST; i++) {
        uint64_t sequence = fixture_event(fixture, TRANSPORT_CONFIRMED, i)->sequence;
        assert_true(sequence >= 1 && sequence <= 2 * BURST && !seen[sequence]);
        seen[sequence] = true;
    }
}

static void publish_and_acknowledge(struct fixture *fixture, const struct delivery *delivery)
{
    struct outgoing reply = fixture_reply(fixture, "from the handler");
    fixture_publish(fixture, &reply);
    fixture_ack(fixture, delivery->tag);
}

void test_the_handler_may_publish_and_acknowledge(void **state)
{
    struct fixture *fixture = *state;
    fixture->on_delivery = publish_and_acknowledge;
    fixture_send_some(fixture, 20);
    fixture_consume(fixture, 4);
    fixture_await(fixture, TRANSPORT_DELIVERY, 20);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 20);
}

void test_a_missing_exchange_closes_its_own_route_only(void **state)
{
    struct fixture *fixture = *state;
    struct outgoing lost = fixture_dead_letter(fixture, "lost");
    struct outgoing reply = fixture_reply(fixture, "fine");
    lost.exchange = text_of(fixture->names.missing);
    fixture_publish(fixture, &lost);
    fixture_publish(fixture, &reply);
    fixture_await(fixture, TRANSPORT_ROUTE_CLOSED, 1);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    const struct transport_event *closed = fixture_event(fixture, TRANSPORT_ROUTE_CLOSED, 0);
    assert_int_equal(closed->route, ROUTE_DEAD_LETTERS);
    assert_int_equal(closed->close_cause, CLOSE_MISSING);
    assert_non_null(closed->reason);
    assert_int_equal(fixture_event(fixture, TRANSPORT_CONFIRMED, 0)->sequence, reply.sequence);
    struct outgoing again = fixture_dead_letter(fixture, "again");
    fixture_publish(fixture, &again);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(fixture_event(fixture, TRANSPORT_CONFIRMED, 1)->sequence, again.sequence);
    assert_text(fixture_take(fixture, fixture->names.dead_letter_queue).body, "again");
}

/* RabbitMQ 4.3 drops a reply to such an address, and confirms it. */
static void expect_closed_or_dropped(struct fixture *fixture)
{
    size_t confirmed = fixture->backend->drops_bad_address(fixture) ? 2 : 1;
    if (confirmed == 1)
        fixture_await(fixture, TRANSPORT_ROUTE_CLOSED, 1);
    fixture_await(fixture, TRANSPORT_CONFIRMED, confirmed);
    if (confirmed == 2)
        return;
    const struct transport_event *closed = fixture_event(fixture, TRANSPORT_ROUTE_CLOSED, 0);
    assert_int_equal(closed->route, ROUTE_ISOLATED);
    assert_int_equal(closed->close_cause, CLOSE_MESSAGE);
}

void test_a_malformed_direct_address_closes_its_own_route_only(void **state)
{
    struct fixture *fixture = *state;
    struct outgoing deadly = fixture_reply(fixture, "deadly");
    deadly.route = ROUTE_ISOLATED;
    deadly.routing_key = text_of(FIXTURE_DEADLY_ADDRESS);
    deadly.mandatory = false;
    fixture_send_some(fixture, 1);
    fixture_consume(fixture, 1);
    fixture_await(fixture, TRANSPORT_DELIVERY, 1);
    struct outgoing reply = fixture_reply(fixture, "fine");
    fixture_publish(fixture, &deadly);
    fixture_publish(fixture, &reply);
    expect_closed_or_dropped(fixture);
    size_t confirmed = fixture_count(fixture, TRANSPORT_CONFIRMED);
    fixture_ack(fixture, fixture_delivery(fixture, 0)->tag); /* its connection lives */
    struct outgoing again = fixture_reply(fixture, "again");
    again.route = ROUTE_ISOLATED;
    fixture_publish(fixture, &again);
    fixture_await(fixture, TRANSPORT_CONFIRMED, confirmed + 1);
    assert_int_equal(fixture_count(fixture, TRANSPORT_ROUTE_CLOSED) + confirmed, 2);
}

void test_a_restarted_route_forgets_its_messages_and_publishes_again(void **state)
{
    struct fixture *fixture = *state;
    struct outgoing before = fixture_reply(fixture, "before");
    struct outgoing letter = fixture_dead_letter(fixture, "letter");
    fixture_publish(fixture, &before);
    fixture_publish(fixture, &letter);
    fixture->transport->ops->restart(fixture->transport, ROUTE_REPLIES);
    struct outgoing after = fixture_reply(fixture, "after");
    fixture_publish(fixture, &after);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 2);
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture->event_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_not_equal(fixture_event(fixture, TRANSPORT_CONFIRMED, i)->sequence,
                             before.sequence);
}

/* --- dead letters --------------------------------------------------------------------------- */

static const struct outgoing_header dead_headers[] = {
    {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = {"malformed", 9}},
    {.name = "x-allot-detail", .kind = OUTGOING_TEXT, .text = {"no object", 9}},
    {.name = "x-allot-dead-at", .kind = OUTGOING_INTEGER, .integer = 1700000000000}};

/* Publishes the delivery as a dead letter, as the worker does, and takes it from the queue. */
static struct fixture_message dead_letter(struct fixture *fixture, const struct delivery *delivery)
{
    struct outgoing letter = fixture_dead_letter(fixture, "");
    letter.properties = delivery->properties;
    letter.properties.user_id = TEXT_NONE;
    letter.raw_headers = delivery->raw_headers;
    letter.headers = dead_headers;
    letter.header_count = 3;
    letter.body = delivery->body;
    fixture_publish(fixture, &letter);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    assert_int_equal(fixture_count(fixture, TRANSPORT_RETURNED), 0);
    return fixture_take(fixture, fixture->names.dead_letter_queue);
}

void test_a_dead_letter_carries_the_original_headers_and_ours_over_them(void **state)
{
    struct fixture *fixture = *state;
    const struct outgoing_header headers[] = {
        {.name = "own", .kind = OUTGOING_TEXT, .text = text_of("kept")},
        {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of("forged")},
        {.name = "x-allot-dead-at", .kind = OUTGOING_TEXT, .text = text_of("never")}};
    struct outgoing command = {.properties = fixture_properties(),
                               .headers = headers,
                               .header_count = 3,
                               .body = text_of("garbage")};
    fixture->backend->send(fixture, &command);
    fixture_consume(fixture, 1);
    struct fixture_message letter = dead_letter(fixture, fixture_delivery(fixture, 0));
    assert_fixture_properties(&letter.properties);
    assert_text(letter.body, "garbage");
    assert_text(fixture_text_header(letter.raw_headers, "own"), "kept");
    assert_text(fixture_text_header(letter.raw_headers, "x-allot-reason"), "malformed");
    assert_text(fixture_text_header(letter.raw_headers, "x-allot-detail"), "no object");
    struct field field;
    struct field_cursor cursor = field_table_begin(letter.raw_headers);
    size_t reasons = 0;
    while (field_table_next(&cursor, &field))
        reasons += text_is(field.name, "x-allot-reason");
    assert_int_equal(reasons, 1);
    assert_true(field_table_find(letter.raw_headers, "x-allot-dead-at", &field));
    assert_int_equal(field.kind, FIELD_INTEGER);
}

void test_headers_that_do_not_fit_are_left_out_and_the_detail_says_so(void **state)
{
    struct fixture *fixture = *state;
    const struct outgoing_header big = {
        .name = "big", .kind = OUTGOING_TEXT, .text = fixture_pattern(fixture, TOO_BIG)};
    struct outgoing command = {.headers = &big, .header_count = 1, .body = text_of("x")};
    /* The producer's headers fit into a frame, but not beside those that are added here. */
    fixture->backend->send(fixture, &command);
    fixture_consume(fixture, 1);
    struct delivery delivery = *fixture_delivery(fixture, 0);
    assert_int_equal(fixture_text_header(delivery.raw_headers, "big").length, TOO_BIG);
    char *long_text = arena_alloc(fixture->arena, 256);
    memset(long_text, 'p', 255);
    struct text *const texts[] = {&delivery.properties.correlation_id, &delivery.properties.type,
                                  &delivery.properties.app_id, &delivery.properties.reply_to,
                                  &delivery.properties.message_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text_of(long_text);
    struct fixture_message letter = dead_letter(fixture, &delivery);
    assert_false(has_header(letter.raw_headers, "big"));
    assert_text(fixture_text_header(letter.raw_headers, "x-allot-reason"), "malformed");
    assert_text(fixture_text_header(letter.raw_headers, "x-allot-detail"),
                "original headers left out: too large; no object");
}
