/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the letters within letters.max_bytes: measures them, and deletes what is too much, in
 * rounds. A round makes one call to the store at a time, so that commands never wait for all of it.
 * Belongs to the apply thread.
 */
#ifndef ALLOT_SERVICE_LETTER_TRIM_H
#define ALLOT_SERVICE_LETTER_TRIM_H

#include "allot/store.h"
#include "worker/service/counters.h"
#include "worker/service/full_principals.h"

struct letter_trim {
    struct store *store;          /* borrowed */
    struct counters *counters;    /* borrowed; NULL: nothing is counted */
    struct full_principals *full; /* borrowed; set by each measurement */
    int64_t max_bytes;            /* letters.max_bytes */
    struct arena *arena;          /* owned; of the last measurement */
    struct letter_cut cut;        /* what is to be done now; NONE: measure */
    /* what the round did so far */
    size_t letters;
    size_t bodies;
    int64_t bytes;
};

/* Makes a trim without a round; letter_trim_clear() frees what it owns. */
struct letter_trim letter_trim_make(struct store *store, struct counters *counters,
                                    struct full_principals *full, int64_t max_bytes);
void letter_trim_clear(struct letter_trim *trim);

/* Makes the next call of the round. Returns whether the round is over; it is too if the call
   failed. The next call begins a new round. */
bool letter_trim_step(struct letter_trim *trim);

#endif
