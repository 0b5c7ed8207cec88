/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The thread prepares the database, then reports the state of the worker: every report_ms,
 * and at once after a change of the state. After the report that the worker has stopped it ends.
 * `lock` protects the state, the list of counters and `ended`; it is never held in a call of the
 * store.
 *
 * Every repair_ms, while the worker runs, the thread also has the store look whether parts of the
 * database are missing, and create them (storage_repair.h). Transactions notice a dropped
 * collection by themselves; this finds the rest, such as an index.
 *
 * A report that fails is tried again with the next one. It is a warning once, until one succeeds.
 * Only the last one is made once, since the process waits for it.
 */
#include "worker/service/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/host/condition.h"
#include "common/host/system_clock.h"
#include "worker/service/events.h"
#include "worker/service/storage_repair.h"

enum { PREPARE_PAUSE_MS = 1000, MS_PER_S = 1000 };

struct registry {
    struct registry_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the state, or `ended` */
    enum worker_state state;
    const struct counters **counters; /* owned list; NULL: not to be read any more */
    bool ended;                       /* the thread makes no call any more */
    bool abandoned;                   /* nobody waits for the thread; it frees the registry */

    /* of the thread alone */
    uint64_t totals[WORKER_RATE_COUNT]; /* of all lanes, at the last report */
    int64_t totals_ms;                  /* when, by the monotonic clock */
    int64_t repair_from_ms;             /* no repair before, by the monotonic clock */
    bool failing;                       /* the last report failed */
};

static void lock(struct registry *registry)
{
    (void)pthread_mutex_lock(&registry->lock);
}

