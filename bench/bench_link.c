/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer's connection, on bare librabbitmq.
 *
 * - Opening: one channel in confirm mode, with an exclusive reply queue and an AMQP consumer on it.
 * - link_publish() sends a persistent, mandatory message and does not wait.
 * - link_wait() reads all frames that have arrived. A reply goes to the caller's handler; a confirm
 *   marks its delivery tags in `is_confirmed`.
 *
 * The broker may confirm in any order, since the messages go to several queues; so every tag has a
 * flag of its own. A returned or nacked message ends the program: all queues of a run exist before
 * it starts. There is no reconnection and no heartbeat: a lost connection ends the program, and a
 * connection lives as long as one run.
 */
#include "bench/bench_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "bench/bench_amqp.h"
#include "bench/bench_claims.h"

enum { CHANNEL = 1, MICROSECONDS = 1000000, FIRST_CAPACITY = 65536 };
#define EXCHANGE "allot.commands"

struct link {
    amqp_connection_state_t state;
    char queue[64];
    unsigned char *is_confirmed; /* by delivery tag */
    size_t capacity;             /* of is_confirmed */
    size_t published, confirmed;
    size_t
        multiple_last; /* the last tag of a confirm with `multiple`: all up to it are confirmed */
    bool corked;
};

static void open_channel(struct link *link)
{
    amqp_bytes_t queue = amqp_cstring_bytes(link->queue);
    (void)amqp_channel_open(link->state, CHANNEL);
    bench_amqp_check(link->state, "the channel");
    (void)amqp_confirm_select(link->state, CHANNEL);
    bench_amqp_check(link->state, "confirm mode");
    (void)amqp_queue_declare(link->state, CHANNEL, queue, 0, 0, 1, 1, amqp_empty_table);
    bench_amqp_check(link->state, "the reply queue");
    (void)amqp_basic_consume(link->state, CHANNEL, queue, amqp_empty_bytes, 0, 1, 1,
                             amqp_empty_table);
    bench_amqp_check(link->state, "the AMQP consumer of the replies");
}

struct link *link_open(const char *uri, const char *reply_queue)
{
    struct link *link = bench_array(1, sizeof *link);
    (void)snprintf(link->queue, sizeof link->queue, "%s", reply_queue);
    link->state = bench_amqp_open(uri);
    open_channel(link);
    return link;
}

void link_close(struct link *link)
{
    bench_amqp_close(link->state);
    free(link->is_confirmed);
    free(link);
}

size_t link_confirmed(const struct link *link)
{
    return link->confirmed;
}

void link_cork(struct link *link, bool corked)
{
    if (link->corked != corked)
        bench_amqp_cork(link->state, corked);
    link->corked = corked;
}

/* Delivery tags count from 1 on. */
static void count_published(struct link *link)
{
    if (++link->published < link->capacity)
        return;
    size_t capacity = link->capacity > 0 ? link->capacity * 2 : FIRST_CAPACITY;
    link->is_confirmed = realloc(link->is_confirmed, capacity);
    if (link->is_confirmed == NULL)
        bench_die("out of memory");
    memset(link->is_confirmed + link->capacity, 0, capacity - link->capacity);
    link->capacity = capacity;
}

void link_publish(struct link *link, const struct link_message *message)
{
    char number[32];
    count_published(link);
    (void)snprintf(number, sizeof number, "%zu", message->number);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                  AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                  AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG,
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .content_type = amqp_cstring_bytes("application/json"),
        .message_id = amqp_cstring_bytes(message->key),
        .correlation_id = amqp_cstring_bytes(number),
        .reply_to = amqp_cstring_bytes(link->queue),
        .user_id = amqp_cstring_bytes(CLAIM_PRINCIPAL),
    };
    amqp_bytes_t content = {.len = message->body->length, .bytes = message->body->bytes};
    if (amqp_basic_publish(link->state, CHANNEL, amqp_cstring_bytes(EXCHANGE),
                           amqp_cstring_bytes(message->queue), 1, 0, &properties,
                           content) != AMQP_STATUS_OK)
        bench_die("cannot publish a command: lost the connection to the broker");
}

