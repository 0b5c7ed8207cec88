/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables whose limits go by the monotonic clock, so that a change of the system time
 * neither shortens nor prolongs a wait. */
#ifndef ALLOT_HOST_CONDITION_H
#define ALLOT_HOST_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* To be destroyed with pthread_cond_destroy. */
void condition_init(pthread_cond_t *condition);

/* Waits for a signal, at most until system_monotonic_ms() is `until_ms`; INT64_MAX: without a
   limit. Returns false if that time has come. It may return true without a signal. The caller holds
   the lock, as for pthread_cond_wait. */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_ms);

#endif
