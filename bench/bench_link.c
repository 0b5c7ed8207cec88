/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_link.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "bench/bench_claims.h"

enum { CHANNEL = 1, FRAME_MAX = 131072, MICROSECONDS = 1000000, FIRST_ROOM = 65536 };
#define EXCHANGE "allot.commands"

struct link {
    amqp_connection_state_t state;
    char queue[64];
    unsigned char *settled;                           /* by delivery tag */
    size_t room, published, confirmed, confirmed_all; /* all up to that tag */
    bool held;
};

static void demand(const struct link *link, const char *what)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(link->state);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("%s: the broker refuses", what);
}

static void connect_broker(struct link *link, const char *uri)
{
    struct amqp_connection_info info;
    char *copy = strdup(uri);
    if (copy == NULL || amqp_parse_url(copy, &info) != AMQP_STATUS_OK)
        bench_die("not a URI of one broker");
    link->state = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(link->state);
    if (socket == NULL || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK)
        bench_die("no connection to the broker");
    amqp_rpc_reply_t reply = amqp_login(link->state, info.vhost, 0, FRAME_MAX, 0,
                                        AMQP_SASL_METHOD_PLAIN, info.user, info.password);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("the broker does not let us in");
    free(copy);
}

static void open_channel(struct link *link)
{
    amqp_bytes_t queue = amqp_cstring_bytes(link->queue);
    (void)amqp_channel_open(link->state, CHANNEL);
    demand(link, "channel");
    (void)amqp_confirm_select(link->state, CHANNEL);
    demand(link, "confirms");
    (void)amqp_queue_declare(link->state, CHANNEL, queue, 0, 0, 1, 1, amqp_empty_table);
    demand(link, "queue of replies");
    (void)amqp_basic_consume(link->state, CHANNEL, queue, amqp_empty_bytes, 0, 1, 1,
                             amqp_empty_table);
    demand(link, "replies");
}

struct link *link_open(const char *uri, const char *reply_queue)
{
    struct link *link = bench_array(1, sizeof *link);
    (void)snprintf(link->queue, sizeof link->queue, "%s", reply_queue);
    connect_broker(link, uri);
    open_channel(link);
    return link;
}

void link_close(struct link *link)
{
    (void)amqp_connection_close(link->state, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(link->state);
    free(link->settled);
    free(link);
}

size_t link_confirmed(const struct link *link)
{
    return link->confirmed;
}

void link_hold(struct link *link, bool held)
{
    int on = held ? 1 : 0;
    if (link->held != held)
        (void)setsockopt(amqp_get_sockfd(link->state), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    link->held = held;
}

/* Tags count from 1 on. */
static void count_published(struct link *link)
{
    if (++link->published >= link->room) {
        size_t larger = link->room > 0 ? link->room * 2 : FIRST_ROOM;
        link->settled = realloc(link->settled, larger);
        if (link->settled == NULL)
            bench_die("out of memory");
        memset(link->settled + link->room, 0, larger - link->room);
        link->room = larger;
    }
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
        bench_die("the connection to the broker is lost");
}

/* --- what comes --- */

static size_t number_of(const amqp_message_t *message)
{
    char text[32];
    amqp_bytes_t id = message->properties.correlation_id;
    (void)snprintf(text, sizeof text, "%.*s", (int)id.len, (const char *)id.bytes);
    return strcmp(text, "0") == 0 ? 0 : bench_count(text);
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

static void take_reply(struct link *link, link_handler handler, void *context)
{
    amqp_message_t message;
    amqp_rpc_reply_t read = amqp_read_message(link->state, CHANNEL, &message, 0);
    if (read.reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("a reply that ends early");
    struct link_reply reply = {.number = number_of(&message),
                               .body = message.body.bytes,
                               .length = message.body.len,
                               .replayed = is_replayed(&message)};
    handler(context, &reply);
    amqp_destroy_message(&message);
}

static void settle(struct link *link, size_t tag)
{
    if (tag > link->published)
        bench_die("a confirm of no message: %zu", tag);
    link->confirmed += link->settled[tag] == 0;
    link->settled[tag] = 1;
}

/* Of several queues, they come in any order; one that is `multiple` is for all before it too. */
static void take_confirm(struct link *link, const amqp_basic_ack_t *ack)
{
    size_t tag = (size_t)ack->delivery_tag;
    settle(link, tag);
    while (ack->multiple && link->confirmed_all < tag)
        settle(link, ++link->confirmed_all);
}

static void take_frame(struct link *link, const amqp_frame_t *frame, link_handler handler,
                       void *context)
{
    amqp_method_number_t method =
        frame->frame_type == AMQP_FRAME_METHOD ? frame->payload.method.id : 0;
    if (method == AMQP_BASIC_DELIVER_METHOD)
        take_reply(link, handler, context);
    else if (method == AMQP_BASIC_ACK_METHOD)
        take_confirm(link, frame->payload.method.decoded);
    else if (frame->frame_type != AMQP_FRAME_HEARTBEAT)
        bench_die("the broker sends what is neither a confirm nor a reply: %#x", method);
}

bool link_wait(struct link *link, double seconds, link_handler handler, void *context)
{
    amqp_frame_t frame;
    struct timeval none = {0}, wait = {.tv_sec = (time_t)seconds};
    wait.tv_usec = (suseconds_t)((seconds - (double)wait.tv_sec) * MICROSECONDS);
    int status = amqp_simple_wait_frame_noblock(link->state, &frame, &wait);
    bool some = status == AMQP_STATUS_OK;
    while (status == AMQP_STATUS_OK) {
        take_frame(link, &frame, handler, context);
        status = amqp_simple_wait_frame_noblock(link->state, &frame, &none);
    }
    if (status != AMQP_STATUS_TIMEOUT)
        bench_die("%s", amqp_error_string2(status));
    amqp_maybe_release_buffers(link->state);
    return some;
}
