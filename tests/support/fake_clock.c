/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_clock.h"

static int64_t wall_ms(struct clock *clock)
{
    return ((struct fake_clock *)clock)->wall_ms;
}

static int64_t wrong_wall_ms(struct clock *clock)
{
    const struct wrong_clock *wrong = (const struct wrong_clock *)clock;
    return wrong->right->wall_ms(wrong->right) + wrong->wall_error_ms;
}

static int64_t right_monotonic_ms(struct clock *clock)
{
    const struct wrong_clock *wrong = (const struct wrong_clock *)clock;
    return wrong->right->monotonic_ms(wrong->right);
}

static int64_t monotonic_ms(struct clock *clock)
{
    struct fake_clock *fake = (struct fake_clock *)clock;
    fake->monotonic_ms += fake->step_ms;
    return fake->monotonic_ms;
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

struct wrong_clock wrong_clock_make(struct clock *right, int64_t wall_error_ms)
{
    return (struct wrong_clock){.base = {wrong_wall_ms, right_monotonic_ms},
                                .right = right,
                                .wall_error_ms = wall_error_ms};
}
