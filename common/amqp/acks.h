/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which deliveries of a channel are settled, and what the broker still has to be told: one
 * acknowledgement with `multiple` for all up to the first that is open, and single ones above it.
 * A burst of single ones is not only slower: what a quorum queue has not taken in yet is forgotten
 * when the connection closes behind it. Pure; tags count 1, 2, 3 ... on a channel.
 */
#ifndef ALLOT_AMQP_ACKS_H
#define ALLOT_AMQP_ACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allot/attributes.h"

struct finished_tag {
    uint64_t tag;
    bool told; /* the broker knows */
};

struct acks {
    uint64_t prefix; /* all up to this one are settled, and the broker knows */
    struct finished_tag *above;
    size_t count;
    size_t capacity;
};

/* For a new channel. */
void acks_clear(struct acks *acks);
/* Frees its memory. */
void acks_free(struct acks *acks);

/* This one is settled. `told`: the broker has been told already (it was given back). */
void acks_note(struct acks *acks, uint64_t tag, bool told);

struct ack {
    uint64_t tag;
    bool multiple;
};

/* What to tell the broker next; false: it knows all. Counts as told. */
ALLOT_CHECK bool acks_next(struct acks *acks, struct ack *ret_ack);

#endif
