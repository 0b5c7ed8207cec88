/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The base of a fake store for a thread of the worker that has a store of its own. A test waits for
 * what the thread does. It embeds this as the first member, and counts the calls under the lock.
 */
#ifndef ALLOT_THREAD_STORE_H
#define ALLOT_THREAD_STORE_H

#include <pthread.h>

#include "allot/attributes.h"
#include "allot/store.h"

enum { THREAD_STORE_WAIT_MS = 30 * 1000 }; /* generous: for what has to happen */

struct thread_store {
    struct store base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t frees; /* calls of thread_store_free */
};

struct thread_store thread_store_make(const struct store_ops *ops);
void thread_store_lock(struct thread_store *store);
/* Wakes all who wait for a change, too. */
void thread_store_unlock(struct thread_store *store);
/* Waits for the next change, in a call: the caller holds the lock. */
void thread_store_wait(struct thread_store *store);
/* Waits until a count of the store has this value, or fails the test. */
void thread_store_await(struct thread_store *store, const size_t *count, size_t value);
/* The operation `free`: only counts, so that a test can look at the store afterwards. */
void thread_store_free(struct store *base);

#endif
