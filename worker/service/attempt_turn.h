/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets the lanes of a process take turns with groups that have attempt records
 * (applier_attempts.c). If the process dies, the records of all lanes stay, so a group of one is
 * only evidence against its command while no other lane has a group. Any thread may call these
 * functions; none waits.
 */
#ifndef ALLOT_SERVICE_ATTEMPT_TURN_H
#define ALLOT_SERVICE_ATTEMPT_TURN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "allot/attributes.h"

/* All zero: nobody has a turn. */
struct attempt_turn {
    _Atomic int groups; /* that have a turn; -1: one that is alone */
};

/* Begins a turn for a group. Returns false if another lane has one: any, if this group has to be
   `alone`, else one that is alone. */
ALLOT_CHECK bool attempt_turn_begin(struct attempt_turn *turn, bool alone);
/* Ends a turn that began with this `alone`. */
void attempt_turn_end(struct attempt_turn *turn, bool alone);

#endif
