/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An apply thread of a lane: it prepares the database or waits until another thread has, then runs
 * an applier on a store of its own, with the jobs of its work queue. The functions below are for
 * the transport thread.
 */
#ifndef ALLOT_SERVICE_APPLY_THREAD_H
#define ALLOT_SERVICE_APPLY_THREAD_H

#include <stdatomic.h>

#include "worker/service/work_queue.h"

struct apply_thread_options {
    const char *name;               /* at most 15 bytes, for debuggers; static */
    struct applier_options applier; /* its store is owned by the thread; the rest as in applier.h */
    int wake_fd;                    /* borrowed; see work_queue.h */
    atomic_bool *prepared;          /* borrowed; shared by the threads of the lane */
    bool prepares;                  /* it prepares the database, and sets `prepared` */
    struct storage_outage *outage;  /* borrowed; shared by the threads of the lane */
    size_t index;                   /* of this thread in `outage` */
    int64_t watchdog_ms;            /* worker.watchdog_timeout */
};

struct apply_thread;

/* Starts the thread; aborts if the system has no thread left. Owned by the caller. */
struct apply_thread *apply_thread_start(const struct apply_thread_options *options);
/* Tells the thread to end after the call that it is in. */
void apply_thread_close(struct apply_thread *thread);
/* Waits until a closed thread has ended, and frees it with its store and its jobs. */
void apply_thread_end(struct apply_thread *thread);

/* Hands over the jobs, and their ownership. */
void apply_thread_submit(struct apply_thread *thread, struct job_queue *jobs);
/* Moves the completed jobs to `ret_jobs`. */
void apply_thread_reap(struct apply_thread *thread, struct job_queue *ret_jobs);
/* Returns how many jobs were submitted and not yet reaped. */
size_t apply_thread_count(const struct apply_thread *thread);

/* Returns the name of the stage that runs, or runs next; static. */
const char *apply_thread_stage(const struct apply_thread *thread);

enum apply_stall {
    APPLY_RUNS,
    APPLY_STALLED,      /* no progress for the watchdog's time */
    APPLY_STALLED_AGAIN /* and none since the last report */
};

/* Returns whether the thread makes no progress although it has jobs and knows of no outage. Sets
   `ret_reason`, static, if so. Call it often. */
enum apply_stall apply_thread_check(struct apply_thread *thread, int64_t now_ms,
                                    const char **ret_reason);
/* Ends a wait of the thread early, so that it looks for work again. */
void apply_thread_kick(struct apply_thread *thread);

#endif
