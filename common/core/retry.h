/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do when a transaction did not go through. Pure: it is told how it ended and how often,
 * and answers with the next batch size and the pause. Nothing is ever compensated: the only ways on
 * are the whole transaction again, a smaller one, or, for a command that stands alone, `internal`.
 */
#ifndef ALLOT_CORE_RETRY_H
#define ALLOT_CORE_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum retry_cause {
    RETRY_CONFLICT,  /* another transaction was in the way */
    RETRY_LOCK_HELD, /* it is another one's turn */
    RETRY_OUTAGE,    /* the storage is away, or what it did is unknown */
    RETRY_EXPIRED,   /* the transaction outlived the server's limit */
    RETRY_REFUSED,   /* the storage refuses these writes for good */
};

struct retry {
    size_t limit;       /* commands in the next batch */
    unsigned conflicts; /* in a row */
    unsigned outages;   /* in a row */
    unsigned expiries;  /* in a row, of a command that stood alone */

    /* After a conflict, batches take locked_batches_left for a locked_run_length; then one goes
     * without, to see. */
    unsigned locked_batches_left; /* batches that are left of the locked_run_length */
    unsigned locked_run_length; /* its length: doubled where the one without had a conflict again */
    unsigned lock_misses;       /* locked_batches_left in a row that another one had */
    bool lock_contended;        /* the turn before ours was another one's */
};

enum {
    RETRY_EXPIRIES_MAX = 3,
    RETRY_CONFLICT_PAUSE_MAX_MS = 200,
    RETRY_TURN_PAUSE_MAX_MS = 8,
    RETRY_TURNS_MIN = 32,
    RETRY_TURNS_MAX = 256,
    RETRY_MISSED_MAX = 800, /* some 5 s: who has the turn may be dead */
    RETRY_YIELD_MS = 4,
    RETRY_YIELD_MAX_MS = 500,
    RETRY_OUTAGE_PAUSE_MAX_MS = 2000
};

/* True where the command, which stood alone, is to be answered `internal`. Else `ret_pause_ms` is
   the longest pause; the caller takes a random part of it. */
bool retry_after(struct retry *retry, enum retry_cause cause, size_t batch_size,
                 int64_t *ret_pause_ms);

/* Is the next batch to take its turn? */
bool retry_wants_lock(const struct retry *retry);

/* The turn is ours. `lock_contended`: the one before was another one's. */
void retry_got_lock(struct retry *retry, bool lock_contended);

/* A batch went through, `took_ms` after it began: the limit grows back towards `maximum`. The pause
   that lets others have their turn, or 0. */
int64_t retry_succeeded(struct retry *retry, size_t maximum, int64_t took_ms);

#endif
