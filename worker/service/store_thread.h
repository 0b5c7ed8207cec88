/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread with a store of its own. A call of the store may take long, so the caller who ends the
 * thread waits only for some time, and then leaves it behind.
 */
#ifndef ALLOT_SERVICE_STORE_THREAD_H
#define ALLOT_SERVICE_STORE_THREAD_H

#include <pthread.h>

#include "allot/attributes.h"
#include "allot/store.h"

/* The first member of an object that was allocated with malloc(). The object may keep state of its
   own under the lock. */
struct store_thread {
    struct store *store; /* owned */

    /* of store_thread.c */
    pthread_t id;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the state of the object, or `ended` */
    void (*run)(struct store_thread *thread);
    bool ended;     /* the thread makes no call any more */
    bool abandoned; /* nobody waits for the thread; it frees the object */
};

/* Starts the thread, which calls `run` once. `name` has at most 15 bytes; ps shows it. */
void store_thread_start(struct store_thread *thread, struct store *store, const char *name,
                        void (*run)(struct store_thread *thread));

void store_thread_lock(struct store_thread *thread);
/* Wakes all who wait for a change, too. */
void store_thread_unlock(struct store_thread *thread);
/* Waits for a change, under the lock, at most until system_monotonic_ms() is `until_ms`. Returns
   false if that time has come; it may return true without a change. */
bool store_thread_wait(struct store_thread *thread, int64_t until_ms);

/*
 * Waits until `run` has returned, which the caller has told it to do, and frees the object with its
 * store. After `limit_ms` it returns false instead: the thread is still in a call, and frees both
 * when `run` returns. So the pool of the store must stay.
 */
ALLOT_CHECK bool store_thread_end(struct store_thread *thread, int64_t limit_ms);

#endif
