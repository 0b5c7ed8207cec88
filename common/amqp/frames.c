/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. frame_reader_read() takes one frame after another from librabbitmq. read_frame() passes
 * each to the state machine of its channel:
 *
 *   AWAIT_METHOD -- deliver, get-ok or return --> AWAIT_HEADER --> AWAIT_BODY -- last byte --> done
 *
 * A message goes to the queue `arrived` when it is complete, a method without content at once.
 *
 * Guarantees. Nothing in `arrived` points into librabbitmq's memory, which is released after
 * RELEASE_BYTES and at the end of each call. A frame out of order, a frame of a channel that was
 * never opened, and a body longer than announced end the connection.
 *
 * Why not the library's readers. In librabbitmq 0.11, and still in its development branch,
 * amqp_read_message() and amqp_consume_message() drop the queued frames of other channels, such as
 * a confirm. Their timeout covers the first frame only; they wait for the others without a limit.
 * They allocate whatever body size the header announces; here a body over the limit is hashed as it
 * arrives, and only its beginning is kept (body_reader.h).
 *
 * Blame. If librabbitmq cannot decode a frame while a header or a body is awaited, the method
 * before it has named the message. RabbitMQ writes the frames of one message in a row, so only one
 * message is awaited; if there are two, there is no evidence against either, and none is named.
 *
 * Not here: what is done with such a message (amqp_transport.c, client.c), waiting
 * (connection_wait), and the meaning of a method (amqp_transport.c, client.c). librabbitmq sends
 * and checks heartbeats itself, in the call that reads a frame.
 */
#include "common/amqp/frames.h"

#include <sys/time.h>

#include "allot/limits.h"
#include "common/amqp/properties.h"
#include "common/amqp/status.h"
#include "common/base/memory.h"

enum {
    ARENA_SLACK = 128, /* for the alignment of what is copied beside the texts */
    RELEASE_BYTES = 1024 * 1024,
    READ_BYTES_MAX = 4 * 1024 * 1024, /* a prefetch of large bodies must not fill the memory */
    FRAME_OVERHEAD = 1024 /* estimate of what a decoded frame takes in librabbitmq's pools */
};

static enum transport_status protocol_error(const char *what, struct error *error)
{
    error_set(error, "the broker broke the AMQP protocol: %s", what);
    return TRANSPORT_LOST;
}

static char *copy_string(amqp_bytes_t bytes)
{
    return memory_string(bytes.bytes, bytes.len);
}

/* --- methods -------------------------------------------------------------------------------- */

/* Begins a message. Returns false if the method has no content. */
static bool begin_message(struct assembly *assembly, const amqp_frame_t *frame)
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
        incoming.reason = copy_string(returned->reply_text);
    } else {
        return false;
    }
    assembly->incoming = incoming;
    assembly->state = AWAIT_HEADER;
    return true;
}

/* Copies those arguments of a method without content that a caller reads. */
static struct incoming copy_method(const amqp_frame_t *frame)
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
        incoming.code = close->reply_code;
        incoming.reason = copy_string(close->reply_text);
    } else if (incoming.method == AMQP_CONNECTION_BLOCKED_METHOD) {
        const amqp_connection_blocked_t *blocked = decoded;
        incoming.reason = copy_string(blocked->reason);
    }
    return incoming;
}

static enum transport_status close_connection(struct frame_reader *reader,
                                              amqp_connection_state_t state,
                                              const amqp_frame_t *frame, struct error *error)
{
    struct closing closing = closing_of(&frame->payload.method);
    reader->close_code = closing.code;
    (void)status_of_closing(closing, "the broker closed the connection", error);
    amqp_connection_close_ok_t close_ok = {0};
    (void)amqp_send_method(state, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok);
    return TRANSPORT_LOST;
}

static enum transport_status read_method(struct frame_reader *reader, amqp_connection_state_t state,
                                         const amqp_frame_t *frame, struct error *error)
{
    struct assembly *assembly = &reader->assemblies[frame->channel];
    if (frame->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD)
        return close_connection(reader, state, frame, error);
    if (assembly->state != AWAIT_METHOD)
        return protocol_error("method within a message", error);
    if (begin_message(assembly, frame))
        return TRANSPORT_OK;
    struct incoming incoming = copy_method(frame);
    incoming_push(&reader->arrived, &incoming);
    return TRANSPORT_OK;
}

/* --- messages ------------------------------------------------------------------------------- */

static void finish_message(struct frame_reader *reader, struct assembly *assembly)
{
    if (assembly->keeps_body) {
        struct incoming *incoming = &assembly->incoming;
        struct whole_or_cut result = body_reader_finish(&assembly->body, incoming->arena);
        incoming->body = result.body;
        incoming->cut_size = result.cut_size;
        incoming->body_sha256 = result.sha256;
    }
    incoming_push(&reader->arrived, &assembly->incoming);
    *assembly = (struct assembly){.state = AWAIT_METHOD};
}

