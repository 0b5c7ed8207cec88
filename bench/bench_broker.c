/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The baseline without a database: takes the place of allotd, on bare librabbitmq.
 *
 * - It consumes commands from the quorum queue, up to a batch at a time.
 * - With ALLOT_BENCH_TRANSACTIONS=1 it is both baselines in one process: it commits the bare
 *   transaction (bench_transaction.c) of as many claims, before it answers.
 * - It answers each command with a success, made of pieces of the command's text. Replies are
 *   persistent, mandatory and confirmed.
 * - It acknowledges a batch with one frame, once all its replies are confirmed. It does not wait
 *   for the confirms of one batch before it publishes the next.
 *
 * It reads ALLOT_AMQP_URI, ALLOT_AMQP_QUEUE, ALLOT_AMQP_PREFETCH and ALLOT_BATCH_MAX_COMMANDS, and
 * ignores its arguments. SIGTERM ends it after the last batch is acknowledged. It has one thread.
 * It decodes and decides nothing, detects no repeated command, and ends at the first error; so its
 * rate is what a worker on the same machine cannot exceed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_amqp.h"
#include "bench/bench_transaction.h"

enum { CHANNEL_CONSUME = 1, CHANNEL_REPLIES = 2 };
enum { PREFETCH = 1500, BATCH = 512, PREFETCH_MAX = 2000, TEXT = 256 };

struct delivery {
    char key[TEXT], correlation_id[TEXT], reply_to[TEXT];
    struct buffer body;
};

/* A message of which not all frames have arrived. */
struct incoming {
    uint64_t tag, bytes_left;
};

/* A batch that is answered and not yet acknowledged. */
struct answered_batch {
    uint64_t published_last; /* its last reply */
    uint64_t tag_last;       /* its last delivery */
};

struct broker {
    amqp_connection_state_t state;
    struct incoming incoming;
    struct delivery *waiting; /* PREFETCH_MAX of them */
    size_t waiting_count, batch;
    uint64_t tag_last; /* the last delivery of which all frames have arrived */
    uint64_t published, confirmed;
    struct raw *raw; /* NULL: no transactions; borrowed */
    size_t transacted;
    struct answered_batch *batches;
    size_t batch_count;
};

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    stopping = signal_number;
}

/* --- opening --- */

static void open_channels(struct broker *broker, size_t prefetch)
{
    amqp_bytes_t queue = amqp_cstring_bytes(bench_environment("ALLOT_AMQP_QUEUE"));
    (void)amqp_channel_open(broker->state, CHANNEL_REPLIES);
    bench_amqp_check(broker->state, "a channel");
    (void)amqp_confirm_select(broker->state, CHANNEL_REPLIES);
    bench_amqp_check(broker->state, "confirm mode");
    (void)amqp_channel_open(broker->state, CHANNEL_CONSUME);
    bench_amqp_check(broker->state, "a channel");
    (void)amqp_basic_qos(broker->state, CHANNEL_CONSUME, 0, (uint16_t)prefetch, 0);
    bench_amqp_check(broker->state, "the prefetch");
    (void)amqp_basic_consume(broker->state, CHANNEL_CONSUME, queue, amqp_empty_bytes, 0, 0, 0,
                             amqp_empty_table);
    bench_amqp_check(broker->state, "the AMQP consumer");
}

/* --- receiving --- */

static void copy_text(char text[TEXT], amqp_bytes_t bytes)
{
    (void)snprintf(text, TEXT, "%.*s", (int)bytes.len, (const char *)bytes.bytes);
}

static void handle_method(struct broker *broker, const amqp_frame_t *frame)
{
    const amqp_basic_deliver_t *deliver = frame->payload.method.decoded;
    const amqp_basic_ack_t *ack = frame->payload.method.decoded;
    switch (frame->payload.method.id) {
    case AMQP_BASIC_DELIVER_METHOD: broker->incoming.tag = deliver->delivery_tag; break;
    case AMQP_BASIC_ACK_METHOD:
        broker->confirmed = ack->multiple ? ack->delivery_tag : broker->confirmed + 1;
        break;
    default: bench_die("unexpected AMQP method from the broker: %#x", frame->payload.method.id);
    }
}

static void handle_header(struct broker *broker, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    struct delivery *delivery = &broker->waiting[broker->waiting_count];
    broker->incoming.bytes_left = frame->payload.properties.body_size;
    copy_text(delivery->key, properties->message_id);
    copy_text(delivery->correlation_id, properties->correlation_id);
    copy_text(delivery->reply_to, properties->reply_to);
    delivery->body.length = 0;
}

