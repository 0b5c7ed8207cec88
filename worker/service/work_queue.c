/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Two lists of jobs under one mutex. The apply thread waits on a condition variable, which
 * submit, kick and close signal. The transport thread never waits here: it polls the eventfd beside
 * its socket. Every call that takes the mutex does no more than move pointers, so neither thread
 * can keep the other waiting.
 *
 * The condition variable uses the monotonic clock, so that a change of the system time neither
 * shortens nor prolongs a pause.
 *
 * Not here: a limit. Flow control (flow.c) bounds what is submitted.
 */
#include "worker/service/work_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "common/base/memory.h"

enum { MS_PER_S = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

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
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&work_queue->lock, NULL);
    (void)pthread_cond_init(&work_queue->submitted, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
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

static struct timespec deadline_after(int64_t pause_ms)
{
    struct timespec deadline;
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += pause_ms / MS_PER_S;
    deadline.tv_nsec += pause_ms % MS_PER_S * NS_PER_MS;
    if (deadline.tv_nsec >= NS_PER_S) {
        deadline.tv_sec++;
        deadline.tv_nsec -= NS_PER_S;
    }
    return deadline;
}

/* Waits until the deadline (NULL: none), a kick, the close or, with `until_submitted`, until there
   are submitted jobs. Then moves these to the applier. */
static bool wait_until(struct work_queue *work_queue, struct applier *applier,
                       const struct timespec *deadline, bool until_submitted)
{
    lock(work_queue);
    for (int waited = 0; !work_queue->closing && !work_queue->kicked && waited == 0;) {
        if (until_submitted && work_queue->to_apply.head != NULL)
            break;
        waited = deadline != NULL
                     ? pthread_cond_timedwait(&work_queue->submitted, &work_queue->lock, deadline)
                     : pthread_cond_wait(&work_queue->submitted, &work_queue->lock);
    }
    work_queue->kicked = false;
    bool open = !work_queue->closing;
    applier_submit(applier, &work_queue->to_apply);
    unlock(work_queue);
    return open;
}

bool work_queue_wait(struct work_queue *work_queue, struct applier *applier, int64_t pause_ms)
{
    struct timespec deadline = deadline_after(pause_ms);
    return wait_until(work_queue, applier, &deadline, false);
}

bool work_queue_idle(struct work_queue *work_queue, struct applier *applier, int64_t pause_ms)
{
    struct timespec deadline = deadline_after(pause_ms);
    return wait_until(work_queue, applier, pause_ms > 0 ? &deadline : NULL, true);
}
