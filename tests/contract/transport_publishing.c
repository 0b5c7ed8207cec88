/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about what the worker sends: replies, dead letters, and what is heard of them. */
#include "tests/contract/transport_lab.h"

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
    struct lab *lab = *state;
    const struct outgoing_header headers[] = {
        {.name = "x-allot-replayed", .kind = OUTGOING_BOOL, .integer = 1},
        {.name = "traceparent", .kind = OUTGOING_TEXT, .text = text_of(LAB_TRACE)}};
    struct outgoing reply = lab_reply(lab, "{\"status\":\"success\"}");
    reply.properties = lab_properties();
    reply.headers = headers;
    reply.header_count = 2;
    lab_publish(lab, &reply);
    lab_await(lab, TRANSPORT_CONFIRMED, 1);
    assert_int_equal(lab_event(lab, TRANSPORT_CONFIRMED, 0)->sequence, reply.sequence);
    struct lab_message message = lab_take(lab, lab->names.reply_queue);
    assert_lab_properties(&message.properties);
    assert_text(message.body, "{\"status\":\"success\"}");
    assert_text(lab_text_header(message.raw_headers, "traceparent"), LAB_TRACE);
    struct field replayed;
    assert_true(field_table_find(message.raw_headers, "x-allot-replayed", &replayed));
    assert_int_equal(replayed.kind, FIELD_BOOLEAN);
    assert_int_equal(replayed.integer, 1);
    assert_int_equal(lab->record_count, 1);
}

