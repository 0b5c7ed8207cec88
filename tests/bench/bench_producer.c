/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_producer.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { CHANNEL = 1, FRAME_MAX = 131072, SILENCE_SECONDS = 30 };
#define EXCHANGE "allot.commands"

struct producer {
    amqp_connection_state_t state;
    char queue[64];
    uint32_t provider_count;
    size_t claims, sent, confirmed, answered;
    unsigned char *answers; /* how many, of each claim */
};

static void demand(const struct producer *producer, const char *what)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(producer->state);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("%s: the broker refuses", what);
}

static void connect_broker(struct producer *producer, const char *uri)
{
    struct amqp_connection_info info;
    char *copy = strdup(uri);
    if (copy == NULL || amqp_parse_url(copy, &info) != AMQP_STATUS_OK)
        bench_die("not a URI of one broker");
    producer->state = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(producer->state);
    if (socket == NULL || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK)
        bench_die("no connection to the broker");
    amqp_rpc_reply_t reply = amqp_login(producer->state, info.vhost, 0, FRAME_MAX, 0,
                                        AMQP_SASL_METHOD_PLAIN, info.user, info.password);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("the broker does not let us in");
    free(copy);
}

static void open_channel(struct producer *producer)
{
    amqp_bytes_t queue = amqp_cstring_bytes(producer->queue);
    (void)amqp_channel_open(producer->state, CHANNEL);
    demand(producer, "channel");
    (void)amqp_confirm_select(producer->state, CHANNEL);
    demand(producer, "confirms");
    (void)amqp_queue_declare(producer->state, CHANNEL, queue, 0, 0, 1, 1, amqp_empty_table);
    demand(producer, "queue of replies");
    (void)amqp_basic_consume(producer->state, CHANNEL, queue, amqp_empty_bytes, 0, 1, 1,
                             amqp_empty_table);
    demand(producer, "replies");
}

struct producer *producer_open(const char *uri, uint32_t provider_count, size_t claims)
{
    struct producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL || (producer->answers = calloc(claims, 1)) == NULL)
        bench_die("out of memory");
    producer->provider_count = provider_count;
    producer->claims = claims;
    (void)snprintf(producer->queue, sizeof producer->queue, CLAIM_PRINCIPAL ".bench");
    connect_broker(producer, uri);
    open_channel(producer);
    return producer;
}

void producer_close(struct producer *producer)
{
    (void)amqp_connection_close(producer->state, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(producer->state);
    free(producer->answers);
    free(producer);
}

static void publish(struct producer *producer)
{
    char body[CLAIM_BODY_MAX], number[32];
    struct bench_claim claim = claim_number(producer->sent, producer->provider_count);
    struct uuid_text key = uuid_format(claim.key);
    size_t length = claim_body(&claim, body);
    (void)snprintf(number, sizeof number, "%zu", producer->sent);
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                  AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                  AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG,
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .content_type = amqp_cstring_bytes("application/json"),
        .message_id = amqp_cstring_bytes(key.chars),
        .correlation_id = amqp_cstring_bytes(number),
        .reply_to = amqp_cstring_bytes(producer->queue),
        .user_id = amqp_cstring_bytes(CLAIM_PRINCIPAL),
    };
    amqp_bytes_t name = amqp_cstring_bytes(EXCHANGE);
    amqp_bytes_t content = {.len = length, .bytes = body};
    if (amqp_basic_publish(producer->state, CHANNEL, name, name, 1, 0, &properties, content) !=
        AMQP_STATUS_OK)
        bench_die("the connection to the broker is lost");
    producer->sent++;
}

static size_t claim_answered(const struct producer *producer, const amqp_message_t *message)
{
    char number[32];
    amqp_bytes_t id = message->properties.correlation_id;
    (void)snprintf(number, sizeof number, "%.*s", (int)id.len, (const char *)id.bytes);
    size_t claim = bench_count(number[0] == '0' ? "1" : number) - (number[0] == '0');
    if (claim >= producer->sent)
        bench_die("a reply to no command: %s", number);
    return claim;
}

static bool contains(amqp_bytes_t body, const char *part)
{
    return memmem(body.bytes, body.len, part, strlen(part)) != NULL;
}

static void take_reply(struct producer *producer)
{
    amqp_message_t message;
    amqp_rpc_reply_t read = amqp_read_message(producer->state, CHANNEL, &message, 0);
    if (read.reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("a reply that ends early");
    char key[UUID_TEXT_LENGTH + 16];
    size_t claim = claim_answered(producer, &message);
    struct uuid expected = claim_number(claim, producer->provider_count).key;
    (void)snprintf(key, sizeof key, "\"message_id\":\"%s\"", uuid_format(expected).chars);
    if (!contains(message.body, "\"status\":\"success\"") ||
        !contains(message.body, "\"consumer_generation\":1,") || !contains(message.body, key))
        bench_die("claim %zu: %.*s", claim, (int)message.body.len,
                  (const char *)message.body.bytes);
    if (producer->answers[claim]++ > 0)
        bench_die("claim %zu is answered twice", claim);
    producer->answered++;
    amqp_destroy_message(&message);
}

/* Confirms come in order; one that is `multiple` is for all before it too. */
static void take_confirm(struct producer *producer, const amqp_basic_ack_t *ack)
{
    if (ack->multiple)
        producer->confirmed = (size_t)ack->delivery_tag;
    else
        producer->confirmed++;
}

static void take_frame(struct producer *producer, const amqp_frame_t *frame)
{
    amqp_method_number_t method =
        frame->frame_type == AMQP_FRAME_METHOD ? frame->payload.method.id : 0;
    if (method == AMQP_BASIC_DELIVER_METHOD)
        take_reply(producer);
    else if (method == AMQP_BASIC_ACK_METHOD)
        take_confirm(producer, frame->payload.method.decoded);
    else if (frame->frame_type != AMQP_FRAME_HEARTBEAT)
        bench_die("the broker sends what is neither a confirm nor a reply: %#x", method);
}

/* Waits for the first frame, and takes those that are there already. */
static void take_frames(struct producer *producer)
{
    amqp_frame_t frame;
    struct timeval wait = {.tv_sec = SILENCE_SECONDS}, none = {0};
    int status = amqp_simple_wait_frame_noblock(producer->state, &frame, &wait);
    if (status != AMQP_STATUS_OK)
        bench_die("no reply for %d s: %s", SILENCE_SECONDS, amqp_error_string2(status));
    while (status == AMQP_STATUS_OK) {
        take_frame(producer, &frame);
        status = amqp_simple_wait_frame_noblock(producer->state, &frame, &none);
    }
    if (status != AMQP_STATUS_TIMEOUT)
        bench_die("%s", amqp_error_string2(status));
    amqp_maybe_release_buffers(producer->state);
}

void producer_run(struct producer *producer, size_t window, size_t answers)
{
    while (producer->answered < answers) {
        while (producer->sent < producer->claims && producer->sent - producer->answered < window)
            publish(producer);
        take_frames(producer);
    }
    while (answers == producer->claims && producer->confirmed < producer->claims)
        take_frames(producer);
}

void producer_audit(const struct producer *producer)
{
    if (producer->confirmed != producer->claims || producer->answered != producer->claims)
        bench_die("%zu claims, %zu confirms, %zu replies", producer->claims, producer->confirmed,
                  producer->answered);
    for (size_t i = 0; i < producer->claims; i++)
        if (producer->answers[i] != 1)
            bench_die("claim %zu has %u answers", i, producer->answers[i]);
}
