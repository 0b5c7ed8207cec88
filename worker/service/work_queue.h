/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work queue between the two threads of a lane: submitted jobs one way, completed jobs back. A
 * completion wakes the transport thread through an eventfd, because that thread waits for its
 * socket as well; all work queues of a lane share it.
 */
#ifndef ALLOT_SERVICE_WORK_QUEUE_H
#define ALLOT_SERVICE_WORK_QUEUE_H

#include "worker/service/applier.h"

struct work_queue;

/* Creates a queue; never NULL. `wake_fd` is an eventfd that is readable after a completion, until
   the owner reads it; borrowed. */
struct work_queue *work_queue_new(int wake_fd);
/* Frees the queue with its jobs, after both threads are done with it. NULL is allowed. */
void work_queue_free(struct work_queue *work_queue);

/* --- for the transport thread --- */

/* Hands the jobs, and their ownership, to the apply thread. */
void work_queue_submit(struct work_queue *work_queue, struct job_queue *jobs);
/* Moves the completed jobs to `ret_jobs`. */
void work_queue_reap(struct work_queue *work_queue, struct job_queue *ret_jobs);
/* Ends a wait of the apply thread early, so that it looks for work again. */
void work_queue_kick(struct work_queue *work_queue);
/* Tells the apply thread to end. */
void work_queue_close(struct work_queue *work_queue);

/* --- for the apply thread --- */

struct transfer {
    bool open;      /* false: the queue was closed */
    bool submitted; /* the applier has new jobs */
};

/* Moves completed jobs from the applier to the queue, and submitted jobs to the applier. */
struct transfer work_queue_transfer(struct work_queue *work_queue, struct applier *applier);
/*
 * Waits, then moves submitted jobs to the applier. work_queue_wait() waits for `pause_ms`, whatever
 * is submitted meanwhile. work_queue_idle() waits until jobs are submitted, but at most for
 * `pause_ms` if that is not 0. A kick or the close ends both. Returns false if the queue was
 * closed.
 */
bool work_queue_wait(struct work_queue *work_queue, struct applier *applier, int64_t pause_ms);
bool work_queue_idle(struct work_queue *work_queue, struct applier *applier, int64_t pause_ms);

#endif