static void unlock(struct registry *registry)
{
    (void)pthread_mutex_unlock(&registry->lock);
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Waits until the state is another one than this, or the time has passed. */
static void wait_for_change(struct registry *registry, enum worker_state from, int64_t wait_ms)
{
    int64_t until_ms = system_monotonic_ms() + wait_ms;
    lock(registry);
    for (bool in_time = true; registry->state == from && in_time;)
        in_time = condition_wait(&registry->changed, &registry->lock, until_ms);
    unlock(registry);
}

static enum worker_state state_of(struct registry *registry)
{
    lock(registry);
    enum worker_state state = registry->state;
    unlock(registry);
    return state;
}

/* Returns false if the worker stops before the database is prepared: then it has no record. */
static bool prepare(struct registry *registry)
{
    struct store *store = registry->options.store;
    while (store->ops->prepare(store, NULL) != STORE_OK) { /* the lanes log why */
        wait_for_change(registry, WORKER_RUNNING, PREPARE_PAUSE_MS);
        if (state_of(registry) != WORKER_RUNNING)
            return false;
    }
    return true;
}

static uint64_t total_of(const struct registry *registry, enum counter counter)
{
    uint64_t total = 0;
    for (size_t i = 0; i < registry->options.lanes; i++)
        total += counter_read(registry->counters[i], counter);
    return total;
}

static void read_totals(const struct registry *registry, uint64_t *ret_totals)
{
    static const enum counter counters[] = {
#define X(id, name) [WORKER_RATE_##id] = COUNTER_##id,
        WORKER_RATES(X)
#undef X
    };
    for (size_t i = 0; i < WORKER_RATE_COUNT; i++)
        ret_totals[i] = total_of(registry, counters[i]);
}

/* Sets the rates since the last report. Called under the lock. */
static void fill_rates(struct registry *registry, struct worker_report *report)
{
    struct clock *clock = registry->options.clock;
    int64_t now_ms = clock->monotonic_ms(clock);
    double seconds = (double)(now_ms - registry->totals_ms) / MS_PER_S;
    uint64_t totals[WORKER_RATE_COUNT];
    if (registry->counters == NULL || seconds <= 0)
        return;
    read_totals(registry, totals);
    for (size_t i = 0; i < WORKER_RATE_COUNT; i++)
        report->rates[i] = (double)(totals[i] - registry->totals[i]) / seconds;
    memcpy(registry->totals, totals, sizeof totals);
    registry->totals_ms = now_ms;
}

static struct worker_report make_report(struct registry *registry)
{
    struct worker_report report = {.version = registry->options.version,
                                   .lanes = (int64_t)registry->options.lanes};
    lock(registry);
    report.state = registry->state;
    fill_rates(registry, &report);
    unlock(registry);
    return report;
}

static void log_failed(const struct registry *registry, enum worker_state state,
                       const struct error *error)
{
    bool last = state == WORKER_STOPPED;
    event_log_at(last || !registry->failing ? event_level(EVENT_WORKER_REPORT_FAILED)
                                            : LOG_LEVEL_DEBUG,
                 EVENT_WORKER_REPORT_FAILED, LOG_FIELDS(LOG_S("error", error->text)),
                 last ? "cannot note in the database that the worker has stopped; attempt records "
                        "that it left count as crashes"
                      : "cannot write the document of this worker in the database; trying again");
}

/* Returns the state that was reported, or could not be. */
static enum worker_state report_once(struct registry *registry)
{
    struct store *store = registry->options.store;
    struct worker_report report = make_report(registry);
    struct error error = {""};
    bool failed = store->ops->report_worker(store, &report, &error) != STORE_OK;
    if (failed)
        log_failed(registry, report.state, &error);
    registry->failing = failed;
    return report.state;
}

static void set_next_repair(struct registry *registry)
{
    registry->repair_from_ms = system_monotonic_ms() + registry->options.repair_ms;
}

/* A failure is logged, and a repair is made again when the next one is due. */
static void repair_if_due(struct registry *registry)
{
    if (system_monotonic_ms() < registry->repair_from_ms)
        return;
    (void)storage_repair(registry->options.store, NULL);
    set_next_repair(registry);
}

static void report_until_stopped(struct registry *registry)
{
    set_next_repair(registry); /* the database was prepared just now */
    for (;;) {
        enum worker_state state = report_once(registry);
        if (state == WORKER_STOPPED)
            return;
        if (state == WORKER_RUNNING)
            repair_if_due(registry);
        wait_for_change(registry, state, registry->options.report_ms);
    }
}

static void registry_free(struct registry *registry)
{
    registry->options.store->ops->free(registry->options.store);
    (void)pthread_cond_destroy(&registry->changed);
    (void)pthread_mutex_destroy(&registry->lock);
    free(registry);
}

static void *registry_main(void *argument)
{
    struct registry *registry = argument;
    if (prepare(registry))
        report_until_stopped(registry);
    lock(registry);
    registry->ended = true;
    bool abandoned = registry->abandoned;
    (void)pthread_cond_broadcast(&registry->changed);
    unlock(registry);
    if (abandoned)
        registry_free(registry);
    return NULL;
}

/* --- for the main thread ---------------------------------------------------------------------- */

struct registry *registry_start(const struct registry_options *options)
{
    struct registry *registry = MEMORY_NEW(struct registry);
    registry->options = *options;
    registry->counters = memory_array(options->lanes, sizeof *registry->counters);
    memcpy(registry->counters, options->counters, options->lanes * sizeof *registry->counters);
    registry->options.counters = NULL;
    registry->totals_ms = options->clock->monotonic_ms(options->clock);
    (void)pthread_mutex_init(&registry->lock, NULL);
    condition_init(&registry->changed);
    if (pthread_create(&registry->thread, NULL, registry_main, registry) != 0)
        abort(); /* out of threads at the start, with nothing in flight */
    (void)pthread_setname_np(registry->thread, "registry");
    return registry;
}

/* Called under the lock. */
static void change_state(struct registry *registry, enum worker_state state)
{
    free(registry->counters);
    registry->counters = NULL;
    registry->state = state;
    (void)pthread_cond_broadcast(&registry->changed);
}

void registry_stopping(struct registry *registry)
{
    lock(registry);
    change_state(registry, WORKER_STOPPING);
    unlock(registry);
}

bool registry_end(struct registry *registry, int64_t limit_ms)
{
    int64_t until_ms = system_monotonic_ms() + limit_ms;
    pthread_t thread = registry->thread;
    lock(registry);
    change_state(registry, WORKER_STOPPED);
    for (bool in_time = true; !registry->ended && in_time;)
        in_time = condition_wait(&registry->changed, &registry->lock, until_ms);
    bool ended = registry->ended;
    registry->abandoned = !ended;
    unlock(registry); /* if it is abandoned, it may be freed from now on */
    if (!ended) {
        (void)pthread_detach(thread);
        return false;
    }
    (void)pthread_join(thread, NULL);
    registry_free(registry);
    return true;
}
