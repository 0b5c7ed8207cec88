/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watchdog timer: reports when a busy thread makes no progress for `limit_ms`. Pure; the caller
 * passes the time, and a number that changes whenever the thread makes progress.
 */
#ifndef ALLOT_SERVICE_WATCHDOG_H
#define ALLOT_SERVICE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct watchdog {
    uint64_t progress;    /* at the last check */
    int64_t since_ms;     /* time of the last progress, idle check, begin of work or report */
    unsigned consecutive; /* reports without progress between them */
    bool busy;            /* at the last check */
};

/*
 * Returns true once each time that `limit_ms` passes without progress while the thread is busy.
 * `busy`: the thread has work, and no outage is known that it waits for.
 */
bool watchdog_check(struct watchdog *watchdog, uint64_t progress, bool busy, int64_t now_ms,
                    int64_t limit_ms);

#endif
