/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport port: one connection to a broker for what is consumed, and one connection for each
 * route of outgoing messages (allot/message.h). Two queues are consumed from: that of the commands,
 * and the desk queue, which gets a copy of each dead letter. A delivery says from which it is.
 *
 * States: a transport is closed at first, after `close`, and after an `open` that failed. It is
 * open after an `open` that returned OK. It is lost after a call that returned LOST. While it is
 * closed or lost, `open`, `close` and `free` work, and all other calls return LOST. `open` makes
 * new connections: delivery tags and unconfirmed messages from before are void, and the broker
 * redelivers the commands that were not acknowledged.
 *
 * These states concern the connection for the commands. A route has its own state. It is opened
 * when `ready` is first called for it, and again, after a pause, when it has ended. The end of a
 * route costs no delivery: ROUTE_CLOSED reports it, with what the broker said.
 *
 * Threads: a transport belongs to one thread. The handler that `poll` calls may call `ready`,
 * `publish`, `ack` and `requeue`, and nothing else.
 */
#ifndef ALLOT_TRANSPORT_H
#define ALLOT_TRANSPORT_H

#include "allot/message.h"
#include "common/base/error.h"

/*
 * The stack that a thread needs which polls a transport: librabbitmq decodes nested headers by
 * recursion, before 0.14 without a limit. The largest header that is read, 1 MiB, has up to 209,000
 * levels. Broker and producer agree on smaller frames, but a producer that speaks AMQP 1.0 does
 * not.
 */
enum { TRANSPORT_STACK_BYTES = 64 * 1024 * 1024 };

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
    TRANSPORT_ROUTE_CLOSED,  /* `route` ended, or could not be opened: nothing that was unconfirmed
                                on it will be confirmed any more */
    TRANSPORT_BLOCKED,       /* the broker asks not to publish on `route` (connection.blocked) */
    TRANSPORT_UNBLOCKED,     /* it may be published on `route` again */
    TRANSPORT_UNREADABLE,    /* the message of `delivery.tag` and `.source` cannot be read. It was
                                rejected: the broker dead-letters a command, and drops a message of
                                the desk queue. The connection is lost */
    TRANSPORT_BROKER_FAILED, /* the broker closed the connection over a failure of its own (541).
                                Perhaps it cannot deliver a message, and then fails again each time:
                                `delivery.source` is the queue that is suspected. The connection is
                                lost */
};

/*
 * X(identifier, name in the log): why a route was closed.
 *   OUTSIDE    for a reason outside of what was published: the socket, a heartbeat, a time-out, the
 *              broker's shutdown. Blames no message.
 *   MESSAGE    the broker closed the channel or the connection over a message of this route that is
 *              not confirmed
 *   FORBIDDEN  the worker's user may not write to the exchange
 *   MISSING    the exchange does not exist
 */
#define CLOSE_CAUSES(X)                                                                            \
    X(OUTSIDE, "outside")                                                                          \
    X(MESSAGE, "message")                                                                          \
    X(FORBIDDEN, "forbidden")                                                                      \
    X(MISSING, "missing")

enum close_cause {
#define X(id, name) CLOSE_##id,
    CLOSE_CAUSES(X)
#undef X
};

/* Returns the name for the log; static. */
static inline const char *close_cause_name(enum close_cause cause)
{
    static const char *const names[] = {
#define X(id, name) [CLOSE_##id] = name,
        CLOSE_CAUSES(X)
#undef X
    };
    return names[cause];
}

/* Borrowed during the handler's call, except `arena`. */
struct transport_event {
    enum transport_event_kind kind;
    uint64_t sequence;            /* CONFIRMED, NACKED, RETURNED */
    enum route route;             /* ROUTE_CLOSED, BLOCKED, UNBLOCKED */
    enum close_cause close_cause; /* ROUTE_CLOSED */
    struct arena *arena;          /* DELIVERY: has the texts of `delivery`; owned by the handler */
    struct delivery delivery;
    /* ROUTE_CLOSED, BLOCKED, RETURNED: the broker's text for the log, or NULL. UNREADABLE: the
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
     * Connects, and declares or checks the topology. Each call begins with the next host of the
     * list. No AMQP consumer runs yet, and no route is open.
     */
    enum transport_status (*open)(struct transport *transport, struct error *error);
    /*
     * Starts the AMQP consumer: at first, after `cancel`, or after CANCELLED. At most `prefetch`
     * commands (1 or more) are unacknowledged at a time. After `cancel` it starts as soon as the
     * broker has ended the old one. The consumer of the desk queue starts and ends with it, and has
     * a prefetch of its own (DESK_PREFETCH). If it cannot be started, commands are delivered all
     * the same, and it is tried again from time to time.
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
    /*
     * Returns whether a message may be published on the route now. Opens the route if it is closed
     * and its pause is over. False also while so much is unsent that a publish would have to wait
     * for the broker.
     */
    bool (*ready)(struct transport *transport, enum route route);
    /* Publishes a message on its route. A later event tells how it ended, also if the route is not
       open: then ROUTE_CLOSED follows. */
    enum transport_status (*publish)(struct transport *transport, const struct outgoing *outgoing,
                                     struct error *error);
    /* Drops the connection of a route, at once and without an event; what is unconfirmed on it will
       not be confirmed. `ready` opens a new one. */
    void (*restart)(struct transport *transport, enum route route);
    /* Acknowledges a delivery. An unknown tag makes the broker end the connection's deliveries: a
       later call returns LOST. */
    enum transport_status (*ack)(struct transport *transport, uint64_t tag, struct error *error);
    /* Returns a delivery to the queue (basic.nack with requeue): the broker redelivers it. */
    enum transport_status (*requeue)(struct transport *transport, uint64_t tag,
                                     struct error *error);
    /* Closes the connection and the routes, gracefully if the connection still works. Idempotent,
       allowed in every state. */
    void (*close)(struct transport *transport);
    /* Closes the connection and frees the transport. NULL is allowed. */
    void (*free)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
};

#endif
