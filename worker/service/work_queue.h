/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to and fro between the two threads of a lane: jobs to apply, jobs that are done with,
 * and the word that no more will come. The one that takes back is woken by a descriptor, since it
 * waits for a socket as well.
 */
#ifndef ALLOT_SERVICE_WORK_QUEUE_H
#define ALLOT_SERVICE_WORK_QUEUE_H

#include "worker/service/applier.h"

struct work_queue;

/* NULL: no descriptor could be had. */
struct work_queue *work_queue_new(void);
/* With the jobs that are in it. NULL is allowed. */
void work_queue_free(struct work_queue *work_queue);

/* --- the giving thread's --- */

void work_queue_submit(struct work_queue *work_queue, struct job_queue *jobs);
void work_queue_reap(struct work_queue *work_queue, struct job_queue *ret_jobs);
/* Readable after something came back, or a wake, until it is drained. */
int work_queue_wake_fd(const struct work_queue *work_queue);
void work_queue_wake(struct work_queue *work_queue);
void work_queue_drain_wake(struct work_queue *work_queue);
/* The applying thread looks for work again, whatever was given. */
void work_queue_kick(struct work_queue *work_queue);
/* Nothing more will be given. */
void work_queue_close(struct work_queue *work_queue);

/* --- the applying thread's --- */

/* What an exchange leaves. */
struct transferred {
    bool open; /* more may come */
    bool got;  /* the applier has new jobs: it is not idle any more */
};

/* Hands over what the applier is done with, and gives it what has come. */
struct transferred work_queue_transfer(struct work_queue *work_queue, struct applier *applier);
/* The same, after a wait for jobs, a nudge or the end; `pause_ms` >= 0: a wait of just so long,
   whatever comes meanwhile, but for the end. False: the end. */
bool work_queue_wait(struct work_queue *work_queue, struct applier *applier, int64_t pause_ms);

#endif
