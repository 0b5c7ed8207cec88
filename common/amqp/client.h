/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small blocking AMQP client, for the command line tool and for tests: it sends commands, waits
 * for replies, and looks through queues. One channel does it all, since the broker's direct
 * reply-to wants request and answer on the same one; after a failure nothing but client_close makes
 * sense. Values of headers: field_table_find (common/codec/field_table.h). Belongs to one thread.
 */
#ifndef ALLOT_AMQP_CLIENT_H
#define ALLOT_AMQP_CLIENT_H

#include "allot/message.h"
#include "common/base/error.h"
#include "common/amqp/tls.h"

#define CLIENT_DIRECT_REPLY_QUEUE "amq.rabbitmq.reply-to"

struct client;

/* NULL, with an error, where no host of the URI lets us in. */
struct client *client_open(struct text uri, const struct amqp_tls *tls, struct error *error);
/* All that was received or got, and not acknowledged, goes back to its queue. NULL is allowed. */
void client_close(struct client *client);
/* Who is logged in, by the URI: with a certificate alone, the URI has to name its user. */
struct text client_user(const struct client *client);

enum client_outcome {
    CLIENT_CONFIRMED,
    CLIENT_RETURNED, /* mandatory, and no queue for it */
    CLIENT_NACKED
};

/*
 * Sends persistent, and waits for the confirm. A user_id that is absent becomes client_user();
 * `kind` and `sequence` of the message do not matter.
 */
ALLOT_CHECK bool client_publish(struct client *client, const struct outgoing *outgoing,
                                int timeout_ms, enum client_outcome *ret_outcome,
                                struct error *error);

/* A message that came. `arena` holds all of it and is the caller's: arena_free ends it. */
struct client_message {
    struct arena *arena;
    uint64_t tag;
    bool redelivered;
    uint32_t remaining; /* of client_get: the messages left in the queue */
    struct properties properties;
    struct text raw_headers; /* an encoded field table, or absent */
    struct text body;
};

enum client_answer { CLIENT_MESSAGE, CLIENT_NOTHING, CLIENT_FAILED };

/* A queue of our own, gone with us. */
ALLOT_CHECK bool client_declare_queue(struct client *client, const char *name, struct error *error);
/* `no_ack`: what is delivered counts as acknowledged; a must for CLIENT_DIRECT_REPLY_QUEUE. */
ALLOT_CHECK bool client_consume(struct client *client, const char *queue, bool no_ack,
                                struct error *error);
/* The next message of any queue that is consumed; NOTHING when none came in time. */
ALLOT_CHECK enum client_answer client_receive(struct client *client, int timeout_ms,
                                              struct client_message *ret_message,
                                              struct error *error);
/* The first message of a queue, out of turn; NOTHING when it is empty. To be acknowledged. */
ALLOT_CHECK enum client_answer client_get(struct client *client, const char *queue,
                                          struct client_message *ret_message, struct error *error);
ALLOT_CHECK bool client_ack(struct client *client, uint64_t tag, struct error *error);
ALLOT_CHECK bool client_requeue(struct client *client, uint64_t tag, struct error *error);
/* All that is not acknowledged. */
ALLOT_CHECK bool client_requeue_all(struct client *client, struct error *error);
/* The messages that wait in a queue. That it is not there fails, but leaves the client usable. */
ALLOT_CHECK bool client_count(struct client *client, const char *queue, uint32_t *ret_count,
                              struct error *error);

#endif
