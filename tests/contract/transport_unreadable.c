/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests messages that the client library cannot read, or could not with the negotiated frame size.
 *
 * RabbitMQ does not split a header, and adds headers of its own. A queue with a time to live of 0
 * that dead-letters into the command queue makes such a message from a legal one.
 *
 * A relay between broker and transport makes a message that no version of librabbitmq can read: it
 * changes the type of a header to one that does not exist. Values that are nested more than 100
 * times can be read up to librabbitmq 0.13 only. No version sends them that cannot read them, so a
 * relay makes them on the way to the broker, of a text of the same length.
 */
#include "tests/contract/transport_unreadable.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>

#include "common/codec/amqp_uri.h"
#include "common/codec/field_table.h"
#include "tests/contract/transport_rabbitmq.h"
#include "tests/support/relay.h"

enum {
    FRAME_BYTES = 131072,
    /* A frame with one header "pad": frame, content header, flags, table, name, kind, length, end.
     */
    FRAME_OVERHEAD = 7 + 12 + 2 + 4 + 4 + 1 + 4 + 1,
    ROUNDS = 10,
    DEEP = 200,    /* more than librabbitmq reads from 0.14 on */
    HEAD_BYTES = 5 /* of an array: kind and length */
};

/* The name of a header, and the kind that its value has on the wire. */
#define SPOILT "unreadableS"
#define CUT "cut here"

static void assert_rpc_ok(struct fixture *fixture)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(rabbitmq_of(fixture)->admin);
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_NORMAL);
}

static amqp_table_entry_t text_entry(const char *name, const char *text)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(text);
    return entry;
}

/* Declares a queue that dead-letters each message at once. */
static void declare_relaying_queue(struct fixture *fixture, const char *exchange)
{
    amqp_table_entry_t entries[] = {
        {.key = amqp_cstring_bytes("x-message-ttl"), .value = {.kind = AMQP_FIELD_KIND_I32}},
        text_entry("x-dead-letter-exchange", exchange),
        text_entry("x-dead-letter-routing-key", fixture->names.queue)};
    amqp_table_t arguments = {3, entries};
    (void)amqp_queue_declare(rabbitmq_of(fixture)->admin, 1,
                             amqp_cstring_bytes(fixture->names.missing), 0, 0, 1, 1, arguments);
    assert_rpc_ok(fixture);
}

/* Publishes a message whose header fills a frame, through a queue that dead-letters to `exchange`.
 */
static void send_full_header(struct fixture *fixture, const char *exchange)
{
    struct text pad = fixture_pattern(fixture, FRAME_BYTES - FRAME_OVERHEAD);
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("pad")};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = (amqp_bytes_t){pad.length, (void *)(uintptr_t)pad.bytes};
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG,
                                          .headers = {1, &entry}};
    declare_relaying_queue(fixture, exchange);
    assert_int_equal(amqp_basic_publish(rabbitmq_of(fixture)->admin, 1, amqp_empty_bytes,
                                        amqp_cstring_bytes(fixture->names.missing), 0, 0,
                                        &properties, amqp_cstring_bytes("x")),
                     AMQP_STATUS_OK);
}

static void assert_has_full_header(struct text raw_headers)
{
    struct field field;
    assert_true(field_table_find(raw_headers, "pad", &field));
    assert_int_equal(field.text.length, FRAME_BYTES - FRAME_OVERHEAD);
    assert_true(field_table_find(raw_headers, "x-death", &field));
}

/* --- headers larger than a frame ------------------------------------------------------------ */

void test_a_header_that_the_broker_made_larger_than_a_frame_is_read(void **state)
{
    struct fixture *fixture = *state;
    fixture_consume(fixture, 10);
    send_full_header(fixture, fixture->names.exchange);
    struct delivery delivery = *fixture_delivery(fixture, 0);
    assert_has_full_header(delivery.raw_headers);
    /* What is sent keeps to the negotiated size, or the broker would close the connection. */
    struct outgoing letter = fixture_dead_letter(fixture, "");
    letter.raw_headers = delivery.raw_headers;
    letter.body = fixture_pattern(fixture, 3 * FRAME_BYTES);
    fixture_publish(fixture, &letter);
    fixture_await(fixture, TRANSPORT_CONFIRMED, 1);
    assert_same_text(fixture_take(fixture, fixture->names.dead_letter_queue).body, letter.body);
    fixture_ack(fixture, delivery.tag);
    fixture_poll_a_while(fixture);
}

