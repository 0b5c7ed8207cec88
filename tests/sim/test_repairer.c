/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the thread that has the database repaired, with a fake store. The thread is a real one, so
 * the tests wait for calls, and none depends on how long something takes. A test that fails may
 * leave the thread behind.
 *
 * Not here: what a repair does (tests/contract/test_store_sentinel.c).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "common/host/condition.h"
#include "common/host/log.h"
#include "common/host/system_clock.h"
#include "worker/service/repairer.h"

enum { SOON_MS = 1, NEVER_MS = 3600 * 1000, GENEROUS_MS = 30 * 1000 };

/* A store that only repairs, for one thread. */
struct fake_store {
    struct store base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t repairs; /* calls that have begun */
    bool held;      /* calls do not return */
    size_t frees;
};

static void lock(struct fake_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
}

static void unlock(struct fake_store *store)
{
    (void)pthread_cond_broadcast(&store->changed);
    (void)pthread_mutex_unlock(&store->lock);
}

static enum store_status repair(struct store *base, struct store_gap *ret_gap, struct error *error)
{
    struct fake_store *store = (struct fake_store *)base;
    *ret_gap = (struct store_gap){{"providers: index 'name'"}, {"providers: index 'name'"}, false};
    error_set(error, "not authorized");
    lock(store);
    store->repairs++;
    (void)pthread_cond_broadcast(&store->changed);
    while (store->held)
        (void)condition_wait(&store->changed, &store->lock, INT64_MAX);
    unlock(store);
    return STORE_MISCONFIGURED;
}

static void free_store(struct store *base)
{
    struct fake_store *store = (struct fake_store *)base;
    lock(store);
    store->frees++;
    unlock(store);
}

static const struct store_ops ops = {.repair = repair, .free = free_store};

static struct fake_store make_store(void)
{
    struct fake_store store = {.base = {&ops}};
    (void)pthread_mutex_init(&store.lock, NULL);
    condition_init(&store.changed);
    return store;
}

/* Waits until a count of the store has a value. */
static void await(struct fake_store *store, const size_t *count, size_t value)
{
    int64_t until_ms = system_monotonic_ms() + GENEROUS_MS;
    bool in_time = true;
    lock(store);
    while (in_time && *count < value)
        in_time = condition_wait(&store->changed, &store->lock, until_ms);
    unlock(store);
    assert_true(in_time);
}

static void test_the_database_is_repaired_again_and_again(void **state)
{
    (void)state;
    struct fake_store store = make_store();
    struct repairer *repairer = repairer_start(&store.base, SOON_MS);
    await(&store, &store.repairs, 3);
    repairer_stop(repairer);
    assert_true(repairer_end(repairer, GENEROUS_MS));
    assert_int_equal(store.frees, 1);
}

/* The lanes prepare the database at their start. */
static void test_the_first_repair_is_not_at_once(void **state)
{
    (void)state;
    struct fake_store store = make_store();
    struct repairer *repairer = repairer_start(&store.base, NEVER_MS);
    repairer_stop(repairer);
    assert_true(repairer_end(repairer, GENEROUS_MS));
    assert_int_equal(store.repairs, 0);
}

static void test_an_end_does_not_wait_for_a_repair_that_hangs(void **state)
{
    (void)state;
    static struct fake_store store; /* the thread unlocks it last */
    store = make_store();
    store.held = true;
    struct repairer *repairer = repairer_start(&store.base, SOON_MS);
    await(&store, &store.repairs, 1);
    repairer_stop(repairer);
    assert_false(repairer_end(repairer, SOON_MS));
    assert_int_equal(store.frees, 0);
    lock(&store);
    store.held = false;
    unlock(&store);
    await(&store, &store.frees, 1);
    assert_int_equal(store.repairs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_database_is_repaired_again_and_again),
        cmocka_unit_test(test_the_first_repair_is_not_at_once),
        cmocka_unit_test(test_an_end_does_not_wait_for_a_repair_that_hangs),
    };
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, "repairer test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
