/* SPDX-License-Identifier: Apache-2.0 */
/* The clock port: the only source of time, so that tests own it. */
#ifndef ALLOT_CLOCK_H
#define ALLOT_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(struct clock *clock);      /* since the epoch; may jump */
    int64_t (*monotonic_ms)(struct clock *clock); /* never goes back: for every wait and time-out */
};

#endif
