/* SPDX-License-Identifier: Apache-2.0 */
/* The clock port with a time that only moves when a test moves it. */
#ifndef ALLOT_FAKE_CLOCK_H
#define ALLOT_FAKE_CLOCK_H

#include "allot/clock.h"

struct fake_clock {
    struct clock base;
    int64_t wall_ms;
    int64_t monotonic_ms;
};

struct fake_clock fake_clock_make(void);
void fake_clock_advance(struct fake_clock *clock, int64_t by_ms);

#endif
