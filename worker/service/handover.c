/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/handover.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

struct handover {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct job_queue to_apply;
    struct job_queue from_apply;
    bool closing;
    bool nudged;
    int wake_fd;
};

struct handover *handover_new(void)
{
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return NULL;
    struct handover *handover = calloc(1, sizeof *handover);
    if (handover == NULL)
        abort();
    handover->wake_fd = wake_fd;
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&handover->lock, NULL);
    (void)pthread_cond_init(&handover->given, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return handover;
}

void handover_free(struct handover *handover)
{
    if (handover == NULL)
        return;
    job_queue_free_all(&handover->to_apply);
    job_queue_free_all(&handover->from_apply);
    (void)pthread_cond_destroy(&handover->given);
    (void)pthread_mutex_destroy(&handover->lock);
    (void)close(handover->wake_fd);
    free(handover);
}

static void lock(struct handover *handover)
{
    (void)pthread_mutex_lock(&handover->lock);
}

static void unlock(struct handover *handover)
{
    (void)pthread_mutex_unlock(&handover->lock);
}

/* --- the giving thread's -------------------------------------------------------------------- */

void handover_give(struct handover *handover, struct job_queue *jobs)
{
    lock(handover);
    job_queue_append(&handover->to_apply, jobs);
    unlock(handover);
    (void)pthread_cond_signal(&handover->given);
}

void handover_take_back(struct handover *handover, struct job_queue *ret_jobs)
{
    lock(handover);
    job_queue_append(ret_jobs, &handover->from_apply);
    unlock(handover);
}

int handover_wake_fd(const struct handover *handover)
{
    return handover->wake_fd;
}

void handover_wake(struct handover *handover)
{
    uint64_t one = 1;
    ssize_t written = write(handover->wake_fd, &one, sizeof one);
    (void)written; /* a full counter wakes as well */
}

void handover_drain_wake(struct handover *handover)
{
    uint64_t count = 0;
    ssize_t got = read(handover->wake_fd, &count, sizeof count);
    (void)got; /* nothing to read is fine: the descriptor does not block */
}

void handover_nudge(struct handover *handover)
{
    lock(handover);
    handover->nudged = true;
    unlock(handover);
    (void)pthread_cond_signal(&handover->given);
}

void handover_close(struct handover *handover)
{
    lock(handover);
    handover->closing = true;
    unlock(handover);
    (void)pthread_cond_signal(&handover->given);
}

/* --- the applying thread's ------------------------------------------------------------------ */

struct exchanged handover_exchange(struct handover *handover, struct applier *applier)
{
    lock(handover);
    struct exchanged exchanged = {!handover->closing, handover->to_apply.head != NULL};
    applier_give(applier, &handover->to_apply);
    size_t before = handover->from_apply.count;
    applier_take(applier, &handover->from_apply);
    bool came_back = handover->from_apply.count > before;
    unlock(handover);
    if (came_back)
        handover_wake(handover);
    return exchanged;
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

bool handover_await(struct handover *handover, struct applier *applier, int64_t pause_ms)
{
    bool timed = pause_ms >= 0;
    struct timespec deadline = deadline_after(timed ? pause_ms : 0);
    lock(handover);
    for (int waited = 0; !handover->closing && !handover->nudged && waited == 0;) {
        if (!timed && handover->to_apply.head != NULL)
            break;
        waited = timed ? pthread_cond_timedwait(&handover->given, &handover->lock, &deadline)
                       : pthread_cond_wait(&handover->given, &handover->lock);
    }
    handover->nudged = false;
    bool open = !handover->closing;
    applier_give(applier, &handover->to_apply);
    unlock(handover);
    return open;
}
