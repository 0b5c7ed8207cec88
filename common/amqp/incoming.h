/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A complete method that arrived from the broker: its arguments and, if it has content, the
 * message. Also a queue that keeps such methods in order of arrival.
 */
#ifndef ALLOT_AMQP_INCOMING_H
#define ALLOT_AMQP_INCOMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allot/message.h"

/* Where a comment begins with methods, only these have the member. It is zero in all others. */
struct incoming {
    uint16_t channel;
    uint32_t method;     /* AMQP_..._METHOD of librabbitmq */
    uint64_t tag;        /* deliver, get-ok, ack, nack: the delivery tag */
    bool multiple;       /* ack, nack */
    bool redelivered;    /* deliver, get-ok */
    uint32_t remaining;  /* get-ok: messages left in the queue */
    uint16_t code;       /* channel.close: the broker's reply code */
    char *reason;        /* channel.close, return, blocked: the broker's text; owned, may be NULL */
    struct arena *arena; /* methods with content: has the members below; owned */
    struct properties properties;
    struct text raw_headers; /* an encoded field table, or absent */
    struct text body;        /* absent for a return, whose body is not needed */
    uint64_t cut_size;       /* of a body over the reader's limit: its size; otherwise 0 */
    struct text body_sha256; /* of such a body; otherwise absent */
};

/* Frees what `incoming` owns, and sets all members to zero. */
void incoming_clear(struct incoming *incoming);

/* A queue whose members are all zero is empty and ready for use. */
struct incoming_queue {
    struct incoming *ring;
    size_t capacity;
    size_t first;
    size_t count;
};

/* Moves `incoming` to the end of the queue. From now on the queue owns what `incoming` owned. */
void incoming_push(struct incoming_queue *queue, const struct incoming *incoming);
/* Removes the oldest method; the caller owns `ret_incoming`. Returns false if there is none. */
bool incoming_pop(struct incoming_queue *queue, struct incoming *ret_incoming);
/* Frees the methods in the queue and its memory. The queue can be used again. */
void incoming_queue_clear(struct incoming_queue *queue);

#endif
