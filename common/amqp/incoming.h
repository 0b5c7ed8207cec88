/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A method that arrived from the broker, with its arguments and, if it has content, its message;
 * complete, and owned by its holder. And a queue of them in order of arrival.
 */
#ifndef ALLOT_AMQP_INCOMING_H
#define ALLOT_AMQP_INCOMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allot/message.h"

struct incoming {
    uint16_t channel;
    uint32_t method;     /* AMQP_..._METHOD of librabbitmq */
    uint64_t tag;        /* deliver, get-ok, ack, nack */
    bool multiple;       /* ack, nack */
    bool redelivered;    /* deliver, get-ok */
    uint32_t remaining;  /* get-ok: messages left in the queue */
    char *reason;        /* channel.close, return, blocked: the broker's text; else NULL; owned */
    struct arena *arena; /* methods with content: holds the members below; owned */
    struct properties properties;
    struct text raw_headers; /* an encoded field table, or absent */
    struct text body;        /* absent for a return, whose body is not needed */
};

/* Frees what it owns, and sets it to zero. */
void incoming_clear(struct incoming *incoming);

/* Zero is an empty queue. */
struct incoming_queue {
    struct incoming *ring;
    size_t capacity;
    size_t first;
    size_t count;
};

/* Adds a copy of `incoming`; the queue owns what `incoming` owned. */
void incoming_push(struct incoming_queue *queue, const struct incoming *incoming);
/* Removes the oldest one; the caller owns what it owns. False: the queue is empty. */
bool incoming_pop(struct incoming_queue *queue, struct incoming *ret_incoming);
/* Frees the queue's memory and all that is in it; the queue can be used again. */
void incoming_queue_clear(struct incoming_queue *queue);

#endif
