/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/condition.h"

#include <time.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_ms)
{
    struct timespec until = {until_ms / MS_PER_S, until_ms % MS_PER_S * NS_PER_MS};
    if (until_ms == INT64_MAX)
        return pthread_cond_wait(condition, lock) == 0;
    return pthread_cond_timedwait(condition, lock, &until) == 0;
}
