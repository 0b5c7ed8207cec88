/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a broker, from the socket to the log-in: opened once, never reused. It owns
 * librabbitmq's state, and knows nothing of queues, consumers and confirms. After anything that
 * gives LOST nothing but connection_free makes sense. Belongs to one thread, whose stack has to be
 * 8 MiB or more: librabbitmq decodes nested headers by recursion.
 */
#ifndef ALLOT_AMQP_CONNECTION_H
#define ALLOT_AMQP_CONNECTION_H

#include <amqp.h>

#include "allot/transport.h"
#include "common/codec/amqp_uri.h"
#include "common/amqp/frames.h"
#include "common/amqp/login.h"

enum {
    CHANNEL_CONNECTION = 0, /* what concerns the connection as a whole */
    CHANNEL_CONSUME = 1,    /* deliveries, also all that a client does */
    CHANNEL_REPLIES = 2,
    CHANNEL_DEAD_LETTERS = 3,
    CHANNEL_TOPOLOGY = 4
};

struct connection {
    amqp_connection_state_t state;
    struct frame_reader reader;
    int64_t heartbeat_ms; /* as negotiated; 0: none */
    int64_t read_ms;      /* when the socket was last read empty */
    bool lost;
    bool held;         /* small writes wait in the socket for more */
    int version_minor; /* of the broker, whose major version is 3; INT_MAX for a later one */
    const struct amqp_host *host; /* where it leads; borrowed from the options */
};

/*
 * Tries each host once, from hosts[first % count] on, until one lets us in or refuses. `options`
 * outlives the connection. The broker has to be RabbitMQ 3.10 or later.
 */
enum transport_status connection_open(const struct login_options *options, size_t first,
                                      struct connection **ret_connection, struct error *error);
/* Says good-bye where the connection is well; NULL is allowed. */
void connection_free(struct connection *connection);

/*
 * Judges the last RPC, on `channel`: a channel that the broker closed for it is closed by us as
 * well, and may be opened again.
 */
enum transport_status connection_check(struct connection *connection, amqp_channel_t channel,
                                       const char *what, struct error *error);
/* Of a call that sends without an answer: any failure may have left half a frame, so it is LOST. */
enum transport_status connection_sent(struct connection *connection, int status, const char *what,
                                      struct error *error);
enum transport_status connection_open_channel(struct connection *connection, amqp_channel_t channel,
                                              bool confirms, struct error *error);
/* Agrees to the broker's closing of a channel. */
enum transport_status connection_agree_to_close(struct connection *connection,
                                                amqp_channel_t channel, struct error *error);

/* Reads all that has come, into reader.arrived. */
enum transport_status connection_read(struct connection *connection, struct error *error);
/* The same, but only where nothing was read for so long that a publish could hang on a dead peer.
 */
enum transport_status connection_read_if_stale(struct connection *connection, struct error *error);
/* Waits until the socket or `wake_fd` is readable, at most `timeout_ms`; true: it was wake_fd. */
bool connection_wait(struct connection *connection, int64_t timeout_ms, int wake_fd);

/* Small writes after `hold` go out together: when full, at `release`, or after 200 ms. */
void connection_hold(struct connection *connection);
void connection_release(struct connection *connection);

#endif
