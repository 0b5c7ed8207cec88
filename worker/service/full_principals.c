/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/full_principals.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/memory.h"

struct full_principals {
    pthread_mutex_t mutex;
    atomic_size_t count; /* changed under the mutex; read without it while the set is empty */
    struct text *names;  /* in the arena */
    struct arena *arena; /* owned */
};

struct full_principals *full_principals_new(void)
{
    struct full_principals *set = MEMORY_NEW(struct full_principals);
    (void)pthread_mutex_init(&set->mutex, NULL);
    set->arena = arena_new(0);
    return set;
}

void full_principals_free(struct full_principals *set)
{
    if (set == NULL)
        return;
    (void)pthread_mutex_destroy(&set->mutex);
    arena_free(set->arena);
    free(set);
}

void full_principals_set(struct full_principals *set, const struct letter_share *shares,
                         size_t count, int64_t max_bytes)
{
    size_t full = 0;
    (void)pthread_mutex_lock(&set->mutex);
    arena_reset(set->arena);
    set->names = ARENA_ARRAY(set->arena, struct text, count);
    for (size_t i = 0; i < count; i++) {
        if (letter_share_is_full(&shares[i], max_bytes))
            set->names[full++] = text_copy(set->arena, shares[i].principal);
    }
    atomic_store(&set->count, full);
    (void)pthread_mutex_unlock(&set->mutex);
}

bool full_principals_has(struct full_principals *set, struct text principal)
{
    bool found = false;
    if (atomic_load(&set->count) == 0)
        return false;
    (void)pthread_mutex_lock(&set->mutex);
    for (size_t i = 0; i < set->count && !found; i++)
        found = text_equal(set->names[i], principal);
    (void)pthread_mutex_unlock(&set->mutex);
    return found;
}
