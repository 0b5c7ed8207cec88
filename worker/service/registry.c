/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The thread prepares the database, then reports the state of the worker: every report_ms,
 * and at once after a change of the state. After the report that the worker has stopped it ends.
 * The lock of the thread protects the state and the list of counters; it is never held in a call of
 * the store.
 *
 * A report that fails is tried again with the next one. It is a warning once, until one succeeds.
 * Only the last one is made once, since the process waits for it.
 */
#include "worker/service/registry.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/host/system_clock.h"
#include "worker/service/events.h"
#include "worker/service/store_thread.h"

enum { PREPARE_PAUSE_MS = 1000, MS_PER_S = 1000 };

struct registry {
    struct store_thread thread; /* the first member */
    struct registry_options options;
    enum worker_state state;
    const struct counters **counters; /* owned list; NULL: not to be read any more */

    /* of the thread alone */
    uint64_t totals[WORKER_RATE_COUNT]; /* of all lanes, at the last report */
    int64_t totals_ms;                  /* when, by the monotonic clock */
    bool failing;                       /* the last report failed */
};

/* --- the thread ------------------------------------------------------------------------------- */

/* Waits until the state is another one than this, or the time has passed. */
static void wait_for_change(struct registry *registry, enum worker_state from, int64_t wait_ms)
{
    int64_t until_ms = system_monotonic_ms() + wait_ms;
    store_thread_lock(&registry->thread);
    for (bool in_time = true; registry->state == from && in_time;)
        in_time = store_thread_wait(&registry->thread, until_ms);
    store_thread_unlock(&registry->thread);
}

static enum worker_state state_of(struct registry *registry)
{
    store_thread_lock(&registry->thread);
    enum worker_state state = registry->state;
    store_thread_unlock(&registry->thread);
    return state;
}

/* Returns false if the worker stops before the database is prepared: then it has no record. */
static bool prepare(struct registry *registry)
{
    struct store *store = registry->thread.store;
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
    double seconds = (double)(now_ms - registry->totals_ms) / (double)MS_PER_S;
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
    store_thread_lock(&registry->thread);
    report.state = registry->state;
    fill_rates(registry, &report);
    store_thread_unlock(&registry->thread);
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
    struct store *store = registry->thread.store;
    struct worker_report report = make_report(registry);
    struct error error = {""};
    bool failed = store->ops->report_worker(store, &report, &error) != STORE_OK;
    if (failed)
        log_failed(registry, report.state, &error);
    registry->failing = failed;
    return report.state;
}

static void report_until_stopped(struct registry *registry)
{
    for (;;) {
        enum worker_state state = report_once(registry);
        if (state == WORKER_STOPPED)
            return;
        wait_for_change(registry, state, registry->options.report_ms);
    }
}

static void run(struct store_thread *thread)
{
    struct registry *registry = (struct registry *)thread;
    if (prepare(registry))
        report_until_stopped(registry);
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
    store_thread_start(&registry->thread, options->store, "registry", run);
    return registry;
}

static void change_state(struct registry *registry, enum worker_state state)
{
    store_thread_lock(&registry->thread);
    free(registry->counters);
    registry->counters = NULL;
    registry->state = state;
    store_thread_unlock(&registry->thread);
}

void registry_stopping(struct registry *registry)
{
    change_state(registry, WORKER_STOPPING);
}

bool registry_end(struct registry *registry, int64_t limit_ms)
{
    change_state(registry, WORKER_STOPPED);
    return store_thread_end(&registry->thread, limit_ms);
}
