/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A broker that is slow as a whole needs patience, or all its destinations would be tried
 * one by one again and again. A single slow queue must not get it, because the others would wait as
 * long for the end of a silent one. So a slow confirm raises the patience only with the one before
 * it: both slow, of two principals, and no quick one between them. The quicker of the two counts.
 * Then nobody waits longer than twice what another principal needed.
 *
 * On the main route, a slow queue can hold back the confirms of others. So there a slow confirm
 * counts as one of at most LEAST_MS. Only one that had its route to itself is full evidence.
 */
#include "worker/service/patience.h"

enum {
    LEAST_MS = 1000,
    DECAY = 16, /* a quick confirm lowers the patience by this part */
    RESTARTS_MAX = 8,
};

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t clamped(const struct patience *patience, int64_t ms)
{
    return lesser(greater(ms, LEAST_MS), patience->max_ms);
}

void patience_init(struct patience *patience, int64_t max_ms)
{
    *patience = (struct patience){.max_ms = max_ms};
    patience->ms = clamped(patience, LEAST_MS);
}

static void learn_quick(struct patience *patience, int64_t latency_ms)
{
    int64_t less_ms = patience->ms - patience->ms / DECAY;
    patience->ms = clamped(patience, greater(less_ms, 2 * latency_ms));
    patience->slow_ms = 0;
}

static void learn_slow(struct patience *patience, uint64_t owner, int64_t evidence_ms)
{
    if (patience->slow_ms > 0 && patience->slow_owner != owner) {
        int64_t quicker_ms = lesser(evidence_ms, patience->slow_ms);
        patience->ms = clamped(patience, greater(patience->ms, 2 * quicker_ms));
    }
    patience->slow_ms = evidence_ms;
    patience->slow_owner = owner;
}

void patience_confirmed(struct patience *patience, uint64_t owner, int64_t latency_ms, bool alone)
{
    if (latency_ms <= patience->ms)
        patience->restarts = 0;
    if (2 * latency_ms <= patience->ms)
        learn_quick(patience, latency_ms);
    else
        learn_slow(patience, owner, alone ? latency_ms : lesser(latency_ms, LEAST_MS));
}

void patience_restarted(struct patience *patience)
{
    patience->restarts += patience->restarts < RESTARTS_MAX;
}

int64_t patience_main_ms(const struct patience *patience)
{
    return clamped(patience, patience->ms << patience->restarts);
}
