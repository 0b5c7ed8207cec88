/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport port: one connection to a broker, with one AMQP consumer for the commands and one
 * publishing channel for each outgoing_kind.
 *
 * States: a transport is closed at first, after `close`, and after an `open` that failed. It is
 * open after an `open` that returned OK. It is lost after a call that returned LOST. While it is
 * closed or lost, `open`, `close` and `free` work, and all other calls return LOST. `open` makes a
 * new connection: delivery tags and unconfirmed messages from before are void, and the broker
 * redelivers the commands that were not acknowledged.
 *
 * Threads: a transport belongs to one thread. The handler that `poll` calls may call `publish`,
 * `ack` and `requeue`, and nothing else.
 */
#ifndef ALLOT_TRANSPORT_H
#define ALLOT_TRANSPORT_H

#include "allot/message.h"
#include "common/base/error.h"

/*
 * How a call ended. Never part of a reply.
 *   LOST     the connection is lost, or could not be made: close, back off, open again
 *   REFUSED  `open` only: the broker answers, but it needs an operator (credentials, an exchange or
 *            queue with other arguments, a feature flag); the error names the cause
 */
enum transport_status { TRANSPORT_OK, TRANSPORT_LOST, TRANSPORT_REFUSED };

enum transport_event_kind {
    TRANSPORT_DELIVERY,
    TRANSPORT_CONFIRMED,     /* the broker confirmed `sequence`; it may have returned it before */
    TRANSPORT_NACKED,        /* the broker nacked `sequence`: it did not accept the message */
    TRANSPORT_RETURNED,      /* `sequence` is mandatory and unroutable; its confirm comes after */
    TRANSPORT_CANCELLED,     /* the broker ended the AMQP consumer (queue deleted, fail-over) */
    TRANSPORT_CONFIRMS_LOST, /* the broker closed the channel of `outgoing_kind`: nothing
                                unconfirmed of that kind will be confirmed any more; the channel is
                                open again */
    TRANSPORT_BLOCKED,       /* the broker asks not to publish (connection.blocked) */
    TRANSPORT_UNBLOCKED,
    TRANSPORT_UNREADABLE, /* the message of `delivery.tag` cannot be read. It was rejected, so the
                             broker dead-letters it; the connection is lost */
};

/* Borrowed during the handler's call, except `arena`. */
struct transport_event {
    enum transport_event_kind kind;
    uint64_t sequence;                /* CONFIRMED, NACKED, RETURNED */
    enum outgoing_kind outgoing_kind; /* CONFIRMS_LOST */
    struct arena *arena; /* DELIVERY: has the texts of `delivery`; owned by the handler */
    struct delivery delivery;
    /* CONFIRMS_LOST, BLOCKED, RETURNED: the broker's text for the log, or NULL. UNREADABLE: the
       error */
    const char *reason;
};

struct transport_handler {
    void *context;
    void (*handle)(void *context, const struct transport_event *event);
};

struct transport;

/* `error` may be NULL in each call. */
struct transport_ops {
    /*
     * Connects, declares or checks the topology, and opens the channels, those for publishing with
     * confirms. Each call begins with the next host of the list. No AMQP consumer runs yet.
     */
    enum transport_status (*open)(struct transport *transport, struct error *error);
    /*
     * Starts the AMQP consumer: at first, after `cancel`, or after CANCELLED. At most `prefetch`
     * deliveries (1 or more) are unacknowledged at a time. After `cancel` it starts as soon as the
     * broker has ended the old one.
     */
    enum transport_status (*consume)(struct transport *transport, uint16_t prefetch,
                                     struct error *error);
    /*
     * Ends the AMQP consumer. Deliveries that were sent before may still arrive; all deliveries
     * stay valid, to be acknowledged or requeued.
     */
    enum transport_status (*cancel)(struct transport *transport, struct error *error);
    /*
     * Hands the events that have arrived to the handler. If there is none, waits up to `timeout_ms`
     * for one, or until `wake_fd` (-1: none) is readable. Sends what the other calls have buffered,
     * and keeps the heartbeat. A delivery that cannot be read is rejected: UNREADABLE, then LOST.
     */
    enum transport_status (*poll)(struct transport *transport, int timeout_ms, int wake_fd,
                                  const struct transport_handler *handler, struct error *error);
    /* Publishes a message. A later event tells how it ended, unless the connection is lost. */
    enum transport_status (*publish)(struct transport *transport, const struct outgoing *outgoing,
                                     struct error *error);
    /* Acknowledges a delivery. An unknown tag makes the broker end the connection's deliveries: a
       later call returns LOST. */
    enum transport_status (*ack)(struct transport *transport, uint64_t tag, struct error *error);
    /* Returns a delivery to the queue (basic.nack with requeue): the broker redelivers it. */
    enum transport_status (*requeue)(struct transport *transport, uint64_t tag,
                                     struct error *error);
    /* Closes the connection, gracefully if it still works. Idempotent, allowed in every state. */
    void (*close)(struct transport *transport);
    /* Closes the connection and frees the transport. NULL is allowed. */
    void (*free)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
};

#endif
