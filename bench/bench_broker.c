/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The baseline without a database: stands in for the worker, by bare librabbitmq. It takes
 * commands from the queue, answers each with a success made of its own text (persistent, mandatory,
 * confirmed), and acknowledges a batch by one frame once all its replies are confirmed. It heeds
 * ALLOT_AMQP_URI, ALLOT_AMQP_QUEUE, ALLOT_AMQP_PREFETCH and ALLOT_BATCH_MAX_COMMANDS.
 *
 * With ALLOT_BENCH_TRANSACTIONS=1 it is both baselines in one: each batch's bare transaction is
 * committed before the batch is answered.
 */
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/bench_transaction.h"

enum { CHANNEL_CONSUME = 1, CHANNEL_REPLIES = 2, CHANNELS = 3 };
enum { FRAME_MAX = 131072, PREFETCH = 1500, BATCH = 512, PREFETCH_MAX = 2000, TEXT = 256 };

struct delivery {
    char key[TEXT], correlation_id[TEXT], reply_to[TEXT];
    struct buffer body;
};

/* A message whose frames are still coming. */
struct incoming {
    uint64_t tag, bytes_left;
    bool is_delivery;
};

struct broker {
    amqp_connection_state_t state;
    struct incoming incoming[CHANNELS];
    struct delivery *waiting; /* room for as many as may be prefetched */
    size_t waiting_count, batch;
    uint64_t tag_last; /* of a delivery that is whole */
    uint64_t published, confirmed;
    struct raw *raw; /* NULL: no database */
    size_t transacted;
    struct {
        uint64_t published_last, tag_last;
    } * batches; /* published, and not yet acknowledged */
    size_t batch_count;
};

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    stopping = signal_number;
}

/* --- opening --- */