void test_a_client_reads_a_header_larger_than_a_frame(void **state)
{
    struct fixture *fixture = *state;
    send_full_header(fixture, fixture->names.dead_letter_exchange);
    assert_has_full_header(fixture_take(fixture, fixture->names.dead_letter_queue).raw_headers);
}

/* --- unreadable messages -------------------------------------------------------------------- */

static void start_relay(struct fixture *fixture, struct spoiling_relay *relay, struct text *ret_uri)
{
    struct amqp_hosts hosts;
    assert_true(amqp_uri_parse(rabbitmq_of(fixture)->uri, fixture->arena, &hosts, &fixture->error));
    struct amqp_host host = hosts.hosts[0];
    relay->broker = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(host.port)};
    assert_int_equal(inet_pton(AF_INET, host.name.bytes, &relay->broker.sin_addr), 1);
    relay_start(relay);
    *ret_uri = text_format(fixture->arena, "amqp://%.*s:%.*s@127.0.0.1:%u/%%2f",
                           TEXT_ARGS(host.user), TEXT_ARGS(host.password), relay->port);
}

/* Replaces the fixture's transport by one that is open through the relay. */
static void open_through(struct fixture *fixture, struct spoiling_relay *relay)
{
    struct amqp_options options = rabbitmq_options(fixture);
    start_relay(fixture, relay, &options.uri);
    fixture->transport->ops->free(fixture->transport);
    fixture->transport = amqp_transport_new(&options, &fixture->error);
    assert_non_null(fixture->transport);
    fixture_open(fixture);
}

/* Replaces the fixture's transport by one that is open without a relay. So it can read all. */
static void open_directly(struct fixture *fixture)
{
    struct amqp_options options = rabbitmq_options(fixture);
    fixture->transport->ops->free(fixture->transport);
    fixture->transport = amqp_transport_new(&options, &fixture->error);
    assert_non_null(fixture->transport);
    fixture_open(fixture);
}

/* Returns the delivery at `index` among the commands: the desk queue has a copy of the rejected
   one. */
static const struct delivery *command_at(struct fixture *fixture, size_t index)
{
    for (size_t i = 0; i < fixture_count(fixture, TRANSPORT_DELIVERY); i++) {
        const struct delivery *delivery = fixture_delivery(fixture, i);
        if (delivery->source == DELIVERY_COMMAND && index-- == 0)
            return delivery;
    }
    fail_msg("no such command");
    return NULL;
}

static void send_with_header(struct fixture *fixture, const char *message_id, const char *name)
{
    struct outgoing_header header = {.name = name, .kind = OUTGOING_TEXT, .text = text_of("x")};
    struct outgoing command = {.headers = &header, .header_count = 1, .body = text_of(message_id)};
    command.properties.message_id = text_of(message_id);
    fixture->backend->send(fixture, &command);
}

void test_an_unreadable_delivery_is_rejected_and_the_others_are_served(void **state)
{
    struct fixture *fixture = *state;
    for (int round = 0; round < ROUNDS; round++) {
        static struct spoiling_relay relay;
        relay = (struct spoiling_relay){.spoil = SPOILT};
        open_through(fixture, &relay);
        send_with_header(fixture, "first", "good");
        send_with_header(fixture, "bad", "unreadable");
        send_with_header(fixture, "last", "good");
        fixture_consume(fixture, 10);
        fixture_await_lost(fixture);
        assert_int_equal(relay.spoilt, 1);
        assert_int_equal(fixture_count(fixture, TRANSPORT_UNREADABLE), 1);
        assert_int_equal(fixture_event(fixture, TRANSPORT_UNREADABLE, 0)->delivery.tag, 2);
        assert_non_null(strstr(fixture->error.text, "delivery 2 "));
        assert_non_null(strstr(fixture->error.text, "invalid AMQP data"));
        fixture_clear_events(fixture);
        open_directly(fixture);
        fixture_consume(fixture, 10);
        fixture_await(fixture, TRANSPORT_DELIVERY, 3);
        assert_text(command_at(fixture, 0)->body, "first");
        assert_text(command_at(fixture, 1)->body, "last");
        for (size_t i = 0; i < 3; i++)
            fixture_ack(fixture, fixture_delivery(fixture, i)->tag);
        struct fixture_message letter = fixture_take(fixture, fixture->names.dead_letter_queue);
        assert_text(letter.body, "bad");
        assert_text(fixture_text_header(letter.raw_headers, "x-first-death-reason"), "rejected");
        fixture_poll_a_while(fixture);
        fixture_clear_events(fixture);
        fixture->transport->ops->close(fixture->transport);
        relay_end(&relay);
    }
}

