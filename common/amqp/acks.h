/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the basic.ack frames for the finished deliveries of one channel: one frame with
 * `multiple` for the unbroken run of finished tags from the start, and single frames for finished
 * tags above a delivery that is still in flight. Delivery tags count 1, 2, 3 ... on a channel.
 * Pure: it sends nothing.
 *
 * Cost. A finished tag costs the same however many others are finished behind an open one: it is
 * looked at when it is added, when it is sent, and when the run passes it. Only the tags of one
 * burst are sorted. Each tag from the first open one to the highest takes one byte.
 *
 * Single acks in a burst are slower, and they can get lost. If the connection closes right after
 * such a burst, RabbitMQ 3.10 forgets the acks that it has not yet passed to the quorum queue.
 * Commands that are answered and acknowledged are then redelivered.
 */
#ifndef ALLOT_AMQP_ACKS_H
#define ALLOT_AMQP_ACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allot/attributes.h"

/* A finished tag for which no ack was sent. */
struct unsent_tag {
    uint64_t tag;
    bool known; /* it has a state in the window; a wrong tag has none, and is sent as it is */
};

struct acks {
    uint64_t prefix; /* an ack or a nack was sent for each tag up to this one */
    /* A ring with the enum tag_state (acks.c) of the tags from prefix + 1 on. */
    uint8_t *window;
    size_t first;
    size_t count;
    size_t capacity;
    struct unsent_tag *unsent; /* those from next_unsent on; sorted if `sorted` */
    size_t next_unsent;
    size_t unsent_count;
    size_t unsent_capacity;
    bool sorted;
    uint64_t steps; /* tags that were looked at, for tests: a measure of the work */
};

/* Forgets all tags and expects tag 1 next, as on a new channel. Keeps its memory. */
void acks_restart(struct acks *acks);
/* Forgets all tags as acks_restart does, and frees the memory. `acks` can be used again. */
void acks_clear(struct acks *acks);

/* Adds a finished delivery, to be acknowledged. */
void acks_add(struct acks *acks, uint64_t tag);
/* Adds a finished delivery for which the caller sends a nack itself. */
void acks_add_nacked(struct acks *acks, uint64_t tag);

struct ack {
    uint64_t tag;
    bool multiple;
};

/* Sets `ret_ack` to the next ack, which the caller must send. Returns false if there is none. */
ALLOT_CHECK bool acks_next(struct acks *acks, struct ack *ret_ack);

#endif
