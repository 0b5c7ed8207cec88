/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AMQP consumer of the desk queue, on CHANNEL_DESK of the connection for the commands. What the
 * broker refuses there costs the commands nothing: the consumer is tried again from time to time.
 * It never waits for the broker. The functions that return a status return LOST, with an error, if
 * the connection is lost.
 */
#ifndef ALLOT_AMQP_DESK_CONSUMER_H
#define ALLOT_AMQP_DESK_CONSUMER_H

#include "allot/transport.h"
#include "common/amqp/acks.h"
#include "common/amqp/incoming.h"
#include "common/amqp/notice.h"

struct connection;

/* What was sent last on CHANNEL_DESK; the comment says what it waits for. */
enum desk_step {
    DESK_CLOSED,     /* nothing; the channel is closed */
    DESK_OPENING,    /* open-ok */
    DESK_LIMITING,   /* qos-ok */
    DESK_STARTING,   /* consume-ok */
    DESK_CONSUMING,  /* nothing: deliveries arrive */
    DESK_CANCELLING, /* cancel-ok */
    DESK_PAUSED      /* nothing: there is no AMQP consumer */
};

struct desk_consumer {
    struct text queue; /* borrowed; empty: there is no desk queue */
    int64_t retry_ms;  /* between two tries, after a refusal */
    struct amqp_observer observer;
    enum desk_step step;
    bool wanted;      /* by the port: between start and stop */
    bool received;    /* the channel has delivered something since it was opened */
    bool unavailable; /* the observer was told so */
    bool late;        /* it starts, or has started, some time after the commands */
    int64_t due_ms;   /* monotonic: no try before */
    bool postponed;   /* on the next connection it starts late */
    unsigned started; /* consumers on this connection, for their tags */
    char tag[32];     /* of the AMQP consumer */
    struct acks acks;
};

void desk_consumer_init(struct desk_consumer *desk, struct text queue, int64_t retry_ms,
                        struct amqp_observer observer);
/* Forgets the channel, whose connection is closed. It is not wanted then. What is postponed stays
   so. */
void desk_consumer_reset(struct desk_consumer *desk);
/* Frees the memory. */
void desk_consumer_clear(struct desk_consumer *desk);

/* Says that deliveries are wanted; the next tick starts the AMQP consumer. */
void desk_consumer_start(struct desk_consumer *desk, int64_t now_ms);
/*
 * The connection has ended over a failure of the broker, perhaps because it cannot deliver a
 * message. On the next one the AMQP consumer starts later than that of the commands, so that a
 * message of the desk queue costs the commands as little as possible. Returns whether it was the
 * desk's already that had started later: then a message of the desk queue is the likely cause.
 */
bool desk_consumer_postpone(struct desk_consumer *desk);
/* Ends the AMQP consumer. Deliveries that were sent before may still arrive. */
enum transport_status desk_consumer_stop(struct desk_consumer *desk, struct connection *connection,
                                         struct error *error);
/* Sends what is due to get deliveries. */
enum transport_status desk_consumer_tick(struct desk_consumer *desk, struct connection *connection,
                                         int64_t now_ms, struct error *error);
/* Takes a method other than a delivery that arrived on CHANNEL_DESK. */
enum transport_status desk_consumer_take(struct desk_consumer *desk, struct connection *connection,
                                         const struct incoming *incoming, int64_t now_ms,
                                         struct error *error);
/* Notes a delivery: from now on its channel must not be lost. */
void desk_consumer_delivered(struct desk_consumer *desk);

#endif
