/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/store_thread.h"

#include <stdlib.h>

#include "common/host/condition.h"
#include "common/host/system_clock.h"

void store_thread_lock(struct store_thread *thread)
{
    (void)pthread_mutex_lock(&thread->lock);
}

void store_thread_unlock(struct store_thread *thread)
{
    (void)pthread_cond_broadcast(&thread->changed);
    (void)pthread_mutex_unlock(&thread->lock);
}

bool store_thread_wait(struct store_thread *thread, int64_t until_ms)
{
    return condition_wait(&thread->changed, &thread->lock, until_ms);
}

static void free_object(struct store_thread *thread)
{
    thread->store->ops->free(thread->store);
    (void)pthread_cond_destroy(&thread->changed);
    (void)pthread_mutex_destroy(&thread->lock);
    free(thread);
}

static void *thread_main(void *argument)
{
    struct store_thread *thread = argument;
    thread->run(thread);
    store_thread_lock(thread);
    thread->ended = true;
    bool abandoned = thread->abandoned;
    store_thread_unlock(thread);
    if (abandoned)
        free_object(thread);
    return NULL;
}

void store_thread_start(struct store_thread *thread, struct store *store, const char *name,
                        void (*run)(struct store_thread *thread))
{
    thread->store = store;
    thread->run = run;
    (void)pthread_mutex_init(&thread->lock, NULL);
    condition_init(&thread->changed);
    if (pthread_create(&thread->id, NULL, thread_main, thread) != 0)
        abort(); /* out of threads at the start, with nothing in flight */
    (void)pthread_setname_np(thread->id, name);
}

bool store_thread_end(struct store_thread *thread, int64_t limit_ms)
{
    int64_t until_ms = system_monotonic_ms() + limit_ms;
    pthread_t id = thread->id;
    store_thread_lock(thread);
    for (bool in_time = true; !thread->ended && in_time;)
        in_time = store_thread_wait(thread, until_ms);
    bool ended = thread->ended;
    thread->abandoned = !ended;
    store_thread_unlock(thread); /* if it is abandoned, it may be freed from now on */
    if (!ended) {
        (void)pthread_detach(id);
        return false;
    }
    (void)pthread_join(id, NULL);
    free_object(thread);
    return true;
}
