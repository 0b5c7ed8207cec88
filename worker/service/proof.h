/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence against a command. A call to the database that timed out, or failed without a cause, may
 * be charged to a command only if the command was alone in its transaction, and if the database was
 * shown to work (prove_health of the storage port) shortly before and shortly after, with the same
 * primary; and only after TRIES_MAX such failures, each with a longer time limit. All else is an
 * outage, which is nobody's fault. Pure.
 */
#ifndef ALLOT_SERVICE_PROOF_H
#define ALLOT_SERVICE_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "allot/store.h"

enum { PROOF_TRIES_MAX = 3 };

/* The database worked at that time. */
struct proof {
    bool taken;
    uint64_t primary; /* its term */
    int64_t at_ms;    /* monotonic */
};

/* Returns whether only a proof tells if the commands or the database are the cause. */
bool proof_is_needed(enum store_status status);
/* Returns whether a proof still counts for a transaction that begins now. */
bool proof_is_fresh(const struct proof *proof, int64_t now_ms, int64_t timeout_ms);
/* Returns whether both proofs together show that the database worked during a transaction that
   began at `began_ms`. */
bool proof_covers(const struct proof *before, const struct proof *after, int64_t began_ms,
                  int64_t timeout_ms);
/* Returns the time limit of the next try, after so many that failed: a quarter, a half, and then
   all of it. */
int64_t proof_limit_ms(int64_t limit_ms, unsigned tries);

#endif
