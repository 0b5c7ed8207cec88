/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges a world that has come to rest, from the outside: what the database holds, what was sent,
 * and what came back. It works everything out anew and shares no code with the planner.
 */
#ifndef ALLOT_AUDITOR_H
#define ALLOT_AUDITOR_H

#include "tests/support/world.h"

/* False, with what is wrong. The state alone may be judged at any time. */
ALLOT_CHECK bool auditor_check_state(const struct world *world, struct error *error);
ALLOT_CHECK bool auditor_check(const struct world *world, struct error *error);

#endif
