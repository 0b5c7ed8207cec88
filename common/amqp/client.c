/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A client has one connection and one channel (CHANNEL_CONSUME), which publishes with
 * confirms and consumes. A call that waits uses wait_for(): it reads what has arrived, and
 * sort_incoming() puts each method in its place (deliveries to `messages`, answers to basic.get to
 * `answers`, confirms and returns to the result of the publish), until the condition holds or the
 * time is over. There is one result for all messages that are published without waiting.
 *
 * Guarantees. Nothing that arrives while another call waits is lost. Each call ends: RPCs by
 * librabbitmq's RPC timeout (login.c), waits by a deadline.
 *
 * basic.get is sent as a plain method, although amqp_basic_get() exists: that function waits for
 * its answer, and the message would then have to be read by amqp_read_message(), which drops the
 * frames of other channels (frames.c).
 *
 * Not here: reconnecting, and heartbeats between the calls. A client that makes no call for two
 * heartbeats is disconnected by the broker.
 */
#include "common/amqp/client.h"

#include <stdlib.h>

#include "allot/limits.h"
#include "common/amqp/properties.h"
#include "common/amqp/publisher.h"
#include "common/base/memory.h"
#include "common/host/system_clock.h"

enum {
    HEARTBEAT_MS = 30000,
    ANSWER_TIMEOUT_MS = 10000,
    WAIT_SLICE_MS = 1000 /* librabbitmq sends heartbeats only while it reads */
};

struct client {
    struct arena *arena; /* owned; has the options */
    struct login_options login;
    struct connection *connection;
    struct publisher publisher;
    struct incoming_queue messages; /* delivered, not yet received by the caller */
    struct incoming_queue answers;  /* to basic.get */
    uint64_t last_sequence;         /* of the last publish */
    uint64_t resolved;              /* how many were confirmed or nacked */
    enum client_outcome outcome;    /* the worst since the last call that has waited */
};

/* --- opening and closing -------------------------------------------------------------------- */

struct client *client_open(struct text uri, const struct amqp_tls *tls, struct error *error)
{
    struct client *client = MEMORY_NEW(struct client);
    client->arena = arena_new(0);
    publisher_init(&client->publisher, CHANNEL_CONSUME);
    bool opened = login_options_read(uri, tls, client->arena, &client->login, error);
    client->login.name = text_of("allot client");
    client->login.heartbeat_ms = HEARTBEAT_MS;
    opened = opened &&
             connection_open(&client->login, 0, &client->connection, error) == TRANSPORT_OK &&
             publisher_open(&client->publisher, client->connection, error) == TRANSPORT_OK;
    if (opened) {
        client->connection->reader.body_bytes_max = REPLY_BYTES_MAX;
        return client;
    }
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

struct text client_broker_version(const struct client *client)
{
    return login_broker_version(client->connection->state);
}

void client_limit_body(struct client *client, size_t bytes_max)
{
    client->connection->reader.body_bytes_max = bytes_max;
}

/* --- reading and waiting -------------------------------------------------------------------- */

static bool fail(struct client *client, struct error *error, const char *what, const char *reason)
{
    error_set(error, "%s: %s", what, reason);
    client->connection->lost = true;
    return false;
}

static void note_outcome(struct client *client, enum client_outcome outcome)
{
    if (outcome > client->outcome)
        client->outcome = outcome;
}

static void note_resolved(struct client *client, const struct incoming *incoming)
{
    uint64_t sequence = 0;
    while (publisher_resolve(&client->publisher, incoming, &sequence)) {
        client->resolved++;
        if (incoming->method == AMQP_BASIC_NACK_METHOD)
            note_outcome(client, CLIENT_NACKED);
    }
}

/* Stores a method where its reader looks for it. Zeroes `incoming` if a queue now owns it;
   otherwise the caller must clear it. */
static bool sort_incoming(struct client *client, struct incoming *incoming, struct error *error)
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
    case AMQP_BASIC_RETURN_METHOD: note_outcome(client, CLIENT_RETURNED); return true;
    case AMQP_BASIC_CANCEL_METHOD:
        return fail(client, error, "the broker cancelled the subscription",
                    "its queue was deleted or is unavailable");
    case AMQP_CHANNEL_CLOSE_METHOD:
        return fail(client, error, "the broker closed the channel", incoming->reason);
    default: return true;
    }
}

