/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The thread runs the steps of its applier. Between two steps it hands completed jobs to
 * the transport thread and takes new ones, all through the work queue. Before the first step the
 * database has to be prepared: one thread of the lane does that, the others wait for it.
 *
 * What the transport thread and the main thread want to know is atomic, or noted in the outage that
 * the threads of the lane share: each step tells it its beginning, its end, and what it says about
 * the database.
 *
 * Not here: what a step does (applier.c), which job is for which thread (apply_role.c).
 */
#include "worker/service/apply_thread.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "worker/service/events.h"
#include "worker/service/job_letter.h"
#include "worker/service/watchdog.h"

enum {
    STACK_BYTES = 16 * 1024 * 1024, /* JSON is decoded by recursion */
    PREPARE_PAUSE_MS = 1000,
    PREPARED_PAUSE_MS = 20 /* until another thread is asked again */
};

struct apply_thread {
    struct apply_thread_options options;
    pthread_t thread;
    struct work_queue *work_queue;
    size_t count; /* of the transport thread: jobs submitted and not yet reaped */
    struct watchdog watchdog;

    /* written by the thread, for the watchdog and the log */
    _Atomic uint64_t steps;
    _Atomic(const char *) stage;
    atomic_bool in_step;
    atomic_bool in_outage;
};

/* --- the thread ----------------------------------------------------------------------------- */

static int64_t now_ms(const struct apply_thread *thread)
{
    struct clock *clock = thread->options.applier.clock;
    return clock->monotonic_ms(clock);
}

static void enter_step(const struct apply_thread *thread)
{
    storage_outage_enter(thread->options.outage, thread->options.index, now_ms(thread));
}

static void leave_step(const struct apply_thread *thread, const struct storage_step *step)
{
    storage_outage_leave(thread->options.outage, thread->options.index, step, now_ms(thread));
}

static void log_prepare_failed(enum store_status status, const struct error *error)
{
    event_log(EVENT_STORAGE_PREPARE_FAILED,
              LOG_FIELDS(LOG_S("status", store_status_name(status)),
                         LOG_I("retry_in_ms", PREPARE_PAUSE_MS), LOG_S("error", error->text)),
              "database not ready, retrying");
}

/* Makes one try to prepare the database. */
static enum store_status prepare_once(const struct apply_thread *thread)
{
    struct store *store = thread->options.applier.store;
    struct error error = {""};
    enter_step(thread);
    enum store_status status = store->ops->prepare(store, &error);
    if (status != STORE_OK)
        log_prepare_failed(status, &error);
    leave_step(thread, &(struct storage_step){status == STORE_OK ? STORAGE_WORKED : STORAGE_FAILED,
                                              status, &error});
    return status;
}

/* Creates collections, validators and indexes, which have to exist before the first transaction.
   Returns false if the thread has to end. */
static bool prepare_store(struct apply_thread *thread, struct applier *applier)
{
    while (prepare_once(thread) != STORE_OK) {
        if (!work_queue_wait(thread->work_queue, applier, PREPARE_PAUSE_MS))
            return false;
    }
    atomic_store(thread->options.prepared, true);
    event_log(EVENT_STORAGE_READY, LOG_NONE, "database ready");
    return true;
}

static bool start_store(const struct apply_thread *thread)
{
    struct store *store = thread->options.applier.store;
    return atomic_load(thread->options.prepared) && store->ops->start(store, NULL) == STORE_OK;
}

/* Waits until another thread has prepared the database. Returns false if the thread has to end. */
static bool wait_until_prepared(struct apply_thread *thread, struct applier *applier)
{
    while (!start_store(thread)) {
        if (!work_queue_wait(thread->work_queue, applier, PREPARED_PAUSE_MS))
            return false;
    }
    return true;
}

