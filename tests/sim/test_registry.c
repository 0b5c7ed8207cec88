/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the thread that reports to the database, with a fake store that keeps the last report. The
 * thread is a real one, so the tests wait for reports, and none depends on how long something
 * takes. `held` keeps the thread within a call until the test lets it go on: to change clock and
 * counters between two reports, or to have a call that does not return.
 *
 * A test that fails may leave the thread behind.
 *
 * Not here: what a report means for attempt records (tests/sim/test_restarts.c), and the document
 * in the database (tests/contract/test_store_workers.c).
 */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "common/host/condition.h"
#include "common/host/log.h"
#include "common/host/system_clock.h"
#include "tests/support/fake_clock.h"
#include "tests/support/thread_store.h"
#include "worker/service/registry.h"

enum { SOON_MS = 1, NEVER_MS = 3600 * 1000, FAILURES = 3 };

/* A store that only reports, for one thread. */
struct fake_store {
    struct thread_store base;
    size_t calls; /* of report_worker */
    struct worker_report last;
    bool held;               /* calls of report_worker do not return, */
    size_t passes;           /* but so many more of them do */
    size_t failures;         /* so many fail first */
    size_t prepare_failures; /* the same for `prepare` */
};

static enum store_status prepare(struct store *base, struct error *error)
{
    struct fake_store *store = (struct fake_store *)base;
    (void)error;
    thread_store_lock(&store->base);
    bool fails = store->prepare_failures > 0;
    store->prepare_failures -= fails;
    thread_store_unlock(&store->base);
    return fails ? STORE_UNAVAILABLE : STORE_OK;
}

static enum store_status report_worker(struct store *base, const struct worker_report *report,
                                       struct error *error)
{
    struct fake_store *store = (struct fake_store *)base;
    (void)error;
    thread_store_lock(&store->base);
    store->calls++;
    store->last = *report;
    (void)pthread_cond_broadcast(&store->base.changed);
    while (store->held && store->passes == 0)
        thread_store_wait(&store->base);
    store->passes -= store->held;
    bool fails = store->failures > 0;
    store->failures -= fails;
    thread_store_unlock(&store->base);
    return fails ? STORE_UNAVAILABLE : STORE_OK;
}

static const struct store_ops ops = {
    .prepare = prepare, .report_worker = report_worker, .free = thread_store_free};

static struct fake_store make_store(void)
{
    struct fake_store store = {.base = thread_store_make(&ops)};
    return store;
}

/* Waits until there were so many calls, and one of this state was the last. Returns that. */
static struct worker_report await(struct fake_store *store, size_t calls, enum worker_state state)
{
    int64_t until_ms = system_monotonic_ms() + THREAD_STORE_WAIT_MS;
    bool in_time = true;
    thread_store_lock(&store->base);
    while (in_time && (store->calls < calls || store->last.state != state))
        in_time = condition_wait(&store->base.changed, &store->base.lock, until_ms);
    struct worker_report report = store->last;
    thread_store_unlock(&store->base);
    assert_true(in_time);
    return report;
}

static void hold(struct fake_store *store, bool held)
{
    thread_store_lock(&store->base);
    store->held = held;
    thread_store_unlock(&store->base);
}

static void let_pass(struct fake_store *store)
{
    thread_store_lock(&store->base);
    store->passes++;
    thread_store_unlock(&store->base);
}

static struct registry *start(struct fake_store *store, struct clock *clock,
                              const struct counters *const *counters, size_t lanes,
                              int64_t report_ms)
{
    struct registry_options options = {.store = &store->base.base,
                                       .clock = clock,
                                       .version = text_of("test"),
                                       .report_ms = report_ms,
                                       .counters = counters,
                                       .lanes = lanes};
    return registry_start(&options);
}

static const struct counters no_counters;
static const struct counters *const one_lane[] = {&no_counters};

static void test_reports_follow_each_other_until_the_last(void **state)
{
    (void)state;
    struct fake_store store = make_store();
    struct registry *registry = start(&store, system_clock(), one_lane, 1, SOON_MS);
    (void)await(&store, 3, WORKER_RUNNING);
    registry_stopping(registry);
    (void)await(&store, 6, WORKER_STOPPING);
    assert_true(registry_end(registry, THREAD_STORE_WAIT_MS));
    assert_int_equal(store.last.state, WORKER_STOPPED);
    assert_int_equal(store.last.lanes, 1);
    assert_true(text_is(store.last.version, "test"));
    assert_int_equal(store.base.frees, 1);
}