static void demand(const struct broker *broker, const char *what)
{
    if (amqp_get_rpc_reply(broker->state).reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("%s: the broker refuses", what);
}

static void connect_broker(struct broker *broker)
{
    struct amqp_connection_info info;
    char *uri = strdup(bench_environment("ALLOT_AMQP_URI"));
    if (uri == NULL || amqp_parse_url(uri, &info) != AMQP_STATUS_OK)
        bench_die("not a URI of one broker");
    broker->state = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(broker->state);
    if (socket == NULL || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK ||
        amqp_login(broker->state, info.vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, info.user,
                   info.password)
                .reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("no connection to the broker");
    free(uri);
}

static void open_channels(struct broker *broker, size_t prefetch)
{
    amqp_bytes_t queue = amqp_cstring_bytes(bench_environment("ALLOT_AMQP_QUEUE"));
    (void)amqp_channel_open(broker->state, CHANNEL_REPLIES);
    demand(broker, "channel");
    (void)amqp_confirm_select(broker->state, CHANNEL_REPLIES);
    demand(broker, "confirms");
    (void)amqp_channel_open(broker->state, CHANNEL_CONSUME);
    demand(broker, "channel");
    (void)amqp_basic_qos(broker->state, CHANNEL_CONSUME, 0, (uint16_t)prefetch, 0);
    demand(broker, "prefetch");
    (void)amqp_basic_consume(broker->state, CHANNEL_CONSUME, queue, amqp_empty_bytes, 0, 0, 0,
                             amqp_empty_table);
    demand(broker, "consuming");
}

/* --- what comes --- */

static void copy_text(char text[TEXT], amqp_bytes_t bytes)
{
    (void)snprintf(text, TEXT, "%.*s", (int)bytes.len, (const char *)bytes.bytes);
}

static void take_method(struct broker *broker, const amqp_frame_t *frame)
{
    struct incoming *incoming = &broker->incoming[frame->channel];
    const amqp_basic_deliver_t *deliver = frame->payload.method.decoded;
    const amqp_basic_ack_t *ack = frame->payload.method.decoded;
    switch (frame->payload.method.id) {
    case AMQP_BASIC_DELIVER_METHOD:
        *incoming = (struct incoming){.tag = deliver->delivery_tag, .is_delivery = true};
        break;
    case AMQP_BASIC_ACK_METHOD:
        broker->confirmed = ack->multiple ? ack->delivery_tag : broker->confirmed + 1;
        break;
    default: bench_die("the broker sends %#x", frame->payload.method.id);
    }
}

static void take_header(struct broker *broker, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct delivery *delivery = &broker->waiting[broker->waiting_count];
    broker->incoming[frame->channel].bytes_left = frame->payload.properties.body_size;
    copy_text(delivery->key, properties->message_id);
    copy_text(delivery->correlation_id, properties->correlation_id);
    copy_text(delivery->reply_to, properties->reply_to);
    delivery->body.length = 0;
}

static void take_body(struct broker *broker, const amqp_frame_t *frame)
{
    struct incoming *incoming = &broker->incoming[frame->channel];
    amqp_bytes_t part = frame->payload.body_fragment;
    buffer_add_bytes(&broker->waiting[broker->waiting_count].body, part.bytes, part.len);
    incoming->bytes_left -= part.len;
    if (incoming->bytes_left > 0)
        return;
    incoming->is_delivery = false;
    broker->tag_last = incoming->tag;
    broker->waiting_count++;
}

static void take_frame(struct broker *broker, const amqp_frame_t *frame)
{
    if (frame->frame_type == AMQP_FRAME_METHOD)
        take_method(broker, frame);
    else if (frame->frame_type == AMQP_FRAME_HEADER)
        take_header(broker, frame);
    else if (frame->frame_type == AMQP_FRAME_BODY)
        take_body(broker, frame);
}

/* Waits a little for the first frame, and takes those that are there, up to a batch. */
static void take_frames(struct broker *broker)
{
    amqp_frame_t frame;
    struct timeval none = {0}, wait = {.tv_usec = 100000};
    int status = amqp_simple_wait_frame_noblock(broker->state, &frame, &wait);
    while (status == AMQP_STATUS_OK) {
        take_frame(broker, &frame);
        if (broker->waiting_count >= broker->batch)
            return;
        status = amqp_simple_wait_frame_noblock(broker->state, &frame, &none);
    }
    if (status != AMQP_STATUS_TIMEOUT && !stopping)
        bench_die("%s", amqp_error_string2(status));
}

/* --- what goes --- */

/* The command's text from `from` up to `until`, copied. */
static void add_part(struct buffer *reply, const struct buffer *body, const char *from,
                     size_t length)
{
    const char *found = strstr(body->bytes, from);
    if (found == NULL || (size_t)(body->bytes + body->length - found) < strlen(from) + length)
        bench_die("a command of another kind: %s", body->bytes);
    buffer_add_bytes(reply, found + strlen(from), length);
}

static void write_reply(struct buffer *reply, const struct delivery *delivery)
{
    enum { UUID_LENGTH = 36 };
    reply->length = 0;
    buffer_add(reply,
               "{\"version\":1,\"command\":\"allocation.set\",\"message_id\":\"%s\","
               "\"status\":\"success\",\"result\":{\"consumer_uuid\":\"",
               delivery->key);
    add_part(reply, &delivery->body, "\"consumer_uuid\":\"", UUID_LENGTH);
    buffer_add(reply, "\",\"consumer_generation\":1,\"resource_provider_generations\":{\"");
    add_part(reply, &delivery->body, "\"allocations\":{\"", UUID_LENGTH);
    buffer_add(reply, "\":1,\"");
    add_part(reply, &delivery->body, "}},\"", UUID_LENGTH);
    buffer_add(reply, "\":1}}}");
}

static void publish(struct broker *broker, const struct delivery *delivery,
                    const struct buffer *body)
{
    amqp_table_entry_t headers[] = {
        {.key = amqp_cstring_bytes("x-allot-replayed"),
         .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 0}},
        {.key = amqp_cstring_bytes("x-allot-sequence"),
         .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = (int64_t)broker->published}},
    };
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                  AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG |
                  AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .content_type = amqp_cstring_bytes("application/json"),
        .message_id = amqp_cstring_bytes(delivery->key),
        .correlation_id = amqp_cstring_bytes(delivery->correlation_id),
        .type = amqp_cstring_bytes("allot.reply"),
        .headers = {.num_entries = 2, .entries = headers},
    };
    amqp_bytes_t content = {.len = body->length, .bytes = body->bytes};
    if (amqp_basic_publish(broker->state, CHANNEL_REPLIES, amqp_cstring_bytes(""),
                           amqp_cstring_bytes(delivery->reply_to), 1, 0, &properties,
                           content) != AMQP_STATUS_OK)
        bench_die("the connection to the broker is lost");
    broker->published++;
}

