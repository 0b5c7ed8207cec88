/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/attempt_turn.h"

enum { ALONE = -1 };

bool attempt_turn_begin(struct attempt_turn *turn, bool alone)
{
    int groups = atomic_load(&turn->groups);
    do {
        if (groups == ALONE || (alone && groups > 0))
            return false;
    } while (
        !atomic_compare_exchange_weak(&turn->groups, &groups, alone ? (int)ALONE : groups + 1));
    return true;
}

void attempt_turn_end(struct attempt_turn *turn, bool alone)
{
    if (alone)
        atomic_store(&turn->groups, 0);
    else
        atomic_fetch_sub(&turn->groups, 1);
}