/* --- receiving --- */

/* bench_parse_count() does not accept the 0 of the first command. */
static size_t number_of(const amqp_message_t *message)
{
    char text[32];
    amqp_bytes_t id = message->properties.correlation_id;
    (void)snprintf(text, sizeof text, "%.*s", (int)id.len, (const char *)id.bytes);
    return strcmp(text, "0") == 0 ? 0 : bench_parse_count(text);
}

static bool is_replayed(const amqp_message_t *message)
{
    const amqp_table_t *headers = &message->properties.headers;
    amqp_bytes_t name = amqp_cstring_bytes("x-allot-replayed");
    for (int i = 0; i < headers->num_entries; i++) {
        const amqp_table_entry_t *entry = &headers->entries[i];
        if (entry->key.len == name.len && memcmp(entry->key.bytes, name.bytes, name.len) == 0)
            return entry->value.kind == AMQP_FIELD_KIND_BOOLEAN && entry->value.value.boolean;
    }
    return false;
}

static void handle_reply(struct link *link, link_handler handler, void *context)
{
    amqp_message_t message;
    amqp_rpc_reply_t read = amqp_read_message(link->state, CHANNEL, &message, 0);
    if (read.reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("cannot read a reply from the broker");
    struct link_reply reply = {.number = number_of(&message),
                               .body = message.body.bytes,
                               .length = message.body.len,
                               .replayed = is_replayed(&message)};
    handler(context, &reply);
    amqp_destroy_message(&message);
}

static void mark_confirmed(struct link *link, size_t tag)
{
    if (tag > link->published)
        bench_die("confirm of an unpublished message: tag %zu (last published %zu)", tag,
                  link->published);
    link->confirmed += link->is_confirmed[tag] == 0;
    link->is_confirmed[tag] = 1;
}

/* A confirm with `multiple` is for all tags up to its own. Other confirms come in any order. */
static void handle_confirm(struct link *link, const amqp_basic_ack_t *ack)
{
    size_t tag = (size_t)ack->delivery_tag;
    mark_confirmed(link, tag);
    while (ack->multiple && link->multiple_last < tag)
        mark_confirmed(link, ++link->multiple_last);
}

static void handle_frame(struct link *link, const amqp_frame_t *frame, link_handler handler,
                         void *context)
{
    amqp_method_number_t method =
        frame->frame_type == AMQP_FRAME_METHOD ? frame->payload.method.id : 0;
    if (method == AMQP_BASIC_DELIVER_METHOD)
        handle_reply(link, handler, context);
    else if (method == AMQP_BASIC_ACK_METHOD)
        handle_confirm(link, frame->payload.method.decoded);
    else if (frame->frame_type != AMQP_FRAME_HEARTBEAT)
        bench_die("unexpected AMQP method from the broker: %#x", method);
}

bool link_wait(struct link *link, double seconds, link_handler handler, void *context)
{
    amqp_frame_t frame;
    struct timeval no_wait = {0}, wait = {.tv_sec = (time_t)seconds};
    wait.tv_usec = (suseconds_t)((seconds - (double)wait.tv_sec) * (double)MICROSECONDS);
    int status = amqp_simple_wait_frame_noblock(link->state, &frame, &wait);
    bool arrived = status == AMQP_STATUS_OK;
    while (status == AMQP_STATUS_OK) {
        handle_frame(link, &frame, handler, context);
        status = amqp_simple_wait_frame_noblock(link->state, &frame, &no_wait);
    }
    if (status != AMQP_STATUS_TIMEOUT)
        bench_die("lost the connection to the broker: %s", amqp_error_string2(status));
    amqp_maybe_release_buffers(link->state);
    return arrived;
}
