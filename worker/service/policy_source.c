/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each load of the file makes a policy_ref: an arena with the policy and a reference count.
 * The source holds one reference to the newest; every batch and every decoding holds another while
 * it runs. The last release frees the arena. One mutex guards `current` and all counts; it is held
 * for a few instructions, never while a file is read.
 *
 * Rejected: a read-write lock held for a whole batch. A reload would wait for the database.
 */
#include "worker/service/policy_source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/codec/policy_file.h"
#include "common/host/file.h"

struct policy_ref {
    struct policy policy;
    struct arena *arena;   /* owned; holds the policy and this struct */
    pthread_mutex_t *lock; /* of the source; guards `refcount` */
    unsigned refcount;
};

struct policy_source {
    pthread_mutex_t lock;
    char *path;
    struct service_queues queues;
    struct policy_ref *current;
};

static struct policy_ref *load(struct policy_source *source, struct error *error)
{
    struct arena *arena = arena_new(0);
    struct policy_ref *ref = ARENA_NEW(arena, struct policy_ref);
    struct text content;
    if (!file_read(source->path, FILE_POLICY_BYTES_MAX, arena, &content, error) ||
        !policy_read(content, source->path, arena, &ref->policy, error)) {
        arena_free(arena);
        return NULL;
    }
    ref->policy.service_queues = source->queues;
    ref->arena = arena;
    ref->lock = &source->lock;
    ref->refcount = 1;
    return ref;
}

struct policy_source *policy_source_new(const char *path, const struct service_queues *queues,
                                        struct error *error)
{
    struct policy_source *source = MEMORY_NEW(struct policy_source);
    (void)pthread_mutex_init(&source->lock, NULL);
    source->path = memory_string(path, strlen(path));
    source->queues = *queues;
    source->current = load(source, error);
    if (source->current == NULL) {
        policy_source_free(source);
        return NULL;
    }
    return source;
}

void policy_source_free(struct policy_source *source)
{
    if (source == NULL)
        return;
    policy_release(source->current);
    (void)pthread_mutex_destroy(&source->lock);
    free(source->path);
    free(source);
}

bool policy_source_reload(struct policy_source *source, struct error *error)
{
    struct policy_ref *fresh = load(source, error);
    if (fresh == NULL)
        return false;
    (void)pthread_mutex_lock(&source->lock);
    struct policy_ref *old = source->current;
    source->current = fresh;
    (void)pthread_mutex_unlock(&source->lock);
    policy_release(old);
    return true;
}

struct policy_ref *policy_acquire(struct policy_source *source)
{
    (void)pthread_mutex_lock(&source->lock);
    struct policy_ref *ref = source->current;
    ref->refcount++;
    (void)pthread_mutex_unlock(&source->lock);
    return ref;
}

void policy_release(struct policy_ref *ref)
{
    if (ref == NULL)
        return;
    pthread_mutex_t *lock = ref->lock;
    (void)pthread_mutex_lock(lock);
    bool last = --ref->refcount == 0;
    (void)pthread_mutex_unlock(lock);
    if (last)
        arena_free(ref->arena);
}

const struct policy *policy_of(const struct policy_ref *ref)
{
    return &ref->policy;
}
