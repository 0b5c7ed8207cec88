/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/client.h"

#include <stdlib.h>

#include "common/codec/outgoing_headers.h"
#include "common/base/memory.h"
#include "common/host/system_clock.h"
#include "common/amqp/properties.h"
#include "common/amqp/publisher.h"

enum { HEARTBEAT_MS = 30000, ANSWER_TIMEOUT_MS = 10000, WAIT_SLICE_MS = 1000 };

struct client {
    struct arena *arena; /* of the options */
    struct login_options login;
    struct connection *connection;
    struct publisher publisher;
    struct incoming_queue messages; /* delivered, not yet received */
    struct incoming_queue answers;  /* to basic.get */
    uint64_t last_resolved;         /* the last sequence confirmed or nacked */
    enum client_outcome outcome;    /* of the last publish */
    uint64_t last_sequence;
};

/* --- opening and closing -------------------------------------------------------------------- */

struct client *client_open(struct text uri, const struct amqp_tls *tls, struct error *error)
{
    struct client *client = memory_array(1, sizeof *client);
    client->arena = arena_new(0);
    publisher_init(&client->publisher, CHANNEL_CONSUME);
    bool opened = login_options_read(uri, tls, client->arena, &client->login, error);
    client->login.name = text_of("allot client");
    client->login.heartbeat_ms = HEARTBEAT_MS;
    opened = opened &&
             connection_open(&client->login, 0, &client->connection, error) == TRANSPORT_OK &&
             publisher_open(&client->publisher, client->connection, error) == TRANSPORT_OK;
    if (opened)
        return client;
    client_close(client);
    return NULL;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    incoming_queue_clear(&client->messages);
    incoming_queue_clear(&client->answers);
    connection_free(client->connection);
    publisher_clear(&client->publisher);
    arena_free(client->arena);
    free(client);
}

struct text client_user(const struct client *client)
{
    return login_user(client->connection->host);
}

/* --- what comes ----------------------------------------------------------------------------- */

static bool fail(struct client *client, struct error *error, const char *what, const char *reason)
{
    error_set(error, "%s: %s", what, reason != NULL ? reason : "no reason given");
    client->connection->lost = true;
    return false;
}

static void note_resolved(struct client *client, const struct incoming *incoming)
{
    uint64_t sequence = 0;
    while (publisher_resolve(&client->publisher, incoming, &sequence)) {
        client->last_resolved = sequence;
        if (incoming->method == AMQP_BASIC_NACK_METHOD)
            client->outcome = CLIENT_NACKED;
    }
}

/* Takes ownership of what is kept; the rest is the caller's to clear. */
static bool sort(struct client *client, struct incoming *incoming, struct error *error)
{
    switch (incoming->method) {
    case AMQP_BASIC_DELIVER_METHOD:
        incoming_push(&client->messages, incoming);
        *incoming = (struct incoming){0};
        return true;
    case AMQP_BASIC_GET_OK_METHOD:
    case AMQP_BASIC_GET_EMPTY_METHOD:
        incoming_push(&client->answers, incoming);
        *incoming = (struct incoming){0};
        return true;
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD: note_resolved(client, incoming); return true;
    case AMQP_BASIC_RETURN_METHOD:
        if (outgoing_headers_sequence(incoming->raw_headers) == client->last_sequence)
            client->outcome = CLIENT_RETURNED;
        return true;
    case AMQP_BASIC_CANCEL_METHOD:
        return fail(client, error, "the broker ended the consumer", "its queue is gone");
    case AMQP_CHANNEL_CLOSE_METHOD:
        return fail(client, error, "the broker closed the channel", incoming->reason);
    default: return true;
    }
}

static bool read_all(struct client *client, struct error *error)
{
    connection_release(client->connection);
    bool good = connection_read(client->connection, error) == TRANSPORT_OK;
    struct incoming incoming;
    while (good && incoming_pop(&client->connection->reader.arrived, &incoming)) {
        good = sort(client, &incoming, error);
        incoming_clear(&incoming);
    }
    return good;
}

/* Whether what is waited for is there. */
typedef bool (*condition)(const struct client *client);

static bool all_resolved(const struct client *client)
{
    return client->last_resolved == client->last_sequence;
}

static bool has_message(const struct client *client)
{
    return client->messages.count > 0;
}

static bool has_answer(const struct client *client)
{
    return client->answers.count > 0;
}

/* True: it came true, or time ran out. False: the connection failed. */
static bool wait_for(struct client *client, condition holds, int timeout_ms, struct error *error)
{
    int64_t deadline_ms = system_monotonic_ms() + timeout_ms;
    for (;;) {
        if (!read_all(client, error))
            return false;
        int64_t remaining_ms = deadline_ms - system_monotonic_ms();
        if (holds(client) || remaining_ms <= 0)
            return true;
        int64_t slice_ms = remaining_ms < WAIT_SLICE_MS ? remaining_ms : WAIT_SLICE_MS;
        (void)connection_wait(client->connection, slice_ms, -1);
    }
}

static enum client_answer take(struct incoming_queue *queue, struct client_message *ret_message)
{
    struct incoming incoming;
    if (!incoming_pop(queue, &incoming))
        return CLIENT_NOTHING;
    if (incoming.method == AMQP_BASIC_GET_EMPTY_METHOD) {
        incoming_clear(&incoming);
        return CLIENT_NOTHING;
    }
    *ret_message = (struct client_message){.arena = incoming.arena,
                                           .tag = incoming.tag,
                                           .redelivered = incoming.redelivered,
                                           .remaining = incoming.remaining,
                                           .properties = incoming.properties,
                                           .raw_headers = incoming.raw_headers,
                                           .body = incoming.body};
    return CLIENT_MESSAGE;
}

