/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a broker: opened once, never reused. It owns librabbitmq's connection state and
 * the frame reader. It does not handle topology, deliveries and confirms.
 *
 * After a call that returned LOST the connection may only be freed; connection_read() still gives
 * the reason, and `reader` has what had arrived.
 *
 * A connection belongs to one thread, with a stack of TRANSPORT_STACK_BYTES.
 */
#ifndef ALLOT_AMQP_CONNECTION_H
#define ALLOT_AMQP_CONNECTION_H

#include "allot/transport.h"
#include "common/amqp/broker_version.h"
#include "common/amqp/frames.h"
#include "common/amqp/librabbitmq.h"
#include "common/amqp/login.h"
#include "common/codec/amqp_uri.h"

/* The broker closes a whole channel over one error, so each concern has its own. */
enum {
    CHANNEL_CONNECTION = 0, /* methods about the connection as a whole */
    CHANNEL_CONSUME = 1,    /* deliveries and their acks; all that a client (client.h) does */
    CHANNEL_PUBLISH = 2,    /* on the connection of a route */
    CHANNEL_DESK = 3,       /* deliveries of the desk queue and their acks */
    CHANNEL_TOPOLOGY = 4
};

struct connection {
    amqp_connection_state_t state;
    struct frame_reader reader;
    int64_t heartbeat_ms; /* as negotiated; 0: none */
    size_t frame_bytes;   /* the largest frame to send, as negotiated; larger ones are read */
    int64_t read_ms;      /* monotonic: when the socket was read last */
    bool lost;
    struct error loss; /* why; empty if another part has set `lost` */
    bool corked;       /* TCP_CORK is set */
    struct broker_version version;
    const struct amqp_host *host; /* borrowed from the options */
};

/*
 * Tries each host once, from hosts[first % count] on, until one accepts the login or refuses it.
 * `options` are borrowed and have to outlive the connection. Returns REFUSED if the login failed,
 * or if the broker is not RabbitMQ 3.10 or later.
 */
enum transport_status connection_open(const struct login_options *options, size_t first,
                                      struct connection **ret_connection, struct error *error);
/* Closes the connection, gracefully unless it is lost, and frees it. NULL is allowed. */
void connection_free(struct connection *connection);

/* Notes that the connection is of no more use, and why. Copies `loss` to `error`. Returns LOST. */
enum transport_status connection_lose(struct connection *connection, const struct error *loss,
                                      struct error *error);

/*
 * Checks the result of the last RPC, which was on `channel`; `what` begins the error text. If the
 * broker closed the channel, this completes the close, and the channel may be opened again.
 */
enum transport_status connection_check_rpc(struct connection *connection, amqp_channel_t channel,
                                           const char *what, struct error *error);
/* Checks the result of sending a method. A failure may leave a partial frame, so the connection
   is then LOST. `reader` has what had arrived by then, also the reason of a broker that has closed
   the connection. */
enum transport_status connection_check_send(struct connection *connection, int result,
                                            const char *what, struct error *error);
/* Opens a channel, with publisher confirms if `confirms`. */
enum transport_status connection_open_channel(struct connection *connection, amqp_channel_t channel,
                                              bool confirms, struct error *error);
/* Closes a channel and waits for the broker's answer. */
enum transport_status connection_close_channel(struct connection *connection,
                                               amqp_channel_t channel, struct error *error);
/* Answers a channel.close of the broker. */
enum transport_status connection_send_close_ok(struct connection *connection,
                                               amqp_channel_t channel, struct error *error);

/* Adds the methods that have arrived to `reader.arrived`; see frame_reader_read(). If the
   connection is lost already, gives the reason again. */
enum transport_status connection_read(struct connection *connection, struct error *error);
/* Calls connection_read() only if the last read is so long ago that a publish could hang. */
enum transport_status connection_read_if_stale(struct connection *connection, struct error *error);
/*
 * Rejects the message that `reader.unreadable` names (basic.nack without requeue), closes the
 * connection without another read by librabbitmq, and waits up to 2 s for the broker to close it.
 * The broker then dead-letters the message, or drops it if it is of the desk queue. Adds this to
 * `error`. The connection is lost.
 */
void connection_reject_unreadable(struct connection *connection, struct error *error);
/* Waits up to `timeout_ms` until the socket or `wake_fd` is readable; -1 stands for no descriptor.
   Returns whether `wake_fd` is readable. */
bool connection_wait(struct connection *connection, int64_t timeout_ms, int wake_fd);
/* Returns the descriptor of the socket, to wait for; -1 if librabbitmq has closed it. Ask each
   time: it closes it on a timeout, and another thread may get the same number for a file of its
   own. */
int connection_descriptor(const struct connection *connection);
/* Returns whether the socket takes data now, so that a small write does not wait. */
bool connection_is_writable(const struct connection *connection);

/*
 * Collects what is sent from now on in full TCP segments (TCP_CORK), until connection_uncork; the
 * kernel waits 200 ms at most. librabbitmq sends each message with three system calls. Uncork
 * before waiting for the broker.
 */
void connection_cork(struct connection *connection);
/* Sends what connection_cork() has collected. */
void connection_uncork(struct connection *connection);

#endif