static bool read_all(struct client *client, struct error *error)
{
    connection_uncork(client->connection);
    bool good = connection_read(client->connection, error) == TRANSPORT_OK;
    struct incoming incoming;
    while (good && incoming_pop(&client->connection->reader.arrived, &incoming)) {
        good = sort_incoming(client, &incoming, error);
        incoming_clear(&incoming);
    }
    return good;
}

typedef bool (*condition)(const struct client *client);

static bool all_resolved(const struct client *client)
{
    return client->resolved == client->last_sequence;
}

static bool has_message(const struct client *client)
{
    return client->messages.count > 0;
}

static bool has_answer(const struct client *client)
{
    return client->answers.count > 0;
}

/* Waits until `holds` is true or `timeout_ms` is over. Returns false if the connection failed. */
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

/* Moves the first message to the caller. */
static enum client_answer take_message(struct incoming_queue *queue,
                                       struct client_message *ret_message)
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
                                           .body = incoming.body,
                                           .cut_size = incoming.cut_size,
                                           .body_sha256 = incoming.body_sha256};
    return CLIENT_MESSAGE;
}

/* --- calls ---------------------------------------------------------------------------------- */

bool client_send(struct client *client, const struct outgoing *outgoing, struct error *error)
{
    struct outgoing message = *outgoing;
    if (!text_present(message.properties.user_id))
        message.properties.user_id = client_user(client);
    message.sequence = ++client->last_sequence;
    /* Reads first: with librabbitmq 0.11 a publish to a peer that is gone for two heartbeats would
       wait forever (connection_read_if_stale). */
    return read_all(client, error) &&
           publisher_send(&client->publisher, client->connection, &message, error) == TRANSPORT_OK;
}

bool client_confirm(struct client *client, int timeout_ms, enum client_outcome *ret_outcome,
                    struct error *error)
{
    if (!wait_for(client, all_resolved, timeout_ms, error))
        return false;
    if (!all_resolved(client))
        return fail(client, error, "cannot publish", "no confirm in time");
    *ret_outcome = client->outcome;
    client->outcome = CLIENT_CONFIRMED;
    return true;
}

bool client_publish(struct client *client, const struct outgoing *outgoing, int timeout_ms,
                    enum client_outcome *ret_outcome, struct error *error)
{
    return client_send(client, outgoing, error) &&
           client_confirm(client, timeout_ms, ret_outcome, error);
}

static bool require_connection(struct client *client, struct error *error)
{
    if (client->connection->lost)
        return fail(client, error, "cannot use the client", "its connection is lost");
    connection_uncork(client->connection);
    return true;
}

static bool check_rpc(struct client *client, const char *what, const char *queue,
                      struct error *error)
{
    enum transport_status status =
        connection_check_rpc(client->connection, CHANNEL_CONSUME, what, error);
    if (status == TRANSPORT_OK)
        return true;
    error_prefix(error, "queue %s", queue);
    client->connection->lost = true; /* with the channel, all deliveries and confirms are lost */
    return false;
}

static bool check_send(struct client *client, int result, const char *what, struct error *error)
{
    return connection_check_send(client->connection, result, what, error) == TRANSPORT_OK;
}

/* `tag` 0 with `multiple` means all deliveries of the channel. */
static bool nack(struct client *client, uint64_t tag, bool multiple, struct error *error)
{
    if (!require_connection(client, error))
        return false;
    int result = amqp_basic_nack(client->connection->state, CHANNEL_CONSUME, tag, multiple, 1);
    return check_send(client, result, "cannot requeue", error);
}

bool client_declare_queue(struct client *client, const char *name, struct error *error)
{
    if (!require_connection(client, error))
        return false;
    (void)amqp_queue_declare(client->connection->state, CHANNEL_CONSUME, amqp_cstring_bytes(name),
                             0, 0, 1, 1, amqp_empty_table);
    return check_rpc(client, "cannot declare", name, error);
}

bool client_consume(struct client *client, const char *queue, bool no_ack, struct error *error)
{
    if (!require_connection(client, error))
        return false;
    (void)amqp_basic_consume(client->connection->state, CHANNEL_CONSUME, amqp_cstring_bytes(queue),
                             amqp_empty_bytes, 0, no_ack, 0, amqp_empty_table);
    return check_rpc(client, "cannot consume", queue, error);
}

enum client_answer client_receive(struct client *client, int timeout_ms,
                                  struct client_message *ret_message, struct error *error)
{
    if (!wait_for(client, has_message, timeout_ms, error))
        return CLIENT_FAILED;
    return take_message(&client->messages, ret_message);
}