static enum transport_status read_header(struct frame_reader *reader, const amqp_frame_t *frame,
                                         struct error *error)
{
    struct assembly *assembly = &reader->assemblies[frame->channel];
    uint64_t body_bytes = frame->payload.properties.body_size;
    if (assembly->state != AWAIT_HEADER)
        return protocol_error("header out of order", error);
    struct incoming *incoming = &assembly->incoming;
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct text headers = properties_raw_headers(frame->payload.properties.raw);
    size_t whole_max = reader->body_bytes_max > 0 ? reader->body_bytes_max : BODY_BYTES_MAX;
    assembly->keeps_body = incoming->method != AMQP_BASIC_RETURN_METHOD;
    incoming->arena =
        arena_new(properties_bytes(properties) + headers.length + ARENA_SLACK +
                  (assembly->keeps_body ? body_reader_bytes(body_bytes, whole_max) : 0));
    incoming->properties = properties_copy(incoming->arena, properties);
    incoming->raw_headers = text_copy(incoming->arena, headers);
    if (assembly->keeps_body)
        body_reader_begin(&assembly->body, incoming->arena, body_bytes, whole_max);
    assembly->missing = body_bytes;
    assembly->state = AWAIT_BODY;
    if (body_bytes == 0)
        finish_message(reader, assembly);
    return TRANSPORT_OK;
}

static enum transport_status read_body(struct frame_reader *reader, const amqp_frame_t *frame,
                                       struct error *error)
{
    struct assembly *assembly = &reader->assemblies[frame->channel];
    amqp_bytes_t part = frame->payload.body_fragment;
    if (assembly->state != AWAIT_BODY)
        return protocol_error("body out of order", error);
    if (part.len > assembly->missing)
        return protocol_error("message body longer than announced", error);
    if (assembly->keeps_body && part.len > 0)
        body_reader_add(&assembly->body, part.bytes, part.len);
    assembly->missing -= part.len;
    if (assembly->missing == 0)
        finish_message(reader, assembly);
    return TRANSPORT_OK;
}

/* --- frames --------------------------------------------------------------------------------- */

static enum transport_status read_frame(struct frame_reader *reader, amqp_connection_state_t state,
                                        const amqp_frame_t *frame, struct error *error)
{
    reader->unreleased_bytes += FRAME_OVERHEAD;
    if (frame->channel >= READER_CHANNELS)
        return protocol_error("frame on a channel that was never opened", error);
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD: return read_method(reader, state, frame, error);
    case AMQP_FRAME_HEADER: return read_header(reader, frame, error);
    case AMQP_FRAME_BODY:
        reader->unreleased_bytes += frame->payload.body_fragment.len;
        reader->read_bytes += frame->payload.body_fragment.len;
        return read_body(reader, frame, error);
    default: return TRANSPORT_OK; /* heartbeat */
    }
}

/* Names the message whose frame could not be decoded. */
static void name_unreadable(struct frame_reader *reader)
{
    size_t awaited = 0;
    struct unreadable unreadable = {0};
    for (size_t i = 0; i < READER_CHANNELS; i++) {
        const struct incoming *incoming = &reader->assemblies[i].incoming;
        if (reader->assemblies[i].state == AWAIT_METHOD)
            continue;
        unreadable =
            (struct unreadable){(uint16_t)i, incoming->tag, incoming->method, incoming->remaining};
        awaited++;
    }
    if (awaited == 1)
        reader->unreadable = unreadable; /* a return has tag 0 */
}

static enum transport_status fail_read(struct frame_reader *reader, int result, struct error *error)
{
    (void)status_of_library(result, "cannot read from the broker", error);
    if (status_blames_content(result))
        name_unreadable(reader);
    return TRANSPORT_LOST;
}

/* librabbitmq skips channels of which frames are queued or partly read, so one call may release
   nothing. Without any call its pools grow by the size of each message. */
static void release(struct frame_reader *reader, amqp_connection_state_t state)
{
    amqp_maybe_release_buffers(state);
    reader->unreleased_bytes = 0;
}

enum transport_status frame_reader_read(struct frame_reader *reader, amqp_connection_state_t state,
                                        struct error *error)
{
    reader->read_bytes = 0;
    /* Frames that are left may lie in librabbitmq's own buffer, where poll(2) does not see them. So
       the loop stops early only with something in `arrived`: then the caller reads again before it
       waits. */
    while (reader->read_bytes < READ_BYTES_MAX || reader->arrived.count == 0) {
        amqp_frame_t frame;
        /* Never waits here: librabbitmq 0.11 spins through the last millisecond of a timeout, which
           takes seven times the CPU of a poll(2) before the call. */
        struct timeval no_wait = {0, 0};
        int status = amqp_simple_wait_frame_noblock(state, &frame, &no_wait);
        if (status == AMQP_STATUS_TIMEOUT)
            break;
        if (status != AMQP_STATUS_OK)
            return fail_read(reader, status, error);
        enum transport_status read = read_frame(reader, state, &frame, error);
        if (read != TRANSPORT_OK)
            return read;
        if (reader->unreleased_bytes >= RELEASE_BYTES)
            release(reader, state);
    }
    release(reader, state);
    return TRANSPORT_OK;
}

void frame_reader_clear(struct frame_reader *reader)
{
    for (size_t i = 0; i < READER_CHANNELS; i++) {
        body_reader_clear(&reader->assemblies[i].body);
        incoming_clear(&reader->assemblies[i].incoming);
    }
    incoming_queue_clear(&reader->arrived);
    *reader = (struct frame_reader){0};
}
