/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one transport thread and one apply thread with queues between them, so that heartbeats
 * and frames go on whatever the storage does. Several lanes share nothing but policy and pools.
 */
#ifndef ALLOT_SERVICE_LANE_H
#define ALLOT_SERVICE_LANE_H

#include "allot/clock.h"
#include "allot/settings.h"
#include "allot/store.h"
#include "allot/transport.h"
#include "worker/service/policy_source.h"

struct lane_options {
    const struct settings *settings; /* not owned; outlives the lane, as all of these do */
    struct text worker;
    struct clock *clock;
    struct policy_source *policy;
    struct transport *transport; /* owned by the lane from now on */
    struct store *store;         /* likewise */
};

struct lane;

/* Starts both threads; never NULL. */
struct lane *lane_start(const struct lane_options *options);
/*
 * The self-check of the transport thread, which nobody else watches: call it about once a second,
 * from one thread. Ends the process, with `lane.stalled` in the log, where the thread has not come
 * back from a call for settings' worker.watchdog_timeout and a minute for connecting. The apply
 * thread is watched by the transport thread.
 */
void lane_check(struct lane *lane);
/* No new deliveries; what is in hand is finished. Returns at once. */
void lane_stop(struct lane *lane);
/* Waits for its end; true where all that was in hand was answered before settings'
   shutdown.timeout. Frees it. */
bool lane_join(struct lane *lane);

#endif
