/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/publisher.h"

#include <assert.h>

#include "common/amqp/properties.h"
#include "common/codec/outgoing_headers.h"

enum {
    POOL_PAGE_BYTES = 4096,
    FRAME_OVERHEAD = 8 /* type, channel and size before the payload, and the end mark */
};

void publisher_init(struct publisher *publisher, amqp_channel_t channel)
{
    *publisher = (struct publisher){.channel = channel, .scratch = arena_new(0)};
    init_amqp_pool(&publisher->pool, POOL_PAGE_BYTES);
    confirms_restart(&publisher->confirms);
}

void publisher_clear(struct publisher *publisher)
{
    if (publisher->scratch == NULL)
        return;
    confirms_clear(&publisher->confirms);
    arena_free(publisher->scratch);
    publisher->scratch = NULL;
    empty_amqp_pool(&publisher->pool);
}

enum transport_status publisher_open(struct publisher *publisher, struct connection *connection,
                                     struct error *error)
{
    confirms_restart(&publisher->confirms);
    return connection_open_channel(connection, publisher->channel, true, error);
}

/* --- headers -------------------------------------------------------------------------------- */

static bool decode_headers(struct publisher *publisher, struct text headers,
                           amqp_table_t *ret_table)
{
    size_t offset = 0;
    recycle_amqp_pool(&publisher->pool);
    return amqp_decode_table(bytes_of(headers), &publisher->pool, ret_table, &offset) ==
           AMQP_STATUS_OK;
}

/*
 * Adds the headers. librabbitmq takes them as a tree only, which it encodes itself, so the encoded
 * ones are decoded here. The original headers are left out if librabbitmq cannot decode them; from
 * 0.14 on it decodes at most 100 nested levels.
 */
static void add_headers(struct publisher *publisher, const struct outgoing *outgoing,
                        size_t frame_bytes, amqp_basic_properties_t *properties)
{
    struct text headers = outgoing_headers_encode(publisher->scratch, outgoing, frame_bytes);
    if (!decode_headers(publisher, headers, &properties->headers)) {
        headers = outgoing_headers_without_original(publisher->scratch, outgoing);
        bool decoded = decode_headers(publisher, headers, &properties->headers);
        assert(decoded);
    }
    properties->_flags |= AMQP_BASIC_HEADERS_FLAG;
}

/* --- sending -------------------------------------------------------------------------------- */

/*
 * Does what amqp_basic_publish() does, with frames as large as the peers agreed on: that function
 * goes by the limit for reading (connection.c). The cork takes the place of its MSG_MORE.
 */
static int send_message(const struct connection *connection, amqp_channel_t channel,
                        const struct outgoing *outgoing, amqp_basic_properties_t *properties)
{
    amqp_basic_publish_t publish = {.exchange = bytes_of(outgoing->exchange),
                                    .routing_key = bytes_of(outgoing->routing_key),
                                    .mandatory = outgoing->mandatory};
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_HEADER, .channel = channel};
    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.body_size = outgoing->body.length;
    frame.payload.properties.decoded = properties;
    int result = amqp_send_method(connection->state, channel, AMQP_BASIC_PUBLISH_METHOD, &publish);
    if (result == AMQP_STATUS_OK)
        result = amqp_send_frame(connection->state, &frame);
    size_t part_max = connection->frame_bytes - FRAME_OVERHEAD;
    amqp_bytes_t rest = bytes_of(outgoing->body);
    while (result == AMQP_STATUS_OK && rest.len > 0) {
        size_t length = rest.len < part_max ? rest.len : part_max;
        frame = (amqp_frame_t){.frame_type = AMQP_FRAME_BODY, .channel = channel};
        frame.payload.body_fragment = (amqp_bytes_t){length, rest.bytes};
        result = amqp_send_frame(connection->state, &frame);
        rest = (amqp_bytes_t){rest.len - length, (char *)rest.bytes + length};
    }
    return result;
}

enum transport_status publisher_send(struct publisher *publisher, struct connection *connection,
                                     const struct outgoing *outgoing, struct error *error)
{
    amqp_basic_properties_t properties = properties_encode(&outgoing->properties);
    arena_reset(publisher->scratch);
    add_headers(publisher, outgoing, connection->frame_bytes, &properties);
    if (!confirms_add(&publisher->confirms, outgoing->sequence)) {
        struct error loss = {""};
        error_set(&loss, "too many unconfirmed messages (limit %d)", CONFIRMS_MAX);
        return connection_lose(connection, &loss, error);
    }
    connection_cork(connection);
    int result = send_message(connection, publisher->channel, outgoing, &properties);
    return connection_check_send(connection, result, "cannot publish", error);
}

bool publisher_resolve(struct publisher *publisher, const struct incoming *incoming,
                       uint64_t *ret_sequence)
{
    return confirms_resolve(&publisher->confirms, incoming->tag, incoming->multiple, ret_sequence);
}