void test_an_unroutable_mandatory_reply_is_returned_then_confirmed(void **state)
{
    struct lab *lab = *state;
    struct outgoing good = lab_reply(lab, "good");
    struct outgoing bad = lab_reply(lab, "bad");
    bad.routing_key = text_of(lab->names.missing);
    lab_publish(lab, &good);
    lab_publish(lab, &bad);
    lab_await(lab, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(lab_count(lab, TRANSPORT_RETURNED), 1);
    assert_int_equal(lab_event(lab, TRANSPORT_RETURNED, 0)->sequence, bad.sequence);
    assert_non_null(lab_event(lab, TRANSPORT_RETURNED, 0)->reason);
    size_t confirm = lab_event(lab, TRANSPORT_CONFIRMED, 0)->sequence == bad.sequence ? 0 : 1;
    assert_int_equal(lab_event(lab, TRANSPORT_CONFIRMED, confirm)->sequence, bad.sequence);
    assert_true(lab_place(lab, TRANSPORT_RETURNED, 0) <
                lab_place(lab, TRANSPORT_CONFIRMED, confirm));
}

void test_an_unroutable_reply_that_is_not_mandatory_is_only_confirmed(void **state)
{
    struct lab *lab = *state;
    struct outgoing reply = lab_reply(lab, "x");
    reply.routing_key = text_of(lab->names.missing);
    reply.mandatory = false;
    lab_publish(lab, &reply);
    lab_await(lab, TRANSPORT_CONFIRMED, 1);
    lab_rest(lab);
    assert_int_equal(lab->record_count, 1);
}

void test_each_of_a_burst_is_confirmed_once(void **state)
{
    struct lab *lab = *state;
    bool seen[2 * BURST + 1] = {false};
    for (size_t i = 0; i < BURST; i++) {
        struct outgoing reply = lab_reply(lab, "r");
        struct outgoing dead = lab_dead_letter(lab, "d");
        lab_publish(lab, &reply);
        lab_publish(lab, &dead);
    }
    lab_await(lab, TRANSPORT_CONFIRMED, 2 * BURST);
    lab_rest(lab);
    assert_int_equal(lab->record_count, 2 * BURST);
    for (size_t i = 0; i < 2 * BURST; i++) {
        uint64_t sequence = lab_event(lab, TRANSPORT_CONFIRMED, i)->sequence;
        assert_true(sequence >= 1 && sequence <= 2 * BURST && !seen[sequence]);
        seen[sequence] = true;
    }
}

static void publish_and_acknowledge(struct lab *lab, const struct delivery *delivery)
{
    struct outgoing reply = lab_reply(lab, "in turn");
    lab_publish(lab, &reply);
    lab_ack(lab, delivery->tag);
}

void test_the_handler_may_publish_and_acknowledge(void **state)
{
    struct lab *lab = *state;
    lab->on_delivery = publish_and_acknowledge;
    lab_send_some(lab, 20);
    lab_consume(lab, 4);
    lab_await(lab, TRANSPORT_DELIVERY, 20);
    lab_await(lab, TRANSPORT_CONFIRMED, 20);
}

void test_a_missing_exchange_unsettles_its_kind_alone(void **state)
{
    struct lab *lab = *state;
    struct outgoing lost = lab_dead_letter(lab, "lost");
    struct outgoing reply = lab_reply(lab, "fine");
    lost.exchange = text_of(lab->names.missing);
    lab_publish(lab, &lost);
    lab_publish(lab, &reply);
    lab_await(lab, TRANSPORT_UNSETTLED, 1);
    lab_await(lab, TRANSPORT_CONFIRMED, 1);
    assert_int_equal(lab_event(lab, TRANSPORT_UNSETTLED, 0)->outgoing_kind, OUTGOING_DEAD_LETTER);
    assert_non_null(lab_event(lab, TRANSPORT_UNSETTLED, 0)->reason);
    assert_int_equal(lab_event(lab, TRANSPORT_CONFIRMED, 0)->sequence, reply.sequence);
    struct outgoing again = lab_dead_letter(lab, "again");
    lab_publish(lab, &again);
    lab_await(lab, TRANSPORT_CONFIRMED, 2);
    assert_int_equal(lab_event(lab, TRANSPORT_CONFIRMED, 1)->sequence, again.sequence);
    assert_text(lab_take(lab, lab->names.dead_queue).body, "again");
}

/* --- dead letters --------------------------------------------------------------------------- */

static const struct outgoing_header dead_headers[] = {
    {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = {"malformed", 9}},
    {.name = "x-allot-detail", .kind = OUTGOING_TEXT, .text = {"no object", 9}},
    {.name = "x-allot-dead-at", .kind = OUTGOING_INTEGER, .integer = 1700000000000}};

/* The delivery, dead-lettered as the worker does it. */
static struct lab_message dead_letter(struct lab *lab, const struct delivery *delivery)
{
    struct outgoing letter = lab_dead_letter(lab, "");
    letter.properties = delivery->properties;
    letter.properties.user_id = TEXT_NONE;
    letter.raw_headers = delivery->raw_headers;
    letter.headers = dead_headers;
    letter.header_count = 3;
    letter.body = delivery->body;
    lab_publish(lab, &letter);
    lab_await(lab, TRANSPORT_CONFIRMED, 1);
    assert_int_equal(lab_count(lab, TRANSPORT_RETURNED), 0);
    return lab_take(lab, lab->names.dead_queue);
}

void test_a_dead_letter_carries_the_original_headers_and_ours_over_them(void **state)
{
    struct lab *lab = *state;
    const struct outgoing_header headers[] = {
        {.name = "own", .kind = OUTGOING_TEXT, .text = text_of("kept")},
        {.name = "x-allot-reason", .kind = OUTGOING_TEXT, .text = text_of("forged")},
        {.name = "x-allot-dead-at", .kind = OUTGOING_TEXT, .text = text_of("never")}};
    struct outgoing command = {.properties = lab_properties(),
                               .headers = headers,
                               .header_count = 3,
                               .body = text_of("garbage")};
    lab->backend->send(lab, &command);
    lab_consume(lab, 1);
    struct lab_message letter = dead_letter(lab, lab_delivery(lab, 0));
    assert_lab_properties(&letter.properties);
    assert_text(letter.body, "garbage");
    assert_text(lab_text_header(letter.raw_headers, "own"), "kept");
    assert_text(lab_text_header(letter.raw_headers, "x-allot-reason"), "malformed");
    assert_text(lab_text_header(letter.raw_headers, "x-allot-detail"), "no object");
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
    struct lab *lab = *state;
    const struct outgoing_header big = {
        .name = "big", .kind = OUTGOING_TEXT, .text = lab_pattern(lab, TOO_BIG)};
    struct outgoing command = {.headers = &big, .header_count = 1, .body = text_of("x")};
    /* Fits for the producer; with the properties and our headers it is too much. */
    lab->backend->send(lab, &command);
    lab_consume(lab, 1);
    struct delivery delivery = *lab_delivery(lab, 0);
    assert_int_equal(lab_text_header(delivery.raw_headers, "big").length, TOO_BIG);
    char *long_text = arena_alloc(lab->arena, 256);
    memset(long_text, 'p', 255);
    struct text *const texts[] = {&delivery.properties.correlation_id, &delivery.properties.type,
                                  &delivery.properties.app_id, &delivery.properties.reply_to,
                                  &delivery.properties.message_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = text_of(long_text);
    struct lab_message letter = dead_letter(lab, &delivery);
    assert_false(has_header(letter.raw_headers, "big"));
    assert_text(lab_text_header(letter.raw_headers, "x-allot-reason"), "malformed");
    assert_text(lab_text_header(letter.raw_headers, "x-allot-detail"),
                "original headers left out: too large; no object");
}
