/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/retry.h"

enum {
    FAILURES_BEFORE_HALVING = 2,
    FIRST_PAUSE_MS = 5,
    FIRST_LOCK_PAUSE_MS = 4,
    FIRST_OUTAGE_PAUSE_MS = 50
};

const char *retry_cause_name(enum retry_cause cause)
{
    static const char *const names[] = {
#define X(id, name) [RETRY_##id] = name,
        RETRY_CAUSES(X)
#undef X
    };
    return names[cause];
}

/* Returns `first`, doubled `times` - 1 times, but at most `maximum`. */
static int64_t doubled(int64_t first, unsigned times, int64_t maximum)
{
    int64_t pause = first;
    for (unsigned i = 1; i < times && pause < maximum; i++)
        pause *= 2;
    return pause < maximum ? pause : maximum;
}

static size_t half(size_t size)
{
    return size > 1 ? (size + 1) / 2 : 1;
}

/* Switches to serialized mode, since repeated conflicts would cost more than the lock does. */
static void begin_locked_run(struct retry *retry)
{
    if (retry->locked_batches_left > 0)
        return;
    unsigned length = retry->locked_run_length * 2;
    if (length < RETRY_LOCKED_RUN_MIN)
        length = RETRY_LOCKED_RUN_MIN;
    if (length > RETRY_LOCKED_RUN_MAX)
        length = RETRY_LOCKED_RUN_MAX;
    retry->locked_run_length = length;
    retry->locked_batches_left = length;
}

/* After too many misses the holder may have crashed, so the next batch does without the lock. */
bool retry_wants_lock(const struct retry *retry)
{
    return retry->locked_batches_left > 0 && retry->lock_misses < RETRY_LOCK_MISSES_MAX;
}

void retry_set_aside(struct retry *retry)
{
    retry->suspicions = 0;
    retry->locked_conflicts = 0;
}

int64_t retry_pause_aside(unsigned times)
{
    return times == 0 ? 0 : doubled(FIRST_OUTAGE_PAUSE_MS, times, RETRY_OUTAGE_PAUSE_MAX_MS);
}

bool retry_is_held_up(const struct retry *retry)
{
    return retry->locked_conflicts >= RETRY_LOCKED_CONFLICTS_MAX;
}

void retry_after(struct retry *retry, enum retry_cause cause, size_t batch_size,
                 int64_t *ret_pause_ms)
{
    bool had_lock = retry->has_lock;
    retry->has_lock = false;
    *ret_pause_ms = 0;
    switch (cause) {
    case RETRY_LOCK_HELD:
        *ret_pause_ms = doubled(FIRST_LOCK_PAUSE_MS, ++retry->lock_misses, RETRY_LOCK_PAUSE_MAX_MS);
        return;
    case RETRY_CONFLICT:
        begin_locked_run(retry);
        retry->lock_misses = 0;
        retry->locked_conflicts += had_lock;
        if (++retry->conflicts >= FAILURES_BEFORE_HALVING)
            retry->limit = half(batch_size);
        *ret_pause_ms = doubled(FIRST_PAUSE_MS, retry->conflicts, RETRY_CONFLICT_PAUSE_MAX_MS);
        return;
    case RETRY_OUTAGE:
        /* The batch may be too large for mongodb.timeout. */
        if (++retry->outages >= FAILURES_BEFORE_HALVING)
            retry->limit = half(batch_size);
        *ret_pause_ms = doubled(FIRST_OUTAGE_PAUSE_MS, retry->outages, RETRY_OUTAGE_PAUSE_MAX_MS);
        return;
    case RETRY_SUSPECTED:
        if (++retry->suspicions >= FAILURES_BEFORE_HALVING)
            retry->limit = half(batch_size);
        *ret_pause_ms = FIRST_PAUSE_MS;
        return;
    case RETRY_REFUSED: retry->limit = half(batch_size); return;
    }
}

void retry_got_lock(struct retry *retry, bool lock_contended)
{
    retry->lock_misses = 0;
    retry->has_lock = true;
    retry->lock_contended = lock_contended;
}

/*
 * Another worker's batch takes about as long as this worker's did. But it can begin before this
 * one's commit has a majority, since writes are visible as soon as the primary has them. So half of
 * the time is enough. If no other worker had the lock before, the pause is the shortest one.
 */
static int64_t yield_ms(const struct retry *retry, int64_t took_ms)
{
    int64_t pause = retry->lock_contended ? took_ms / 2 : RETRY_YIELD_MS;
    if (pause > RETRY_YIELD_MAX_MS)
        return RETRY_YIELD_MAX_MS;
    return pause < RETRY_YIELD_MS ? RETRY_YIELD_MS : pause;
}

int64_t retry_succeeded(struct retry *retry, size_t maximum, int64_t took_ms)
{
    retry->limit = retry->limit < maximum / 2 ? retry->limit * 2 : maximum;
    retry->conflicts = 0;
    retry->outages = 0;
    retry->suspicions = 0;
    retry->lock_misses = 0;
    retry->locked_conflicts = 0;
    retry->has_lock = false;
    if (retry->locked_batches_left == 0) {
        retry->locked_run_length = 0;
        return 0;
    }
    retry->locked_batches_left--;
    return yield_ms(retry, took_ms);
}
