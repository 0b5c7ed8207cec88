/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/frames.h"

#include <string.h>
#include <sys/time.h>

#include "common/base/memory.h"
#include "common/amqp/properties.h"
#include "common/amqp/status.h"

enum {
    ARENA_SLACK = 128,
    RELEASE_BYTES = 1024 * 1024,
    READ_BYTES_MAX = 4 * 1024 * 1024,
    FRAME_OVERHEAD = 1024 /* what a decoded frame costs in librabbitmq's pools, about */
};

static void broken(struct error *error, const char *what)
{
    error_set(error, "the broker does not speak AMQP: %s", what);
}

static char *string_of(amqp_bytes_t bytes)
{
    return memory_string(bytes.bytes, bytes.len);
}

static void add_content(struct assembly *assembly, struct incoming incoming)
{
    assembly->incoming = incoming;
    assembly->state = AWAIT_HEADER;
}

/* Methods that a message follows; false for all others. */
static bool begins_content(struct assembly *assembly, const amqp_frame_t *frame)
{
    struct incoming incoming = {.channel = frame->channel, .method = frame->payload.method.id};
    const void *decoded = frame->payload.method.decoded;
    if (incoming.method == AMQP_BASIC_DELIVER_METHOD) {
        const amqp_basic_deliver_t *deliver = decoded;
        incoming.tag = deliver->delivery_tag;
        incoming.redelivered = deliver->redelivered != 0;
    } else if (incoming.method == AMQP_BASIC_GET_OK_METHOD) {
        const amqp_basic_get_ok_t *get = decoded;
        incoming.tag = get->delivery_tag;
        incoming.redelivered = get->redelivered != 0;
        incoming.remaining = get->message_count;
    } else if (incoming.method == AMQP_BASIC_RETURN_METHOD) {
        const amqp_basic_return_t *returned = decoded;
        incoming.reason = string_of(returned->reply_text);
    } else {
        return false;
    }
    add_content(assembly, incoming);
    return true;
}

/* The arguments of a method without content, as far as anybody wants them. */
static struct incoming plain_method(const amqp_frame_t *frame)
{
    struct incoming incoming = {.channel = frame->channel, .method = frame->payload.method.id};
    const void *decoded = frame->payload.method.decoded;
    if (incoming.method == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = decoded;
        incoming.tag = ack->delivery_tag;
        incoming.multiple = ack->multiple != 0;
    } else if (incoming.method == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = decoded;
        incoming.tag = nack->delivery_tag;
        incoming.multiple = nack->multiple != 0;
    } else if (incoming.method == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = decoded;
        incoming.reason = string_of(close->reply_text);
    } else if (incoming.method == AMQP_CONNECTION_BLOCKED_METHOD) {
        const amqp_connection_blocked_t *blocked = decoded;
        incoming.reason = string_of(blocked->reason);
    }
    return incoming;
}

static enum transport_status take_connection_close(amqp_connection_state_t state,
                                                   const amqp_frame_t *frame, struct error *error)
{
    struct closing closing = closing_of(&frame->payload.method);
    (void)status_of_closing(closing, "the broker closed the connection", error);
    amqp_connection_close_ok_t close_ok = {0};
    (void)amqp_send_method(state, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok);
    return TRANSPORT_LOST;
}

static enum transport_status take_method(struct frame_reader *reader, amqp_connection_state_t state,
                                         const amqp_frame_t *frame, struct error *error)
{
    struct assembly *assembly = &reader->assemblies[frame->channel];
    if (frame->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD)
        return take_connection_close(state, frame, error);
    if (assembly->state != AWAIT_METHOD) {
        broken(error, "a method within a message");
        return TRANSPORT_LOST;
    }
    if (begins_content(assembly, frame))
        return TRANSPORT_OK;
    struct incoming incoming = plain_method(frame);
    incoming_push(&reader->arrived, &incoming);
    return TRANSPORT_OK;
}

static void finish(struct frame_reader *reader, struct assembly *assembly)
{
    incoming_push(&reader->arrived, &assembly->incoming);
    *assembly = (struct assembly){.state = AWAIT_METHOD};
}