/* Sets `text` to the value of a header on the wire, and `arrays` to one of DEEP nested arrays. */
static void make_nested(char text[DEEP * HEAD_BYTES], char arrays[DEEP * HEAD_BYTES])
{
    for (size_t i = 0; i < DEEP; i++) {
        uint32_t inner = htonl((uint32_t)((DEEP - 1 - i) * HEAD_BYTES));
        arrays[i * HEAD_BYTES] = 'A';
        memcpy(&arrays[i * HEAD_BYTES + 1], &inner, sizeof inner);
    }
    memset(text, 'p', DEEP * HEAD_BYTES);
    memcpy(text, arrays, HEAD_BYTES);
    text[0] = 'S';
}

/* Sends a command whose header "deep" the relay turns into nested arrays. */
static void send_nested(struct fixture *fixture, const char text[DEEP * HEAD_BYTES])
{
    struct outgoing_header header = {.name = "deep",
                                     .kind = OUTGOING_TEXT,
                                     .text = text_view(text + HEAD_BYTES, (DEEP - 1) * HEAD_BYTES)};
    struct outgoing command = {.headers = &header, .header_count = 1, .body = text_of("nested")};
    fixture->backend->send(fixture, &command);
}

/* Returns the count of a queue once it is not 0. */
static uint32_t await_count(struct fixture *fixture, const char *queue)
{
    uint32_t count = 0;
    for (int i = 0; i < 600 && count == 0; i++) {
        assert_true(client_count(rabbitmq_of(fixture)->client, queue, &count, &fixture->error));
        (void)poll(NULL, 0, 50);
    }
    return count;
}

/* Opens the transport, and polls until there is a delivery or the connection is lost again. Returns
   whether there is a delivery. */
static bool delivers_again(struct fixture *fixture)
{
    enum transport_status status = TRANSPORT_OK;
    fixture_clear_events(fixture);
    fixture_open(fixture);
    fixture_consume(fixture, 10);
    while (status == TRANSPORT_OK && fixture_count(fixture, TRANSPORT_DELIVERY) == 0)
        status = fixture_poll(fixture, 100);
    return fixture_count(fixture, TRANSPORT_DELIVERY) > 0;
}

void test_headers_nested_over_the_limit_of_the_library(void **state)
{
    struct fixture *fixture = *state;
    static struct spoiling_relay relay;
    char text[DEEP * HEAD_BYTES], arrays[DEEP * HEAD_BYTES];
    struct text uri;
    make_nested(text, arrays);
    relay = (struct spoiling_relay){.sent = text, .instead = arrays, .sent_length = sizeof text};
    start_relay(fixture, &relay, &uri);
    struct client *direct = rabbitmq_of(fixture)->client;
    rabbitmq_of(fixture)->client = client_open(uri, &(struct amqp_tls){0}, &fixture->error);
    assert_non_null(rabbitmq_of(fixture)->client);
    send_nested(fixture, text);
    assert_int_equal(relay.spoilt, 1);
    client_close(rabbitmq_of(fixture)->client);
    rabbitmq_of(fixture)->client = direct;
    fixture_send(fixture, "good", text_of("good"));
    fixture_consume(fixture, 10);
    if (LIBRABBITMQ_NESTED_MAX > DEEP) {
        fixture_await(fixture, TRANSPORT_DELIVERY, 2);
        assert_text(command_at(fixture, 0)->body, "nested");
    } else {
        fixture_await_lost(fixture);
        assert_int_equal(fixture_count(fixture, TRANSPORT_UNREADABLE), 1);
        assert_non_null(strstr(fixture->error.text, "invalid AMQP data"));
        /* The broker dead-letters it; then the desk queue drops its copy in the same way. */
        assert_int_equal(await_count(fixture, fixture->names.dead_letter_queue), 1);
        bool delivered = false;
        for (int i = 0; i < 10 && !delivered; i++)
            delivered = delivers_again(fixture);
        assert_true(delivered);
        assert_text(command_at(fixture, 0)->body, "good");
    }
    relay_end(&relay);
}

