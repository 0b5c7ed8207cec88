/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the thread that has the database repaired, with a fake store. The thread is a real one, so
 * the tests wait for calls, and none depends on how long something takes. A test that fails may
 * leave the thread behind.
 *
 * Not here: what a repair does (tests/contract/test_store_sentinel.c).
 */
#include "tests/support/cmocka.h"

#include "common/host/log.h"
#include "tests/support/thread_store.h"
#include "worker/service/repairer.h"

enum { SOON_MS = 1, NEVER_MS = 3600 * 1000 };

/* A store that only repairs, for one thread. */
struct fake_store {
    struct thread_store base;
    size_t repairs; /* calls that have begun */
    bool held;      /* calls do not return */
};

static enum store_status repair(struct store *base, struct store_gap *ret_gap, struct error *error)
{
    struct fake_store *store = (struct fake_store *)base;
    *ret_gap = (struct store_gap){{"providers: index 'name'"}, {"providers: index 'name'"}, false};
    error_set(error, "not authorized");
    thread_store_lock(&store->base);
    store->repairs++;
    (void)pthread_cond_broadcast(&store->base.changed);
    while (store->held)
        thread_store_wait(&store->base);
    thread_store_unlock(&store->base);
    return STORE_MISCONFIGURED;
}

static const struct store_ops ops = {.repair = repair, .free = thread_store_free};

static struct fake_store make_store(void)
{
    struct fake_store store = {.base = thread_store_make(&ops)};
    return store;
}

static void test_the_database_is_repaired_again_and_again(void **state)
{
    (void)state;
    struct fake_store store = make_store();
    struct repairer *repairer = repairer_start(&store.base.base, SOON_MS);
    thread_store_await(&store.base, &store.repairs, 3);
    repairer_stop(repairer);
    assert_true(repairer_end(repairer, THREAD_STORE_WAIT_MS));
    assert_int_equal(store.base.frees, 1);
}

/* The lanes prepare the database at their start. */
static void test_the_first_repair_is_not_at_once(void **state)
{
    (void)state;
    struct fake_store store = make_store();
    struct repairer *repairer = repairer_start(&store.base.base, NEVER_MS);
    repairer_stop(repairer);
    assert_true(repairer_end(repairer, THREAD_STORE_WAIT_MS));
    assert_int_equal(store.repairs, 0);
}

static void test_an_end_does_not_wait_for_a_repair_that_hangs(void **state)
{
    (void)state;
    static struct fake_store store; /* the thread unlocks it last */
    store = make_store();
    store.held = true;
    struct repairer *repairer = repairer_start(&store.base.base, SOON_MS);
    thread_store_await(&store.base, &store.repairs, 1);
    repairer_stop(repairer);
    assert_false(repairer_end(repairer, SOON_MS));
    assert_int_equal(store.base.frees, 0);
    thread_store_lock(&store.base);
    store.held = false;
    thread_store_unlock(&store.base);
    thread_store_await(&store.base, &store.base.frees, 1);
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
