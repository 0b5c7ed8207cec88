/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_clock.h"

static int64_t wall_ms(struct clock *clock)
{
    return ((struct fake_clock *)clock)->wall_ms;
}

static int64_t monotonic_ms(struct clock *clock)
{
    return ((struct fake_clock *)clock)->monotonic_ms;
}

struct fake_clock fake_clock_make(void)
{
    return (struct fake_clock){
        .base = {wall_ms, monotonic_ms}, .wall_ms = 1700000000000, .monotonic_ms = 1000};
}

void fake_clock_advance(struct fake_clock *clock, int64_t by_ms)
{
    clock->wall_ms += by_ms;
    clock->monotonic_ms += by_ms;
}
