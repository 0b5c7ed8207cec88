/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The retry rules: what to do after a failed transaction. The batch is
 * run again, as a whole or a part of it, or its commands are set aside, to be tried one by one.
 * There is no compensation, because a failed transaction has no effect. The rules decide the size
 * of the next batch, the pause before it, and whether it takes the advisory lock. Pure: the caller
 * says how a transaction ended.
 *
 * Serialized mode: two workers that write the same documents would lose nearly every second
 * transaction to each other. So after a write conflict a worker takes the advisory lock before each
 * batch of a run. Then it tries one batch without the lock. If that has a conflict again, the next
 * run is twice as long. The lock saves wasted work; correctness does not depend on it.
 */
#ifndef ALLOT_CORE_RETRY_H
#define ALLOT_CORE_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * X(identifier, name in the log): why a transaction failed.
 *   CONFLICT   another transaction wrote the same document
 *   LOCK_HELD  another worker holds the advisory lock
 *   OUTAGE     the database is unavailable, or the result of the commit is unknown
 *   SUSPECTED  a call timed out or failed without a cause, although the database works
 *   REFUSED    the database permanently rejects these writes
 */
#define RETRY_CAUSES(X)                                                                            \
    X(CONFLICT, "conflict")                                                                        \
    X(LOCK_HELD, "lock_held")                                                                      \
    X(OUTAGE, "outage")                                                                            \
    X(SUSPECTED, "suspected")                                                                      \
    X(REFUSED, "refused")

enum retry_cause {
#define X(id, name) RETRY_##id,
    RETRY_CAUSES(X)
#undef X
};

/* Returns the name for the log. Static. */
const char *retry_cause_name(enum retry_cause cause);

/* Set `limit` to begin with; the rest begins as zero. */
struct retry {
    size_t limit;        /* commands of the next batch, at most */
    unsigned conflicts;  /* consecutive */
    unsigned outages;    /* consecutive */
    unsigned suspicions; /* consecutive */

    unsigned locked_run_length;   /* batches of a run that take the lock; 0: no run yet */
    unsigned locked_batches_left; /* of the current run */
    unsigned lock_misses;         /* consecutive: another worker held the lock */
    unsigned locked_conflicts;    /* consecutive conflicts of batches that had the lock */
    bool has_lock;                /* the present batch */
    bool lock_contended;          /* another worker had the lock before this one */
};

enum {
    RETRY_LOCKED_CONFLICTS_MAX = 4,
    RETRY_CONFLICT_PAUSE_MAX_MS = 200,
    RETRY_OUTAGE_PAUSE_MAX_MS = 2000,
    RETRY_LOCK_PAUSE_MAX_MS = 8,
    RETRY_LOCKED_RUN_MIN = 32, /* batches */
    RETRY_LOCKED_RUN_MAX = 256,
    RETRY_LOCK_MISSES_MAX = 800, /* about 5 s; then the holder may have crashed */
    RETRY_YIELD_MS = 4,
    RETRY_YIELD_MAX_MS = 500,
};

/* Called after a transaction failed. `ret_pause_ms` is the longest pause before the next try; the
   caller waits a random part of it. */
void retry_after(struct retry *retry, enum retry_cause cause, size_t batch_size,
                 int64_t *ret_pause_ms);
/* Called when the commands of a batch that failed are set aside: the next batch has others. */
void retry_set_aside(struct retry *retry);

/*
 * Returns whether the commands of the batch that has just failed with CONFLICT are to be tried one
 * by one, beside the others. So many conflicts although no other worker writes mean that a program,
 * or a worker that died, holds one of the documents.
 */
bool retry_is_held_up(const struct retry *retry);

/* Returns the longest pause before a command that was set aside is tried again, after so many times
   that it was. */
int64_t retry_pause_aside(unsigned times);

/* Returns whether the next batch takes the advisory lock first. */
bool retry_wants_lock(const struct retry *retry);

/* Called when the lock is taken. `lock_contended`: another worker had it before this one. */
void retry_got_lock(struct retry *retry, bool lock_contended);

/*
 * Called after a transaction succeeded, `took_ms` after it began. The limit grows towards
 * `maximum`. Returns the pause in ms that lets other workers take the lock; 0 outside of a run.
 */
int64_t retry_succeeded(struct retry *retry, size_t maximum, int64_t took_ms);

#endif