static enum applier_next step(struct apply_thread *thread, struct applier *applier,
                              int64_t *ret_pause_ms)
{
    atomic_store(&thread->in_step, true);
    enter_step(thread);
    enum applier_next next = applier_step(applier, ret_pause_ms);
    struct storage_step last = applier_last_step(applier);
    if (next == APPLIER_IDLE && *ret_pause_ms == 0)
        last.result = STORAGE_IDLE;
    leave_step(thread, &last);
    atomic_store(&thread->in_step, false);
    atomic_store(&thread->stage, applier_stage_name(applier));
    atomic_store(&thread->in_outage, applier_in_outage(applier));
    atomic_fetch_add(&thread->steps, 1);
    return next;
}

static void run_steps(struct apply_thread *thread, struct applier *applier)
{
    atomic_store(&thread->stage, applier_stage_name(applier));
    atomic_store(&thread->in_outage, false);
    for (bool open = true; open;) {
        int64_t pause_ms = 0;
        enum applier_next next = step(thread, applier, &pause_ms);
        struct transfer transfer = work_queue_transfer(thread->work_queue, applier);
        open = transfer.open;
        if (open && next == APPLIER_IDLE && !transfer.submitted)
            open = work_queue_idle(thread->work_queue, applier, pause_ms);
        else if (open && next == APPLIER_WAIT)
            open = work_queue_wait(thread->work_queue, applier, pause_ms);
    }
}

static void *apply_main(void *argument)
{
    struct apply_thread *thread = argument;
    struct applier *applier = applier_new(&thread->options.applier);
    bool ready = thread->options.prepares ? prepare_store(thread, applier)
                                          : wait_until_prepared(thread, applier);
    if (ready)
        run_steps(thread, applier);
    applier_free(applier);
    return NULL;
}

/* --- for the transport thread --------------------------------------------------------------- */

struct apply_thread *apply_thread_start(const struct apply_thread_options *options)
{
    struct apply_thread *thread = MEMORY_NEW(struct apply_thread);
    pthread_attr_t attributes;
    thread->options = *options;
    thread->work_queue = work_queue_new(options->wake_fd);
    thread->stage = "prepare";
    thread->in_outage = true; /* until the database is prepared */
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (pthread_create(&thread->thread, &attributes, apply_main, thread) != 0)
        abort(); /* at the start, with nothing in flight */
    (void)pthread_setname_np(thread->thread, options->name);
    (void)pthread_attr_destroy(&attributes);
    return thread;
}

void apply_thread_close(struct apply_thread *thread)
{
    work_queue_close(thread->work_queue);
}

void apply_thread_end(struct apply_thread *thread)
{
    (void)pthread_join(thread->thread, NULL);
    thread->options.applier.store->ops->free(thread->options.applier.store);
    work_queue_free(thread->work_queue);
    free(thread);
}

void apply_thread_submit(struct apply_thread *thread, struct job_queue *jobs)
{
    thread->count += jobs->count;
    work_queue_submit(thread->work_queue, jobs);
}

void apply_thread_reap(struct apply_thread *thread, struct job_queue *ret_jobs)
{
    struct job_queue completed = {0};
    work_queue_reap(thread->work_queue, &completed);
    for (const struct job *job = completed.head; job != NULL; job = job->next)
        thread->count -= !job_is_claimed_letter(job);
    job_queue_append(ret_jobs, &completed);
}

size_t apply_thread_count(const struct apply_thread *thread)
{
    return thread->count;
}

const char *apply_thread_stage(const struct apply_thread *thread)
{
    return atomic_load(&thread->stage);
}

enum apply_stall apply_thread_check(struct apply_thread *thread, int64_t now_ms,
                                    const char **ret_reason)
{
    bool busy = thread->count > 0 && !atomic_load(&thread->in_outage);
    if (!watchdog_check(&thread->watchdog, atomic_load(&thread->steps), busy, now_ms,
                        thread->options.watchdog_ms))
        return APPLY_RUNS;
    *ret_reason = atomic_load(&thread->in_step)
                      ? "the stage does not return"
                      : "the apply thread is idle although commands are queued";
    return thread->watchdog.consecutive > 1 ? APPLY_STALLED_AGAIN : APPLY_STALLED;
}

void apply_thread_kick(struct apply_thread *thread)
{
    work_queue_kick(thread->work_queue);
}
