/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/stall.h"

bool stall_check(struct stall *stall, uint64_t progress, bool busy, int64_t now_ms,
                 int64_t limit_ms)
{
    if (progress != stall->progress || !busy) {
        stall->progress = progress;
        stall->since_ms = now_ms;
        stall->in_a_row = 0;
        return false;
    }
    if (stall->since_ms == 0)
        stall->since_ms = now_ms;
    if (now_ms - stall->since_ms < limit_ms)
        return false;
    stall->since_ms = now_ms;
    stall->in_a_row++;
    return true;
}
