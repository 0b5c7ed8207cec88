/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small blocking AMQP client for allotctl and for tests: publishes commands, waits for replies,
 * and looks through queues. It uses one channel, because the broker's direct reply-to accepts a
 * request only on the channel that consumes the replies.
 *
 * After a call that failed, only client_close may be called, unless the call says otherwise. Each
 * failure sets the error. A client belongs to one thread.
 */
#ifndef ALLOT_AMQP_CLIENT_H
#define ALLOT_AMQP_CLIENT_H

#include "allot/message.h"
#include "common/amqp/tls.h"
#include "common/base/error.h"

#define CLIENT_DIRECT_REPLY_QUEUE "amq.rabbitmq.reply-to"

struct client;

/* Connects to the first host of the URI that accepts the login. Returns NULL, with an error, if
   none does. The caller owns the client. */
struct client *client_open(struct text uri, const struct amqp_tls *tls, struct error *error);
/* Closes and frees the client; the broker requeues what was not acknowledged. NULL is allowed. */
void client_close(struct client *client);
/* Returns the user who is logged in, as the URI names it; borrowed from the client. With SASL
   EXTERNAL the URI must name the certificate's user. */
struct text client_user(const struct client *client);
/* Returns the broker's version as it announced it, such as 3.10.8; borrowed from the client. */
struct text client_broker_version(const struct client *client);
/* Sets the size from which on bodies are cut; before the first call it is REPLY_BYTES_MAX. */
void client_limit_body(struct client *client, size_t bytes_max);

/* What the broker did with a published message. */
enum client_outcome {
    CLIENT_CONFIRMED,
    CLIENT_RETURNED, /* mandatory, and unroutable */
    CLIENT_NACKED
};

/*
 * Publishes a persistent message and waits up to `timeout_ms` for its confirm; no confirm in time
 * is a failure. If `user_id` is absent, it becomes client_user(). `kind` and `sequence` are
 * ignored.
 */
ALLOT_CHECK bool client_publish(struct client *client, const struct outgoing *outgoing,
                                int timeout_ms, enum client_outcome *ret_outcome,
                                struct error *error);

/* Publishes a persistent message, as client_publish() does, without waiting for its confirm. */
ALLOT_CHECK bool client_send(struct client *client, const struct outgoing *outgoing,
                             struct error *error);
/* Waits up to `timeout_ms` for the confirms of all messages that were sent. Sets CONFIRMED if the
   broker took all of them, or what it did with one that it did not take. */
ALLOT_CHECK bool client_confirm(struct client *client, int timeout_ms,
                                enum client_outcome *ret_outcome, struct error *error);

/* A received message. Its texts are in `arena`, which the caller owns. Of a body over the client's
   limit, `body` has the first BODY_KEPT_BYTES. */
struct client_message {
    struct arena *arena;
    uint64_t tag;
    bool redelivered;
    uint32_t remaining; /* client_get: messages left in the queue */
    struct properties properties;
    struct text raw_headers; /* an encoded field table (common/codec/field_table.h), or absent */
    struct text body;
    uint64_t cut_size;       /* of a body over the limit: its size; otherwise 0 */
    struct text body_sha256; /* of such a body: of all of it, 64 hex digits; otherwise absent */
};

enum client_answer {
    CLIENT_MESSAGE,
    CLIENT_NOTHING,
    CLIENT_FAILED,
    CLIENT_UNREADABLE /* client_get only: there is a message, but librabbitmq cannot read it */
};

/* Declares an exclusive queue, which the broker deletes with the connection. */
ALLOT_CHECK bool client_declare_queue(struct client *client, const char *name, struct error *error);
/* Starts a subscription to a queue. With `no_ack` the broker counts each delivery as acknowledged;
   it demands this for CLIENT_DIRECT_REPLY_QUEUE. */
ALLOT_CHECK bool client_consume(struct client *client, const char *queue, bool no_ack,
                                struct error *error);
/* Waits up to `timeout_ms` for the next message of any subscription. Returns NOTHING if
   none comes in time. */
ALLOT_CHECK enum client_answer client_receive(struct client *client, int timeout_ms,
                                              struct client_message *ret_message,
                                              struct error *error);
/* Takes the first message of a queue (basic.get), without a subscription. Returns NOTHING if
   the queue is empty. The message stays in the queue until it is acknowledged. Returns UNREADABLE,
   with an error, if the message cannot be read: `ret_message` has nothing but `tag` and
   `remaining`, and only client_close may be called. Until then the broker gives the message to
   nobody else. */
ALLOT_CHECK enum client_answer client_get(struct client *client, const char *queue,
                                          struct client_message *ret_message, struct error *error);
/* Acknowledges the message with this delivery tag. */
ALLOT_CHECK bool client_ack(struct client *client, uint64_t tag, struct error *error);
/* Requeues the message with this delivery tag (basic.nack). */
ALLOT_CHECK bool client_requeue(struct client *client, uint64_t tag, struct error *error);
/* Requeues all messages that are not acknowledged. */
ALLOT_CHECK bool client_requeue_all(struct client *client, struct error *error);
/* Counts the messages that are ready in a queue. If the queue is missing, the call fails, but the
   client stays usable. */
ALLOT_CHECK bool client_count(struct client *client, const char *queue, uint32_t *ret_count,
                              struct error *error);
/*
 * Sets `ret_has` to whether a queue is known to be a durable quorum queue whose only other argument
 * is x-delivery-limit, with this value: the broker compares them (a declaration with equal
 * arguments). False also if the user may not configure the queue. Creates nothing. If the queue is
 * missing, the call fails, but the client stays usable.
 */
ALLOT_CHECK bool client_has_delivery_limit(struct client *client, const char *queue, int32_t limit,
                                           bool *ret_has, struct error *error);

#endif