static void publish_unreadable_letter(struct fixture *fixture)
{
    struct outgoing_header header = {.name = "unreadable", .kind = OUTGOING_TEXT};
    struct outgoing letter = {.exchange = text_of(fixture->names.dead_letter_exchange),
                              .routing_key = text_of(fixture->names.queue),
                              .headers = &header,
                              .header_count = 1,
                              .body = text_of("bad")};
    enum client_outcome outcome = CLIENT_NACKED;
    header.text = text_of("x");
    assert_true(client_publish(rabbitmq_of(fixture)->client, &letter, FIXTURE_TIMEOUT_MS, &outcome,
                               &fixture->error));
    assert_int_equal(outcome, CLIENT_CONFIRMED);
}

/* The original stays in the dead-letter queue. */
void test_an_unreadable_message_of_the_desk_is_dropped_there(void **state)
{
    struct fixture *fixture = *state;
    static struct spoiling_relay relay;
    relay = (struct spoiling_relay){.spoil = SPOILT};
    open_through(fixture, &relay);
    publish_unreadable_letter(fixture);
    fixture_consume(fixture, 10);
    fixture_await_lost(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_UNREADABLE), 1);
    assert_int_equal(fixture_event(fixture, TRANSPORT_UNREADABLE, 0)->delivery.source,
                     DELIVERY_DESK);
    assert_non_null(strstr(fixture->error.text, "so the desk queue drops it"));
    fixture_clear_events(fixture);
    fixture_open(fixture);
    fixture_consume(fixture, 10);
    fixture_send(fixture, "good", text_of("good"));
    assert_text(fixture_delivery(fixture, 0)->body, "good");
    fixture_poll_a_while(fixture);
    assert_int_equal(fixture_count(fixture, TRANSPORT_DELIVERY), 1);
    assert_text(fixture_take(fixture, fixture->names.dead_letter_queue).body, "bad");
    fixture->transport->ops->close(fixture->transport);
    relay_end(&relay);
}

void test_a_connection_that_ends_within_a_message_blames_no_delivery(void **state)
{
    struct fixture *fixture = *state;
    static struct spoiling_relay relay;
    relay = (struct spoiling_relay){.cut = CUT};
    open_through(fixture, &relay);
    fixture_send(fixture, "a", text_of(CUT " and no further"));
    fixture_consume(fixture, 10);
    fixture_await_lost(fixture);
    assert_int_equal(relay.spoilt, 1);
    assert_int_equal(fixture_count(fixture, TRANSPORT_UNREADABLE), 0);
    relay_end(&relay);
    struct fixture_message message = fixture_take(fixture, fixture->names.queue);
    assert_text(message.body, CUT " and no further");
}

void test_a_client_is_told_of_an_unreadable_message(void **state)
{
    struct fixture *fixture = *state;
    static struct spoiling_relay relay;
    relay = (struct spoiling_relay){.spoil = SPOILT};
    struct text uri;
    struct client_message message;
    uint32_t count = 0;
    start_relay(fixture, &relay, &uri);
    send_with_header(fixture, "bad", "unreadable");
    send_with_header(fixture, "good", "good");
    struct client *first = client_open(uri, &(struct amqp_tls){0}, &fixture->error);
    struct client *second = client_open(uri, &(struct amqp_tls){0}, &fixture->error);
    assert_int_equal(client_get(first, fixture->names.queue, &message, &fixture->error),
                     CLIENT_UNREADABLE);
    assert_int_equal(message.remaining, 1);
    assert_int_equal(client_get(second, fixture->names.queue, &message, &fixture->error),
                     CLIENT_MESSAGE);
    assert_text(message.body, "good");
    arena_free(message.arena);
    client_close(first);
    client_close(second);
    for (int i = 0; i < 100 && count != 2; i++) {
        assert_true(client_count(rabbitmq_of(fixture)->client, fixture->names.queue, &count,
                                 &fixture->error));
        (void)poll(NULL, 0, 50);
    }
    assert_int_equal(count, 2);
    relay_end(&relay);
}