static void handle_body(struct broker *broker, const amqp_frame_t *frame)
{
    struct incoming *incoming = &broker->incoming;
    amqp_bytes_t part = frame->payload.body_fragment;
    buffer_add_bytes(&broker->waiting[broker->waiting_count].body, part.bytes, part.len);
    incoming->bytes_left -= part.len;
    if (incoming->bytes_left > 0)
        return;
    broker->tag_last = incoming->tag;
    broker->waiting_count++;
}

static void handle_frame(struct broker *broker, const amqp_frame_t *frame)
{
    if (frame->frame_type == AMQP_FRAME_METHOD)
        handle_method(broker, frame);
    else if (frame->frame_type == AMQP_FRAME_HEADER)
        handle_header(broker, frame);
    else if (frame->frame_type == AMQP_FRAME_BODY)
        handle_body(broker, frame);
}

/* Waits up to 0.1 s for the first frame, then handles those that have arrived, up to one batch. */
static void receive_batch(struct broker *broker)
{
    amqp_frame_t frame;
    struct timeval no_wait = {0}, wait = {.tv_usec = 100000};
    int status = amqp_simple_wait_frame_noblock(broker->state, &frame, &wait);
    while (status == AMQP_STATUS_OK) {
        handle_frame(broker, &frame);
        if (broker->waiting_count >= broker->batch)
            return;
        status = amqp_simple_wait_frame_noblock(broker->state, &frame, &no_wait);
    }
    if (status != AMQP_STATUS_TIMEOUT && !stopping)
        bench_die("lost the connection to the broker: %s", amqp_error_string2(status));
}

/* --- answering --- */

/* Copies the `length` bytes of the command that follow the first `before`. */
static void add_part(struct buffer *reply, const struct buffer *body, const char *before,
                     size_t length)
{
    const char *found = strstr(body->bytes, before);
    if (found == NULL || (size_t)(body->bytes + body->length - found) < strlen(before) + length)
        bench_die("not an allocation.set with two providers: %s", body->bytes);
    buffer_add_bytes(reply, found + strlen(before), length);
}

/* A default claim has two providers, and its command one member "consumer_uuid". */
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
        bench_die("cannot publish a reply: lost the connection to the broker");
    broker->published++;
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
    broker->batches[broker->batch_count++] =
        (struct answered_batch){.published_last = broker->published, .tag_last = broker->tag_last};
    broker->waiting_count = 0;
}

/* Acknowledges the batches whose replies are all confirmed, with one frame. The broker confirms in
   order, since all replies go to one queue. */
static void acknowledge_batches(struct broker *broker)
{
    size_t done = 0;
    while (done < broker->batch_count && broker->batches[done].published_last <= broker->confirmed)
        done++;
    if (done == 0)
        return;
    if (amqp_basic_ack(broker->state, CHANNEL_CONSUME, broker->batches[done - 1].tag_last, 1) !=
        AMQP_STATUS_OK)
        bench_die("cannot acknowledge: lost the connection to the broker");
    broker->batch_count -= done;
    memmove(broker->batches, broker->batches + done, broker->batch_count * sizeof *broker->batches);
}

static void run(struct broker *broker)
{
    struct buffer reply = {0};
    while (!stopping || broker->batch_count > 0) {
        receive_batch(broker);
        bench_amqp_cork(broker->state, true);
        answer_batch(broker, &reply);
        acknowledge_batches(broker);
        bench_amqp_cork(broker->state, false);
        amqp_maybe_release_buffers(broker->state);
    }
    free(reply.bytes);
}

int main(void)
{
    struct broker broker = {.batch = bench_environment_count("ALLOT_BATCH_MAX_COMMANDS", BATCH)};
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
    broker.state = bench_amqp_open(bench_environment("ALLOT_AMQP_URI"));
    open_channels(&broker, bench_environment_count("ALLOT_AMQP_PREFETCH", PREFETCH));
    run(&broker);
    if (broker.raw != NULL) {
        raw_audit(&raw, broker.transacted);
        raw_close(&raw);
    }
    bench_amqp_close(broker.state);
    for (size_t i = 0; i < PREFETCH_MAX; i++)
        free(broker.waiting[i].body.bytes);
    free(broker.waiting);
    free(broker.batches);
    return 0;
}
