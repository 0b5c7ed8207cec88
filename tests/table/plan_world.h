/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stored state of a case, and a fake store: it reads the lines `provider`, `consumer` and
 * `usage` of a table, and fills the slots of a snapshot from them. It does not read commands.
 */
#ifndef ALLOT_TEST_PLAN_WORLD_H
#define ALLOT_TEST_PLAN_WORLD_H

#include "common/core/plan.h"

enum { WORLD_MAX = 32 };

struct world {
    struct arena *arena; /* borrowed; owns everything below */
    struct policy policy;
    int64_t now_ms;
    struct provider providers[WORLD_MAX];
    size_t provider_count;
    struct consumer consumers[WORLD_MAX];
    size_t consumer_count;
    struct outcome outcomes[WORLD_MAX];
    size_t outcome_count;
    struct usage_group usages[WORLD_MAX]; /* of every usage.get */
    size_t usage_count;
};

/* Returns the UUID that "p7" or "c7" stands for. Smaller numbers sort first. */
struct uuid world_uuid(const char *short_name);

/* Each reads a line without its first word, and changes `words`. Fails the test on an error. */
void world_add_provider(struct world *world, char *words);
void world_add_consumer(struct world *world, char *words);
void world_add_usage(struct world *world, char *words);
/* Reads a consumer as world_add_consumer, but does not add it to the state. */
void world_read_consumer(struct world *world, char *words, struct consumer *ret_consumer);

/* Fills the slots of the snapshot that are not loaded. */
void world_fill(struct world *world, struct snapshot *snapshot);

#endif
