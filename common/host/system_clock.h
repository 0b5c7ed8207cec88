/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of the machine. */
#ifndef ALLOT_HOST_SYSTEM_CLOCK_H
#define ALLOT_HOST_SYSTEM_CLOCK_H

#include "allot/clock.h"

/* Returns the clock port on the functions below. Static. */
struct clock *system_clock(void);

/* Milliseconds since the epoch; may jump. */
int64_t system_wall_ms(void);
/* Milliseconds since some start; never goes back. */
int64_t system_monotonic_ms(void);

#endif
