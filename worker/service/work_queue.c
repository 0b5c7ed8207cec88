/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Two lists of jobs under one mutex. The apply thread waits on a condition variable, which
 * submit, kick and close signal. The transport thread never waits here: it polls the eventfd beside
 * its socket. Every call that takes the mutex does no more than move pointers, so neither thread
 * can keep the other waiting.
 *
 * Not here: a limit. Flow control (flow.c) bounds what is submitted.
 */
#include "worker/service/work_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "common/base/memory.h"
#include "common/host/condition.h"
#include "common/host/system_clock.h"

struct work_queue {
    pthread_mutex_t lock;
    pthread_cond_t submitted; /* also signalled by kick and close */
    struct job_queue to_apply;
    struct job_queue from_apply;
    bool closing;
    bool kicked;
    int wake_fd; /* borrowed */
};

struct work_queue *work_queue_new(int wake_fd)
{
    struct work_queue *work_queue = MEMORY_NEW(struct work_queue);
    work_queue->wake_fd = wake_fd;
    (void)pthread_mutex_init(&work_queue->lock, NULL);
    condition_init(&work_queue->submitted);
    return work_queue;
}

void work_queue_free(struct work_queue *work_queue)
{
    if (work_queue == NULL)
        return;
    job_queue_free_all(&work_queue->to_apply);
    job_queue_free_all(&work_queue->from_apply);
    (void)pthread_cond_destroy(&work_queue->submitted);
    (void)pthread_mutex_destroy(&work_queue->lock);
    free(work_queue);
}

static void lock(struct work_queue *work_queue)
{
    (void)pthread_mutex_lock(&work_queue->lock);
}

static void unlock(struct work_queue *work_queue)
{
    (void)pthread_mutex_unlock(&work_queue->lock);
}

/* --- for the transport thread --------------------------------------------------------------- */

void work_queue_submit(struct work_queue *work_queue, struct job_queue *jobs)
{
    lock(work_queue);
    job_queue_append(&work_queue->to_apply, jobs);
    unlock(work_queue);
    (void)pthread_cond_signal(&work_queue->submitted);
}

void work_queue_reap(struct work_queue *work_queue, struct job_queue *ret_jobs)
{
    lock(work_queue);
    job_queue_append(ret_jobs, &work_queue->from_apply);
    unlock(work_queue);
}

void work_queue_kick(struct work_queue *work_queue)
{
    lock(work_queue);
    work_queue->kicked = true;
    unlock(work_queue);
    (void)pthread_cond_signal(&work_queue->submitted);
}

void work_queue_close(struct work_queue *work_queue)
{
    lock(work_queue);
    work_queue->closing = true;
    unlock(work_queue);
    (void)pthread_cond_signal(&work_queue->submitted);
}

/* --- for the apply thread ------------------------------------------------------------------- */

struct transfer work_queue_transfer(struct work_queue *work_queue, struct applier *applier)
{
    lock(work_queue);
    struct transfer transfer = {!work_queue->closing, work_queue->to_apply.head != NULL};
    applier_submit(applier, &work_queue->to_apply);
    size_t before = work_queue->from_apply.count;
    applier_reap(applier, &work_queue->from_apply);
    bool completed = work_queue->from_apply.count > before;
    unlock(work_queue);
    if (completed)
        (void)eventfd_write(work_queue->wake_fd, 1); /* it fails only if it is readable already */
    return transfer;
}

/* Waits until the time (INT64_MAX: without a limit), a kick, the close or, with `until_submitted`,
   until there are submitted jobs. Then moves these to the applier. */
static bool wait_until(struct work_queue *work_queue, struct applier *applier, int64_t until_ms,
                       bool until_submitted)
{
    lock(work_queue);
    for (bool in_time = true; !work_queue->closing && !work_queue->kicked && in_time;) {
        if (until_submitted && work_queue->to_apply.head != NULL)
            break;
        in_time = condition_wait(&work_queue->submitted, &work_queue->lock, until_ms);
    }
    work_queue->kicked = false;
    bool open = !work_queue->closing;
    applier_submit(applier, &work_queue->to_apply);
    unlock(work_queue);
    return open;
}

bool work_queue_wait(struct work_queue *work_queue, struct applier *applier, int64_t pause_ms)
{
    return wait_until(work_queue, applier, system_monotonic_ms() + pause_ms, false);
}

bool work_queue_idle(struct work_queue *work_queue, struct applier *applier, int64_t pause_ms)
{
    int64_t until_ms = pause_ms > 0 ? system_monotonic_ms() + pause_ms : INT64_MAX;
    return wait_until(work_queue, applier, until_ms, true);
}