static enum transport_status take_header(struct frame_reader *reader, const amqp_frame_t *frame,
                                         struct error *error)
{
    struct assembly *assembly = &reader->assemblies[frame->channel];
    uint64_t body_bytes = frame->payload.properties.body_size;
    if (assembly->state != AWAIT_HEADER || body_bytes > MESSAGE_BYTES_MAX) {
        broken(error, assembly->state != AWAIT_HEADER ? "a header out of order"
                                                      : "a message of more than 512 MiB");
        return TRANSPORT_LOST;
    }
    struct incoming *incoming = &assembly->incoming;
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct text headers = properties_raw_headers(frame->payload.properties.raw);
    bool keeps_body = incoming->method != AMQP_BASIC_RETURN_METHOD;
    size_t kept_bytes = keeps_body ? (size_t)body_bytes : 0;
    incoming->arena =
        arena_new(properties_bytes(properties) + headers.length + kept_bytes + ARENA_SLACK);
    incoming->properties = properties_copy(incoming->arena, properties);
    incoming->raw_headers = text_copy(incoming->arena, headers);
    if (keeps_body) {
        assembly->body = arena_alloc(incoming->arena, kept_bytes + 1);
        incoming->body = text_view(assembly->body, kept_bytes);
    }
    assembly->body_bytes = body_bytes;
    assembly->state = AWAIT_BODY;
    if (body_bytes == 0)
        finish(reader, assembly);
    return TRANSPORT_OK;
}

static enum transport_status take_body(struct frame_reader *reader, const amqp_frame_t *frame,
                                       struct error *error)
{
    struct assembly *assembly = &reader->assemblies[frame->channel];
    amqp_bytes_t part = frame->payload.body_fragment;
    if (assembly->state != AWAIT_BODY || part.len > assembly->body_bytes - assembly->received) {
        broken(error, "a body out of order, or longer than announced");
        return TRANSPORT_LOST;
    }
    if (assembly->body != NULL && part.len > 0)
        memcpy(assembly->body + assembly->received, part.bytes, part.len);
    assembly->received += part.len;
    if (assembly->received == assembly->body_bytes)
        finish(reader, assembly);
    return TRANSPORT_OK;
}

static enum transport_status take_frame(struct frame_reader *reader, amqp_connection_state_t state,
                                        const amqp_frame_t *frame, struct error *error)
{
    reader->unreleased_bytes += FRAME_OVERHEAD;
    if (frame->channel >= READER_CHANNELS) {
        broken(error, "a frame on a channel that was never opened");
        return TRANSPORT_LOST;
    }
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD: return take_method(reader, state, frame, error);
    case AMQP_FRAME_HEADER: return take_header(reader, frame, error);
    case AMQP_FRAME_BODY:
        reader->unreleased_bytes += frame->payload.body_fragment.len;
        reader->read_bytes += frame->payload.body_fragment.len;
        return take_body(reader, frame, error);
    default: return TRANSPORT_OK;
    }
}

/* It skips channels with frames in its queue, so once is not enough: after every batch. */
static void release(struct frame_reader *reader, amqp_connection_state_t state)
{
    amqp_maybe_release_buffers(state);
    reader->unreleased_bytes = 0;
}

enum transport_status frame_reader_read(struct frame_reader *reader, amqp_connection_state_t state,
                                        struct error *error)
{
    reader->read_bytes = 0;
    /* What is left may be in librabbitmq's own buffer, of which poll(2) knows nothing: something to
       hand out makes the caller come again at once. */
    while (reader->read_bytes < READ_BYTES_MAX || reader->arrived.count == 0) {
        amqp_frame_t frame;
        struct timeval at_once = {0, 0};
        int status = amqp_simple_wait_frame_noblock(state, &frame, &at_once);
        if (status == AMQP_STATUS_TIMEOUT)
            break;
        if (status != AMQP_STATUS_OK) {
            (void)status_of_library(status, "reading from the broker", error);
            return TRANSPORT_LOST;
        }
        enum transport_status taken = take_frame(reader, state, &frame, error);
        if (taken != TRANSPORT_OK)
            return taken;
        if (reader->unreleased_bytes >= RELEASE_BYTES)
            release(reader, state);
    }
    release(reader, state);
    return TRANSPORT_OK;
}

void frame_reader_clear(struct frame_reader *reader)
{
    for (size_t i = 0; i < READER_CHANNELS; i++)
        incoming_clear(&reader->assemblies[i].incoming);
    incoming_queue_clear(&reader->arrived);
    *reader = (struct frame_reader){0};
}
