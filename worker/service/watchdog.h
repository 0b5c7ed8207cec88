/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does somebody who has work get on with it? Pure: it is told the time, and a number that changes
 * with every bit of progress.
 */
#ifndef ALLOT_SERVICE_WATCHDOG_H
#define ALLOT_SERVICE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct watchdog {
    uint64_t progress;    /* as it was last seen to change */
    int64_t since_ms;     /* when that was, or when there was nothing to do; 0: not yet known */
    unsigned consecutive; /* stalls without progress between them */
};

/*
 * `busy`: there is work, and nothing known to wait for. True once each time that `limit_ms` passes
 * without progress; `consecutive` counts how often by now.
 */
bool watchdog_check(struct watchdog *watchdog, uint64_t progress, bool busy, int64_t now_ms,
                    int64_t limit_ms);

#endif
