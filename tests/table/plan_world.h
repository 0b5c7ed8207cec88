/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state that a case of a table starts from, and the slots of a snapshot filled from it: what a
 * store would do, without one. Knows nothing of commands.
 */
#ifndef ALLOT_TEST_PLAN_WORLD_H
#define ALLOT_TEST_PLAN_WORLD_H

#include "common/core/plan.h"

enum { WORLD_MAX = 32 };

struct world {
    struct arena *arena;
    struct policy policy;
    int64_t now_ms;
    struct provider providers[WORLD_MAX];
    size_t provider_count;
    struct consumer consumers[WORLD_MAX];
    size_t consumer_count;
    struct outcome outcomes[WORLD_MAX];
    size_t outcome_count;
    struct usage_group usages[WORLD_MAX];
    size_t usage_count;
};

/* "p7" and "c7" are short for a UUID: smaller numbers sort first. */
struct uuid world_uuid(const char *short_name);
/* "provider" and "consumer" lines, without that word. `words` is cut into pieces. */
void world_add_provider(struct world *world, char *words);
void world_read_consumer(struct world *world, char *words, struct consumer *ret_consumer);
void world_add_consumer(struct world *world, char *words);
/* "usage" lines: what the storage sums up for every usage.get. */
void world_add_usage(struct world *world, char *words);
/* Fills what is not loaded. */
void world_fill(struct world *world, struct snapshot *snapshot);

#endif
