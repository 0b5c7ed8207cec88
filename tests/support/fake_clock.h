/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks for tests: one whose time moves only when a test moves it, and one that is wrong. */
#ifndef ALLOT_FAKE_CLOCK_H
#define ALLOT_FAKE_CLOCK_H

#include "allot/clock.h"

struct fake_clock {
    struct clock base;
    int64_t wall_ms;
    int64_t monotonic_ms;
    int64_t step_ms; /* the monotonic time moves by this at each look at it; 0 at first */
};

/* Returns a clock with fixed start times. */
struct fake_clock fake_clock_make(void);
/* Moves both times by `by_ms`. */
void fake_clock_advance(struct fake_clock *clock, int64_t by_ms);

enum { EIGHT_DAYS_MS = 8 * 24 * 3600 * 1000 };

/* The clock of a machine whose wall clock is wrong. A change of `wall_error_ms` is a jump of it. */
struct wrong_clock {
    struct clock base;
    struct clock *right; /* borrowed */
    int64_t wall_error_ms;
};

/* Returns a clock with the monotonic time of `right`, whose wall clock is ahead by this much. */
struct wrong_clock wrong_clock_make(struct clock *right, int64_t wall_error_ms);

#endif
