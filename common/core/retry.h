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
    RETRY_CONFLICT, /* another transaction was in the way */
    RETRY_OUTAGE,   /* the storage is away, or what it did is unknown */
    RETRY_EXPIRED,  /* the transaction outlived the server's limit */
    RETRY_REFUSED,  /* the storage refuses these writes for good */
};

struct retry {
    size_t limit;       /* commands in the next batch */
    unsigned conflicts; /* in a row */
    unsigned outages;   /* in a row */
    unsigned expiries;  /* in a row, of a command that stood alone */
};

enum {
    RETRY_EXPIRIES_MAX = 3,
    RETRY_CONFLICT_PAUSE_MAX_MS = 200,
    RETRY_OUTAGE_PAUSE_MAX_MS = 2000
};

/* True where the command, which stood alone, is to be answered `internal`. Else `ret_pause_ms` is
   the longest pause; the caller takes a random part of it. */
bool retry_after(struct retry *retry, enum retry_cause cause, size_t batch_size,
                 int64_t *ret_pause_ms);

/* A batch went through: the limit grows back towards `maximum`. */
void retry_succeeded(struct retry *retry, size_t maximum);

#endif
