/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport port: one broker connection, its consumer and its publishers. A transport belongs
 * to one thread. Connecting again means `open` again: all delivery tags and unconfirmed messages of
 * before are void then.
 */
#ifndef ALLOT_TRANSPORT_H
#define ALLOT_TRANSPORT_H

#include "allot/message.h"
#include "common/base/error.h"

/*
 * How an operation on the broker ended. Never part of a reply.
 *   LOST     the connection is gone or unusable: close, back off, open again
 *   REFUSED  open only: the broker answers, but a person has to mend something (credentials, an
 *            object with other arguments, a missing plug-in); the error names it
 */
enum transport_status { TRANSPORT_OK, TRANSPORT_LOST, TRANSPORT_REFUSED };

enum transport_event_kind {
    TRANSPORT_DELIVERY,
    TRANSPORT_CONFIRMED, /* the broker took `sequence` (a returned message is confirmed as well) */
    TRANSPORT_NACKED,    /* it did not */
    TRANSPORT_RETURNED,  /* unroutable; comes before its confirm */
    TRANSPORT_CANCELLED, /* the consumer is gone (queue deleted, fail-over): nothing more comes */
    TRANSPORT_CONFIRMS_LOST, /* the channel of one kind was closed: nothing is known of any
                            unconfirmed message of `outgoing_kind`; the channel is open again */
    TRANSPORT_BLOCKED,       /* the broker asks not to publish */
    TRANSPORT_UNBLOCKED,
};

struct transport_event {
    enum transport_event_kind kind;
    uint64_t sequence;                /* CONFIRMED, NACKED, RETURNED */
    enum outgoing_kind outgoing_kind; /* CONFIRMS_LOST */
    struct arena *arena;              /* DELIVERY: holds all of it; the handler owns it now */
    struct delivery delivery;
    const char *reason; /* CANCELLED, CONFIRMS_LOST, BLOCKED, RETURNED: for the log; borrowed */
};

struct transport_handler {
    void *context;
    void (*handle)(void *context, const struct transport_event *event);
};

struct transport;

struct transport_ops {
    /*
     * Connects (to the next host of the list each time), checks or declares the topology, makes
     * channels with confirms. Consumes nothing yet.
     */
    enum transport_status (*open)(struct transport *transport, struct error *error);
    /* Starts the consumer, with that prefetch, once one that was cancelled is gone. After a
       CANCELLED it may be called again. */
    enum transport_status (*consume)(struct transport *transport, uint16_t prefetch,
                                     struct error *error);
    /* Ends the consumer; what was delivered stays ours, and some may still arrive. */
    enum transport_status (*cancel)(struct transport *transport, struct error *error);
    /*
     * Hands every waiting event to the handler; where there is none, waits for one up to
     * `timeout_ms` or until `wake_fd` (-1: none) is readable. Keeps the heartbeat. The handler may
     * call publish, ack and requeue.
     */
    enum transport_status (*poll)(struct transport *transport, int timeout_ms, int wake_fd,
                                  const struct transport_handler *handler, struct error *error);
    enum transport_status (*publish)(struct transport *transport, const struct outgoing *outgoing,
                                     struct error *error);
    enum transport_status (*ack)(struct transport *transport, uint64_t tag, struct error *error);
    /* Back to the queue: it will be delivered again. */
    enum transport_status (*requeue)(struct transport *transport, uint64_t tag,
                                     struct error *error);
    /* May be called on anything, any number of times; says good-bye where the connection is well.
     */
    void (*close)(struct transport *transport);
    void (*free)(struct transport *transport);
};

struct transport {
    const struct transport_ops *ops;
};

#endif
