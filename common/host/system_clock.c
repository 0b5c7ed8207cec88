/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/system_clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t system_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t system_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

static int64_t wall_ms(struct clock *clock)
{
    (void)clock;
    return system_wall_ms();
}

static int64_t monotonic_ms(struct clock *clock)
{
    (void)clock;
    return system_monotonic_ms();
}

struct clock *system_clock(void)
{
    static struct clock machine = {wall_ms, monotonic_ms};
    return &machine;
}
