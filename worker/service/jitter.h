/* SPDX-License-Identifier: Apache-2.0 */
/* Random parts of pauses, so that workers that collided do not meet again. */
#ifndef ALLOT_SERVICE_JITTER_H
#define ALLOT_SERVICE_JITTER_H

#include <stdint.h>

struct jitter {
    uint64_t state; /* never 0 */
};

/* The same seed gives the same pauses, so that a simulation can be repeated. */
static inline struct jitter jitter_make(uint64_t seed)
{
    return (struct jitter){seed | 1};
}

/* Returns a random time from half of the pause to all of it. xorshift64. */
static inline int64_t jittered(struct jitter *jitter, int64_t pause_ms)
{
    jitter->state ^= jitter->state << 13;
    jitter->state ^= jitter->state >> 7;
    jitter->state ^= jitter->state << 17;
    if (pause_ms < 2)
        return pause_ms;
    return pause_ms / 2 + (int64_t)(jitter->state % (uint64_t)(pause_ms / 2 + 1));
}

#endif
