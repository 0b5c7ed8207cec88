/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides when an outage is logged: at its start, once a minute, and at its end. The start is the
 * first failure, or OUTAGE_START_MS after the connection was lost, if no attempt to connect has
 * ended by then. An outage that is over sooner has no line. Pure: it is told the time.
 *
 * One thread begins and ends an outage. Any thread may ask for a line; only one gets each of them.
 */
#ifndef ALLOT_SERVICE_OUTAGE_LOG_H
#define ALLOT_SERVICE_OUTAGE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    OUTAGE_START_MS = 1000, /* and lane_check asks once a second */
    OUTAGE_AGAIN_MS = 60000,
};

/* All zero: no outage. */
struct outage_log {
    _Atomic int64_t since_ms; /* monotonic */
    _Atomic int64_t due_ms;   /* of the next line; 0: no outage */
};

/* Begins an outage, unless one has begun. */
void outage_log_begin(struct outage_log *outage, int64_t now_ms);
/* Returns whether to write a line now. `failed`: an attempt has failed, so the first line is due.
 */
bool outage_log_due(struct outage_log *outage, bool failed, int64_t now_ms);
/* Returns how long the outage has lasted; 0: there is none. */
int64_t outage_log_duration_ms(const struct outage_log *outage, int64_t now_ms);
/* Ends the outage, if there is one. Returns how long it lasted. */
int64_t outage_log_end(struct outage_log *outage, int64_t now_ms);

#endif