static void test_a_change_of_the_state_is_reported_at_once(void **state)
{
    (void)state;
    struct fake_store store = make_store();
    struct registry *registry = start(&store, system_clock(), one_lane, 1, NEVER_MS);
    (void)await(&store, 1, WORKER_RUNNING);
    registry_stopping(registry);
    (void)await(&store, 2, WORKER_STOPPING);
    assert_true(registry_end(registry, THREAD_STORE_WAIT_MS));
    assert_int_equal(store.calls, 3);
    assert_int_equal(store.last.state, WORKER_STOPPED);
}

static void test_failures_are_tried_again(void **state)
{
    (void)state;
    struct fake_store store = make_store();
    store.failures = FAILURES;
    store.prepare_failures = 1;
    struct registry *registry = start(&store, system_clock(), one_lane, 1, SOON_MS);
    (void)await(&store, FAILURES + 1, WORKER_RUNNING);
    assert_true(registry_end(registry, THREAD_STORE_WAIT_MS));
    assert_int_equal(store.last.state, WORKER_STOPPED);
}

/* Without a prepared database no lane has made a record, and a report would make the collection
   without its validator. */
static void test_without_a_prepared_database_nothing_is_reported(void **state)
{
    (void)state;
    struct fake_store store = make_store();
    store.prepare_failures = SIZE_MAX;
    struct registry *registry = start(&store, system_clock(), one_lane, 1, SOON_MS);
    registry_stopping(registry);
    assert_true(registry_end(registry, THREAD_STORE_WAIT_MS));
    assert_int_equal(store.calls, 0);
    assert_int_equal(store.base.frees, 1);
}

static void test_an_end_does_not_wait_for_a_call_that_hangs(void **state)
{
    (void)state;
    static struct fake_store store; /* the thread unlocks it last */
    store = make_store();
    store.held = true;
    struct registry *registry = start(&store, system_clock(), one_lane, 1, SOON_MS);
    (void)await(&store, 1, WORKER_RUNNING);
    assert_false(registry_end(registry, SOON_MS));
    assert_int_equal(store.base.frees, 0);
    hold(&store, false);
    (void)await(&store, 2, WORKER_STOPPED);
    thread_store_await(&store.base, &store.base.frees, 1);
}

static void assert_rate(const struct worker_report *report, double expected)
{
    double rate = report->rates[WORKER_RATE_COMMANDS_COMMITTED];
    if (rate < expected - 0.001 || rate > expected + 0.001)
        fail_msg("expected %f, got %f", expected, rate);
}

/* The clock and the counters change while the thread is in a report. */
static void test_rates_are_those_since_the_last_report(void **state)
{
    (void)state;
    static struct counters counters[2];
    const struct counters *const lanes[] = {&counters[0], &counters[1]};
    struct fake_store store = make_store();
    struct fake_clock clock = fake_clock_make();
    store.held = true;
    struct registry *registry = start(&store, &clock.base, lanes, 2, SOON_MS);
    struct worker_report report = await(&store, 1, WORKER_RUNNING);
    assert_rate(&report, 0);
    counter_add(&counters[0], COUNTER_COMMANDS_COMMITTED, 10);
    counter_add(&counters[1], COUNTER_COMMANDS_COMMITTED, 5);
    fake_clock_advance(&clock, 2000);
    let_pass(&store);
    report = await(&store, 2, WORKER_RUNNING);
    assert_rate(&report, 7.5);
    counter_add(&counters[1], COUNTER_COMMANDS_COMMITTED, 20);
    fake_clock_advance(&clock, 10000);
    let_pass(&store);
    report = await(&store, 3, WORKER_RUNNING);
    assert_rate(&report, 2);
    hold(&store, false);
    registry_stopping(registry);
    assert_true(registry_end(registry, THREAD_STORE_WAIT_MS));
    assert_rate(&store.last, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports_follow_each_other_until_the_last),
        cmocka_unit_test(test_a_change_of_the_state_is_reported_at_once),
        cmocka_unit_test(test_failures_are_tried_again),
        cmocka_unit_test(test_without_a_prepared_database_nothing_is_reported),
        cmocka_unit_test(test_an_end_does_not_wait_for_a_call_that_hangs),
        cmocka_unit_test(test_rates_are_those_since_the_last_report),
    };
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "registry test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