/* --- calls ---------------------------------------------------------------------------------- */

bool client_publish(struct client *client, const struct outgoing *outgoing, int timeout_ms,
                    enum client_outcome *ret_outcome, struct error *error)
{
    struct outgoing message = *outgoing;
    if (!text_present(message.properties.user_id))
        message.properties.user_id = client_user(client);
    message.sequence = ++client->last_sequence;
    client->outcome = CLIENT_CONFIRMED;
    /* Reads first: a publish to a peer that is long dead would wait for ever. */
    if (!read_all(client, error) ||
        publisher_send(&client->publisher, client->connection, &message, error) != TRANSPORT_OK)
        return false;
    if (!wait_for(client, all_resolved, timeout_ms, error))
        return false;
    if (!all_resolved(client))
        return fail(client, error, "publishing", "no confirm in time");
    *ret_outcome = client->outcome;
    return true;
}

static bool check(struct client *client, const char *what, const char *queue, struct error *error)
{
    enum transport_status status =
        connection_check(client->connection, CHANNEL_CONSUME, what, error);
    if (status == TRANSPORT_OK)
        return true;
    error_prefix(error, "queue %s", queue);
    client->connection->lost = true;
    return false;
}

static bool need_connection(struct client *client, struct error *error)
{
    if (client->connection->lost)
        return fail(client, error, "the client", "its connection is lost");
    connection_release(client->connection);
    return true;
}

bool client_declare_queue(struct client *client, const char *name, struct error *error)
{
    if (!need_connection(client, error))
        return false;
    (void)amqp_queue_declare(client->connection->state, CHANNEL_CONSUME, amqp_cstring_bytes(name),
                             0, 0, 1, 1, amqp_empty_table);
    return check(client, "declaring", name, error);
}

bool client_consume(struct client *client, const char *queue, bool no_ack, struct error *error)
{
    if (!need_connection(client, error))
        return false;
    (void)amqp_basic_consume(client->connection->state, CHANNEL_CONSUME, amqp_cstring_bytes(queue),
                             amqp_empty_bytes, 0, no_ack, 0, amqp_empty_table);
    return check(client, "consuming", queue, error);
}

enum client_answer client_receive(struct client *client, int timeout_ms,
                                  struct client_message *ret_message, struct error *error)
{
    if (!wait_for(client, has_message, timeout_ms, error))
        return CLIENT_FAILED;
    return take(&client->messages, ret_message);
}

enum client_answer client_get(struct client *client, const char *queue,
                              struct client_message *ret_message, struct error *error)
{
    if (!need_connection(client, error))
        return CLIENT_FAILED;
    amqp_basic_get_t get = {.queue = amqp_cstring_bytes(queue)};
    int sent =
        amqp_send_method(client->connection->state, CHANNEL_CONSUME, AMQP_BASIC_GET_METHOD, &get);
    if (connection_sent(client->connection, sent, "getting", error) != TRANSPORT_OK ||
        !wait_for(client, has_answer, ANSWER_TIMEOUT_MS, error))
        return CLIENT_FAILED;
    if (!has_answer(client)) {
        (void)fail(client, error, "getting", "no answer in time");
        return CLIENT_FAILED;
    }
    return take(&client->answers, ret_message);
}

bool client_ack(struct client *client, uint64_t tag, struct error *error)
{
    if (!need_connection(client, error))
        return false;
    int sent = amqp_basic_ack(client->connection->state, CHANNEL_CONSUME, tag, 0);
    return connection_sent(client->connection, sent, "acknowledging", error) == TRANSPORT_OK;
}

bool client_requeue(struct client *client, uint64_t tag, struct error *error)
{
    if (!need_connection(client, error))
        return false;
    int sent = amqp_basic_nack(client->connection->state, CHANNEL_CONSUME, tag, 0, 1);
    return connection_sent(client->connection, sent, "giving back", error) == TRANSPORT_OK;
}

bool client_requeue_all(struct client *client, struct error *error)
{
    if (!need_connection(client, error))
        return false;
    /* Tag 0 with `multiple` is everything that is outstanding. */
    int sent = amqp_basic_nack(client->connection->state, CHANNEL_CONSUME, 0, 1, 1);
    return connection_sent(client->connection, sent, "giving back", error) == TRANSPORT_OK;
}

bool client_count(struct client *client, const char *queue, uint32_t *ret_count,
                  struct error *error)
{
    struct connection *connection = client->connection;
    if (!need_connection(client, error) ||
        connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error) != TRANSPORT_OK)
        return false;
    const amqp_queue_declare_ok_t *declared =
        amqp_queue_declare(connection->state, CHANNEL_TOPOLOGY, amqp_cstring_bytes(queue), 1, 1, 0,
                           0, amqp_empty_table);
    uint32_t count = declared != NULL ? declared->message_count : 0;
    if (connection_check(connection, CHANNEL_TOPOLOGY, queue, error) != TRANSPORT_OK)
        return false;
    amqp_rpc_reply_t closed =
        amqp_channel_close(connection->state, CHANNEL_TOPOLOGY, AMQP_REPLY_SUCCESS);
    if (closed.reply_type != AMQP_RESPONSE_NORMAL)
        return fail(client, error, "closing a channel", "no answer");
    *ret_count = count;
    return true;
}
