/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the settler knows of one route: what is published and what is due, and how the route as a
 * whole does. After a failure of the route, one message at a time is tried, after a pause that
 * grows. Logs a failure at its start, once a minute, and at its end.
 */
#ifndef ALLOT_SERVICE_SETTLE_ROUTE_H
#define ALLOT_SERVICE_SETTLE_ROUTE_H

#include "allot/transport.h"
#include "worker/service/window.h"

struct settle_route {
    enum route id;
    struct window window; /* published, unconfirmed */
    struct job_queue due; /* to be published, now or later; of the isolated route: always empty */
    bool blocked;         /* the broker asked not to publish (connection.blocked) */
    bool restart;         /* the next tick has to restart the route */
    unsigned failures;    /* in a row, of the route as a whole */
    int64_t pause_until_ms;
    int64_t failed_log_ms; /* when the failure may be logged again; 0: none was logged */
    int64_t closed_log_ms; /* when an end may be logged again */
    unsigned closed_unlogged;
};

void settle_route_init(struct settle_route *route, enum route id);

/* Notes a failure of the route as a whole. */
void settle_route_failed(struct settle_route *route, const char *reason, int64_t now_ms);
/* Notes that a message was confirmed: the route works. */
void settle_route_confirmed(struct settle_route *route);
/* Logs the end of the route that the event reports, at most once in 10 s. */
void settle_route_log_closed(struct settle_route *route, const struct transport_event *event,
                             int64_t now_ms);

/* Returns the pause after so many failures in a row: 100 ms, doubled each time, up to `max_ms`. */
int64_t settle_route_pause_ms(unsigned failures, int64_t max_ms);

#endif
