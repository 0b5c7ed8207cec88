/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks a world from the outside: the documents in the database, the messages that were sent, and
 * the replies and dead letters. It recomputes everything and shares no code with the planner, so
 * that a bug in the planner cannot hide here.
 */
#ifndef ALLOT_AUDITOR_H
#define ALLOT_AUDITOR_H

#include "tests/support/world.h"

/*
 * auditor_check_state checks the documents alone and may be called at any time. auditor_check also
 * checks the replies and needs an idle world. Both return false at the first finding, and set
 * `error` to it.
 */
ALLOT_CHECK bool auditor_check_state(const struct world *world, struct error *error);
ALLOT_CHECK bool auditor_check(const struct world *world, struct error *error);

#endif