/* Tells whether a wait failed because the answer to basic.get could not be read. */
static bool is_unreadable(const struct client *client, struct client_message *ret_message)
{
    const struct unreadable *unreadable = &client->connection->reader.unreadable;
    if (unreadable->tag == 0 || unreadable->method != AMQP_BASIC_GET_OK_METHOD)
        return false;
    *ret_message =
        (struct client_message){.tag = unreadable->tag, .remaining = unreadable->remaining};
    return true;
}

enum client_answer client_get(struct client *client, const char *queue,
                              struct client_message *ret_message, struct error *error)
{
    if (!require_connection(client, error))
        return CLIENT_FAILED;
    amqp_basic_get_t get = {.queue = amqp_cstring_bytes(queue)};
    int result =
        amqp_send_method(client->connection->state, CHANNEL_CONSUME, AMQP_BASIC_GET_METHOD, &get);
    if (!check_send(client, result, "cannot get a message", error))
        return CLIENT_FAILED;
    if (!wait_for(client, has_answer, ANSWER_TIMEOUT_MS, error))
        return is_unreadable(client, ret_message) ? CLIENT_UNREADABLE : CLIENT_FAILED;
    if (!has_answer(client)) {
        (void)fail(client, error, "cannot get a message", "no answer in time");
        return CLIENT_FAILED;
    }
    return take_message(&client->answers, ret_message);
}

bool client_ack(struct client *client, uint64_t tag, struct error *error)
{
    if (!require_connection(client, error))
        return false;
    int result = amqp_basic_ack(client->connection->state, CHANNEL_CONSUME, tag, 0);
    return check_send(client, result, "cannot acknowledge", error);
}

bool client_requeue(struct client *client, uint64_t tag, struct error *error)
{
    return nack(client, tag, false, error);
}

bool client_requeue_all(struct client *client, struct error *error)
{
    return nack(client, 0, true, error);
}

/* --- queues ---------------------------------------------------------------------------------- */

/* Uses a channel of its own, since the broker closes it if the queue is missing. */
bool client_count(struct client *client, const char *queue, uint32_t *ret_count,
                  struct error *error)
{
    struct connection *connection = client->connection;
    if (!require_connection(client, error) ||
        connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error) != TRANSPORT_OK)
        return false;
    const amqp_queue_declare_ok_t *declared =
        amqp_queue_declare(connection->state, CHANNEL_TOPOLOGY, amqp_cstring_bytes(queue), 1, 1, 0,
                           0, amqp_empty_table);
    uint32_t count = declared != NULL ? declared->message_count : 0;
    if (connection_check_rpc(connection, CHANNEL_TOPOLOGY, "cannot count messages", error) !=
        TRANSPORT_OK) {
        error_prefix(error, "queue %s", queue);
        return false;
    }
    *ret_count = count;
    return connection_close_channel(connection, CHANNEL_TOPOLOGY, error) == TRANSPORT_OK;
}

/* Declares the queue, which exists, with these arguments. REFUSED: it has others, and the channel
   is closed. */
static enum transport_status declare_limited(struct connection *connection, const char *queue,
                                             int32_t limit, struct error *error)
{
    amqp_table_entry_t arguments[2] = {{.key = amqp_cstring_bytes("x-queue-type")},
                                       {.key = amqp_cstring_bytes("x-delivery-limit")}};
    arguments[0].value.kind = AMQP_FIELD_KIND_UTF8;
    arguments[0].value.value.bytes = amqp_cstring_bytes("quorum");
    arguments[1].value.kind = AMQP_FIELD_KIND_I32;
    arguments[1].value.value.i32 = limit;
    (void)amqp_queue_declare(connection->state, CHANNEL_TOPOLOGY, amqp_cstring_bytes(queue), 0, 1,
                             0, 0, (amqp_table_t){2, arguments});
    return connection_check_rpc(connection, CHANNEL_TOPOLOGY, "cannot compare arguments", error);
}

/* Looks first whether the queue is there, so that the declaration does not create it. */
bool client_has_delivery_limit(struct client *client, const char *queue, int32_t limit,
                               bool *ret_has, struct error *error)
{
    struct connection *connection = client->connection;
    uint32_t count = 0;
    if (!client_count(client, queue, &count, error) ||
        connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error) != TRANSPORT_OK)
        return false;
    enum transport_status status = declare_limited(connection, queue, limit, error);
    *ret_has = status == TRANSPORT_OK;
    if (status == TRANSPORT_OK)
        return connection_close_channel(connection, CHANNEL_TOPOLOGY, error) == TRANSPORT_OK;
    return status == TRANSPORT_REFUSED && !connection->lost;
}
