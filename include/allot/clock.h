/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock port: the only source of time for the code above it, so that tests control the time.
 * Both functions return milliseconds. An implementation with data of its own embeds this struct as
 * its first member.
 */
#ifndef ALLOT_CLOCK_H
#define ALLOT_CLOCK_H

#include <stdint.h>

struct clock {
    /* Returns the time since the Unix epoch by this machine's clock, which may be wrong and may
       jump. Only for the log, and to be compared with the database's clock. Times that are stored,
       or compared with a stored time or a deadline, are `now_ms` of a store. */
    int64_t (*wall_ms)(struct clock *clock);
    /* Returns the time since any fixed point. It never decreases. For waits and time-outs. */
    int64_t (*monotonic_ms)(struct clock *clock);
};

#endif
