/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the broker sent, whole and owned: a method with its arguments and, where it has content,
 * the message. And a queue of them, in order of arrival. Knows nothing of connections.
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
    uint32_t remaining;  /* get-ok: the messages left in the queue */
    char *reason;        /* of close, return, blocked, cancel; else NULL; owned */
    struct arena *arena; /* of a content method: holds what follows; owned */
    struct properties properties;
    struct text raw_headers; /* an encoded field table, or absent */
    struct text body;        /* absent where the body is of no interest (a return's) */
};

void incoming_clear(struct incoming *incoming);

struct incoming_queue {
    struct incoming *items; /* a ring */
    size_t capacity;
    size_t first;
    size_t count;
};

/* Takes ownership of what `incoming` owns. */
void incoming_push(struct incoming_queue *queue, const struct incoming *incoming);
/* False where it is empty; else the caller owns what `ret_incoming` owns. */
bool incoming_pop(struct incoming_queue *queue, struct incoming *ret_incoming);
/* Clears all of it; the queue is empty then, and can be used again. */
void incoming_queue_clear(struct incoming_queue *queue);

#endif
