/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one transport thread with a broker connection, and several apply threads, each with a
 * work queue and a database session. The transport thread never calls the database, so heartbeats
 * go on whatever the database does. Lanes share only the policy and the database client's pool.
 */
#ifndef ALLOT_SERVICE_LANE_H
#define ALLOT_SERVICE_LANE_H

#include "allot/clock.h"
#include "allot/settings.h"
#include "allot/store.h"
#include "allot/transport.h"
#include "worker/service/attempt_turn.h"
#include "worker/service/counters.h"
#include "worker/service/full_principals.h"
#include "worker/service/memory_budget.h"
#include "worker/service/policy_source.h"

/* What is borrowed has to outlive the lane. */
struct lane_options {
    const struct settings *settings; /* borrowed */
    struct text worker;              /* the name; borrowed */
    struct clock *clock;             /* borrowed */
    struct policy_source *policy;    /* borrowed */
    struct attempt_turn *turn;       /* borrowed; shared by the lanes of the process */
    struct full_principals *full;    /* borrowed; shared by the lanes of the process */
    struct memory_budget *budget;    /* borrowed; shared by the lanes of the process */
    bool trims_letters;              /* one lane of the process keeps letters within their bound */
    struct transport *transport;     /* owned by the lane from lane_start on */
    struct store *const *stores;     /* lane_store_count(); each is owned by the lane from
                                        lane_start on; the list is only read by lane_start */
};

enum { LANE_THREADS_MAX = 66 }; /* apply threads */

/* Returns how many stores a lane needs: one for each apply thread. */
size_t lane_store_count(const struct settings *settings);

struct lane;

/* Starts both threads; never NULL. */
struct lane *lane_start(const struct lane_options *options);
/*
 * Watches the transport thread; call it about once a second, always from the same thread. Aborts
 * the process, after logging lane.stalled, if a call to the broker does not return for
 * worker.watchdog_timeout and a minute more for connecting. The transport thread watches the apply
 * threads.
 */
void lane_check(struct lane *lane);
/* Returns the counters; borrowed until lane_free. Any thread may read them. */
const struct counters *lane_counters(const struct lane *lane);
/* Asks the lane to stop: to take no new delivery, and to give up those that are not finished after
   `patience_ms`. Returns at once. */
void lane_stop(struct lane *lane, int64_t patience_ms);
/* Waits until all threads have ended, and frees what they used. A library call may keep one of them
   for long; no thread begins another call after the lane has given up. */
void lane_join(struct lane *lane);
/* Returns how many commands the lane has given up: the broker redelivers them. Before it gives up,
   those in flight. Any thread may call it until lane_free. */
uint64_t lane_returned(const struct lane *lane);
/* Frees the lane after lane_join. */
void lane_free(struct lane *lane);

#endif
