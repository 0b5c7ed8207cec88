/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/watchdog.h"

bool watchdog_check(struct watchdog *watchdog, uint64_t progress, bool busy, int64_t now_ms,
                    int64_t limit_ms)
{
    bool begins = busy && !watchdog->busy;
    watchdog->busy = busy;
    if (progress != watchdog->progress || !busy || begins) {
        watchdog->progress = progress;
        watchdog->since_ms = now_ms;
        watchdog->consecutive = 0;
        return false;
    }
    if (now_ms - watchdog->since_ms < limit_ms)
        return false;
    watchdog->since_ms = now_ms;
    watchdog->consecutive++;
    return true;
}
