/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/thread_store.h"

#include "tests/support/cmocka.h"

#include "common/host/condition.h"
#include "common/host/system_clock.h"

struct thread_store thread_store_make(const struct store_ops *ops)
{
    struct thread_store store = {.base = {ops}};
    (void)pthread_mutex_init(&store.lock, NULL);
    condition_init(&store.changed);
    return store;
}

void thread_store_lock(struct thread_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
}

void thread_store_unlock(struct thread_store *store)
{
    (void)pthread_cond_broadcast(&store->changed);
    (void)pthread_mutex_unlock(&store->lock);
}

void thread_store_wait(struct thread_store *store)
{
    (void)condition_wait(&store->changed, &store->lock, INT64_MAX);
}

void thread_store_await(struct thread_store *store, const size_t *count, size_t value)
{
    int64_t until_ms = system_monotonic_ms() + THREAD_STORE_WAIT_MS;
    bool in_time = true;
    thread_store_lock(store);
    while (in_time && *count < value)
        in_time = condition_wait(&store->changed, &store->lock, until_ms);
    thread_store_unlock(store);
    assert_true(in_time);
}

void thread_store_free(struct store *base)
{
    struct thread_store *store = (struct thread_store *)base;
    thread_store_lock(store);
    store->frees++;
    thread_store_unlock(store);
}
