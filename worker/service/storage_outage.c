/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each thread has a state, and the outage lasts until all are HEALTHY. A thread whose call
 * fails is FAILING until it has a success. If it loses its jobs before, because their connection
 * was lost, it does not find out whether the database is there: it is UNSURE until any thread has a
 * success.
 *
 * The thread for writes is STUCK while a step takes long, and SLOW if that step succeeds. A slow
 * database still commits. So that each batch does not end an outage that the next one begins again,
 * that thread stays SLOW until it has a batch without a slow step, or nothing to do.
 *
 * A failure of a call that began before the last success is old news, and begins no outage.
 *
 * Not here: which failures are outages (applier_failure.c), when a line is due (outage_log.c).
 */
#include "worker/service/storage_outage.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "worker/service/events.h"
#include "worker/service/outage_log.h"

enum { WRITES = 0, NO_STEP = -1 };

enum thread_state { HEALTHY, SLOW, STUCK, FAILING, UNSURE };

struct thread {
    enum thread_state state;
    int64_t step_began_ms; /* NO_STEP: it is in none */
};

struct storage_outage {
    pthread_mutex_t lock;  /* of all below */
    struct outage_log log; /* of the outage, if one has begun */
    bool has_line;
    bool failed; /* a call failed; with: */
    enum store_status status;
    struct error error;
    bool slow;          /* a step of the batch of writes was */
    int64_t success_ms; /* the last one of any thread */
    struct thread *threads;
    size_t thread_count;
};

struct storage_outage *storage_outage_new(size_t thread_count)
{
    struct storage_outage *outage = MEMORY_NEW(struct storage_outage);
    (void)pthread_mutex_init(&outage->lock, NULL);
    outage->success_ms = INT64_MIN;
    outage->threads = memory_array(thread_count, sizeof *outage->threads);
    outage->thread_count = thread_count;
    for (size_t i = 0; i < thread_count; i++)
        outage->threads[i] = (struct thread){HEALTHY, NO_STEP};
    return outage;
}

void storage_outage_free(struct storage_outage *outage)
{
    (void)pthread_mutex_destroy(&outage->lock);
    free(outage->threads);
    free(outage);
}

static size_t count_in(const struct storage_outage *outage, enum thread_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < outage->thread_count; i++)
        count += outage->threads[i].state == state;
    return count;
}

static void log_if_due(struct storage_outage *outage, bool failed, int64_t now_ms)
{
    if (!outage_log_due(&outage->log, failed, now_ms))
        return;
    int64_t outage_ms = outage_log_duration_ms(&outage->log, now_ms);
    outage->has_line = true;
    if (outage->failed)
        event_log(EVENT_STORAGE_UNAVAILABLE,
                  LOG_FIELDS(LOG_I("outage_ms", outage_ms),
                             LOG_S("status", store_status_name(outage->status)),
                             LOG_S("error", outage->error.text)),
                  "the database cannot be used; commands wait");
    else
        event_log_at(LOG_LEVEL_WARNING, EVENT_STORAGE_UNAVAILABLE,
                     LOG_FIELDS(LOG_I("outage_ms", outage_ms)),
                     "no answer from the database yet; commands wait");
}

static void end_if_over(struct storage_outage *outage, int64_t now_ms)
{
    if (count_in(outage, HEALTHY) < outage->thread_count)
        return;
    int64_t outage_ms = outage_log_end(&outage->log, now_ms);
    if (outage->has_line)
        event_log(EVENT_STORAGE_RECOVERED, LOG_FIELDS(LOG_I("outage_ms", outage_ms)),
                  "the database is available again");
    outage->has_line = outage->failed = false;
}

static void note_failure(struct storage_outage *outage, struct thread *thread,
                         const struct storage_step *step, int64_t now_ms)
{
    if (thread->step_began_ms < outage->success_ms &&
        count_in(outage, HEALTHY) == outage->thread_count)
        return;
    thread->state = FAILING;
    if (thread == &outage->threads[WRITES])
        outage->slow = false; /* the batch is tried again */
    outage->failed = true;
    outage->status = step->status;
    outage->error = *step->error;
    outage_log_begin(&outage->log, now_ms);
    log_if_due(outage, true, now_ms);
}

static void note_success(struct storage_outage *outage, struct thread *thread, int64_t now_ms)
{
    bool stays_slow =
        thread == &outage->threads[WRITES] && outage->slow && thread->state != HEALTHY;
    for (size_t i = 0; i < outage->thread_count; i++) {
        if (outage->threads[i].state == UNSURE)
            outage->threads[i].state = HEALTHY;
    }
    thread->state = stays_slow ? SLOW : HEALTHY;
    if (thread == &outage->threads[WRITES])
        outage->slow = false;
    outage->success_ms = now_ms;
    end_if_over(outage, now_ms);
}

static void note_idle(struct storage_outage *outage, struct thread *thread, int64_t now_ms)
{
    if (thread->state == FAILING)
        thread->state = UNSURE;
    if (thread->state == SLOW)
        thread->state = HEALTHY;
    end_if_over(outage, now_ms);
}

static bool is_slow(const struct thread *thread, int64_t now_ms)
{
    return thread->step_began_ms != NO_STEP && now_ms - thread->step_began_ms >= OUTAGE_START_MS;
}

void storage_outage_enter(struct storage_outage *outage, size_t thread, int64_t now_ms)
{
    (void)pthread_mutex_lock(&outage->lock);
    outage->threads[thread].step_began_ms = now_ms;
    (void)pthread_mutex_unlock(&outage->lock);
}

void storage_outage_leave(struct storage_outage *outage, size_t thread,
                          const struct storage_step *step, int64_t now_ms)
{
    (void)pthread_mutex_lock(&outage->lock);
    struct thread *self = &outage->threads[thread];
    outage->slow |= thread == WRITES && is_slow(self, now_ms);
    if (self->state == STUCK)
        self->state = SLOW;
    switch (step->result) {
    case STORAGE_FAILED: note_failure(outage, self, step, now_ms); break;
    case STORAGE_WORKED: note_success(outage, self, now_ms); break;
    case STORAGE_IDLE: note_idle(outage, self, now_ms); break;
    case STORAGE_UNTOLD: break;
    }
    self->step_began_ms = NO_STEP;
    (void)pthread_mutex_unlock(&outage->lock);
}

void storage_outage_check(struct storage_outage *outage, int64_t now_ms)
{
    (void)pthread_mutex_lock(&outage->lock);
    struct thread *writes = &outage->threads[WRITES];
    if (is_slow(writes, now_ms)) {
        if (writes->state == HEALTHY || writes->state == SLOW)
            writes->state = STUCK;
        outage_log_begin(&outage->log, writes->step_began_ms);
    }
    if (count_in(outage, STUCK) + count_in(outage, FAILING) > 0)
        log_if_due(outage, false, now_ms);
    (void)pthread_mutex_unlock(&outage->lock);
}
