/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps the delivery tags of publisher confirms to the sequences of the messages, for one channel.
 * The broker numbers the messages of a channel 1, 2, 3 ... It resolves them (confirms or nacks) in
 * any order: one tag at a time or, with `multiple`, all tags up to one. Pure.
 */
#ifndef ALLOT_AMQP_CONFIRMS_H
#define ALLOT_AMQP_CONFIRMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allot/attributes.h"

/* Bounds the memory, to 16 MiB. Callers leave far fewer messages unconfirmed. */
enum { CONFIRMS_MAX = 1 << 20 };

struct confirms {
    struct confirm *ring;
    size_t capacity;
    size_t first;
    size_t count;       /* from the oldest unresolved message on; later ones may be resolved */
    uint64_t first_tag; /* the tag of ring[first] */
};

/* Forgets all messages and expects tag 1 next, as on a new channel. Keeps its memory. */
void confirms_restart(struct confirms *confirms);
/* Forgets all messages as confirms_restart does, and frees the memory. `confirms` can be used
   again. */
void confirms_clear(struct confirms *confirms);

/* Gives the next tag to `sequence`. Returns false, without effect, if CONFIRMS_MAX messages are
   unresolved. */
ALLOT_CHECK bool confirms_add(struct confirms *confirms, uint64_t sequence);

/*
 * Resolves the oldest message that a confirm or nack concerns, and sets `ret_sequence` to its
 * sequence. Returns false if there is none; call it until then. An unknown tag, or one that is
 * resolved already, concerns no message.
 */
ALLOT_CHECK bool confirms_resolve(struct confirms *confirms, uint64_t tag, bool multiple,
                                  uint64_t *ret_sequence);

#endif
