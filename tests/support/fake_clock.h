/* SPDX-License-Identifier: Apache-2.0 */
/* The clock port whose time moves only when a test moves it. */
#ifndef ALLOT_FAKE_CLOCK_H
#define ALLOT_FAKE_CLOCK_H

#include "allot/clock.h"

struct fake_clock {
    struct clock base;
    int64_t wall_ms;
    int64_t monotonic_ms;
};

/* Returns a clock with fixed start times. */
struct fake_clock fake_clock_make(void);
/* Moves both times by `by_ms`. */
void fake_clock_advance(struct fake_clock *clock, int64_t by_ms);

#endif
