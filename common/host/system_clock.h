/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of the machine, in milliseconds. Safe from any thread. */
#ifndef ALLOT_HOST_SYSTEM_CLOCK_H
#define ALLOT_HOST_SYSTEM_CLOCK_H

#include "allot/clock.h"

/* Returns the clock port (allot/clock.h) that reads these clocks. Static. */
struct clock *system_clock(void);

/* Returns the milliseconds since the Unix epoch. May jump, when the clock is set. */
int64_t system_wall_ms(void);
/* Returns the milliseconds since an arbitrary start. Never goes back. */
int64_t system_monotonic_ms(void);

#endif
