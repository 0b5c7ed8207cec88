/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which letters go when they hold too much: a cut. Pure. Letters here are the stored
 * records of dead-lettered commands (allot/letter.h). A letter is closed if it is published and not
 * open. Source: docs/architecture.md, "Letters".
 */
#ifndef ALLOT_CORE_LETTER_BOUNDS_H
#define ALLOT_CORE_LETTER_BOUNDS_H

#include <stdint.h>

#include "common/base/text.h"

enum { LETTER_SHARES = 4 }; /* one principal may hold this part of all bytes */

/* What the letters of one principal hold. */
struct letter_share {
    struct text principal; /* absent: of messages without one */
    int64_t bytes;         /* of all its letters */
    int64_t published;     /* bytes of its published letters */
    int64_t closed;        /* bytes of its closed letters */
    int64_t bodies;        /* number of its published letters that still have their body */
};

/*
 * X(identifier, name in the log): what a cut does with each letter that it concerns.
 *   NONE       nothing is too much, or nothing more may go
 *   CLOSED     deletes closed letters
 *   BODIES     deletes the bodies of published letters
 *   PUBLISHED  deletes published letters
 */
#define LETTER_CUTS(X)                                                                             \
    X(NONE, "none")                                                                                \
    X(CLOSED, "closed")                                                                            \
    X(BODIES, "bodies")                                                                            \
    X(PUBLISHED, "published")

enum letter_cut_kind {
#define X(id, name) LETTER_CUT_##id,
    LETTER_CUTS(X)
#undef X
};

struct letter_cut {
    enum letter_cut_kind kind;
    bool of_principal; /* only letters of `principal` */
    struct text principal;
    int64_t bytes;    /* to be freed */
    int64_t until_ms; /* only letters that were dead-lettered until then; set by the store */
};

/*
 * Returns the next cut, without `until_ms`. A principal that holds more than its part comes first,
 * and loses only its own letters. Then all letters together are looked at. In both cases closed
 * letters go first, then bodies, then published letters: those of the principal that holds most.
 * Letters that are not published never go: those that are still to be published, and those whose
 * dead letter the broker refused. The principal is borrowed from the shares.
 */
struct letter_cut letter_cut_choose(const struct letter_share *shares, size_t count,
                                    int64_t max_bytes);

/* Returns whether the letters of a principal that are not published alone fill its part. Those
   whose dead letter the broker refused count, too. */
bool letter_share_is_full(const struct letter_share *share, int64_t max_bytes);

/* Returns how many bytes the letters hold together. */
int64_t letter_shares_bytes(const struct letter_share *shares, size_t count);

#endif
