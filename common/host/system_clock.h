/* SPDX-License-Identifier: Apache-2.0 */
/* The clock port on the machine's clocks. */
#ifndef ALLOT_HOST_SYSTEM_CLOCK_H
#define ALLOT_HOST_SYSTEM_CLOCK_H

#include "allot/clock.h"

/* Static. */
struct clock *system_clock(void);

#endif
