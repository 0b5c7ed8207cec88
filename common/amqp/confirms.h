/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of one channel that the broker has not confirmed: which sequence stands behind a
 * delivery tag. Tags count from 1 and come back in any order, singly or "all up to". Knows nothing
 * of AMQP besides.
 */
#ifndef ALLOT_AMQP_CONFIRMS_H
#define ALLOT_AMQP_CONFIRMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allot/attributes.h"

/* A bound for memory; far above what callers leave unconfirmed. */
enum { CONFIRMS_MAX = 1 << 20 };

struct confirms {
    struct confirm *ring;
    size_t capacity;
    size_t first;
    size_t count;       /* from the oldest unconfirmed one on, confirmed ones between included */
    uint64_t first_tag; /* of ring[first] */
};

/* Forgets all, and counts from tag 1 again. */
void confirms_restart(struct confirms *confirms);
void confirms_clear(struct confirms *confirms);

/* The next tag stands for `sequence`. False, and nothing done, where CONFIRMS_MAX are out. */
ALLOT_CHECK bool confirms_add(struct confirms *confirms, uint64_t sequence);

/*
 * The next of the sequences that this acknowledgement settles, oldest first: call it until it is
 * false. A tag that is unknown or settled gives none.
 */
ALLOT_CHECK bool confirms_resolve(struct confirms *confirms, uint64_t tag, bool multiple,
                                  uint64_t *ret_sequence);

#endif