static void hold(struct broker *broker, int held)
{
    (void)setsockopt(amqp_get_sockfd(broker->state), IPPROTO_TCP, TCP_CORK, &held, sizeof held);
}

static void answer_batch(struct broker *broker, struct buffer *reply)
{
    if (broker->waiting_count == 0)
        return;
    if (broker->raw != NULL)
        raw_transact(broker->raw, broker->transacted, broker->waiting_count);
    broker->transacted += broker->waiting_count;
    for (size_t i = 0; i < broker->waiting_count; i++) {
        write_reply(reply, &broker->waiting[i]);
        publish(broker, &broker->waiting[i], reply);
    }
    broker->batches[broker->batch_count].published_last = broker->published;
    broker->batches[broker->batch_count++].tag_last = broker->tag_last;
    broker->waiting_count = 0;
}

/* Batches are confirmed in order. */
static void acknowledge(struct broker *broker)
{
    size_t done = 0;
    while (done < broker->batch_count && broker->batches[done].published_last <= broker->confirmed)
        done++;
    if (done == 0)
        return;
    if (amqp_basic_ack(broker->state, CHANNEL_CONSUME, broker->batches[done - 1].tag_last, 1) !=
        AMQP_STATUS_OK)
        bench_die("the connection to the broker is lost");
    broker->batch_count -= done;
    memmove(broker->batches, broker->batches + done, broker->batch_count * sizeof *broker->batches);
}

static void serve(struct broker *broker)
{
    struct buffer reply = {0};
    while (!stopping || broker->batch_count > 0) {
        take_frames(broker);
        hold(broker, 1);
        answer_batch(broker, &reply);
        acknowledge(broker);
        hold(broker, 0);
        amqp_maybe_release_buffers(broker->state);
    }
    free(reply.bytes);
}

int main(void)
{
    struct broker broker = {.batch = bench_setting("ALLOT_BATCH_MAX_COMMANDS", BATCH)};
    struct shape shape = shape_default();
    struct raw raw = {0};
    struct sigaction action = {.sa_handler = stop};
    (void)sigaction(SIGTERM, &action, NULL);
    if (getenv("ALLOT_BENCH_TRANSACTIONS") != NULL) {
        raw = raw_open(&shape, broker.batch, 0);
        broker.raw = &raw;
    }
    broker.waiting = bench_array(PREFETCH_MAX, sizeof *broker.waiting);
    broker.batches = bench_array(PREFETCH_MAX, sizeof *broker.batches);
    connect_broker(&broker);
    open_channels(&broker, bench_setting("ALLOT_AMQP_PREFETCH", PREFETCH));
    serve(&broker);
    if (broker.raw != NULL) {
        raw_audit(&raw, broker.transacted);
        raw_close(&raw);
    }
    (void)amqp_connection_close(broker.state, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(broker.state);
    for (size_t i = 0; i < PREFETCH_MAX; i++)
        free(broker.waiting[i].body.bytes);
    free(broker.waiting);
    free(broker.batches);
    return 0;
}
