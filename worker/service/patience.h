/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a reply may be unconfirmed before its destination is suspected: one second, or more
 * where the broker as a whole is slow. Learns from confirms. All times are monotonic.
 */
#ifndef ALLOT_SERVICE_PATIENCE_H
#define ALLOT_SERVICE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct patience {
    int64_t ms;     /* for a message that is alone on its route */
    int64_t max_ms; /* reply.confirm_timeout */
    /* of the main route, since the last confirm within `ms`: each doubles its patience */
    unsigned restarts;
    /* the last slow confirm, and its destination's owner; 0 ms: none since the last quick one */
    int64_t slow_ms;
    uint64_t slow_owner;
};

/* Begins with one second; it never exceeds `max_ms`. */
void patience_init(struct patience *patience, int64_t max_ms);
/* Learns from a confirm. `owner` is the destination's; `alone`: only messages of this destination
   were on the route. */
void patience_confirmed(struct patience *patience, uint64_t owner, int64_t latency_ms, bool alone);
/* Notes that the main route began anew, with unconfirmed messages of several destinations. */
void patience_restarted(struct patience *patience);
/* Returns the patience on the main route. */
int64_t patience_main_ms(const struct patience *patience);

#endif
