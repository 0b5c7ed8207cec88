/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change touches, gathered before any rule is asked: the amounts of its consumers before and
 * after, summed up by provider and class, and every provider touched. Knows no rule.
 */
#ifndef ALLOT_CORE_CHANGE_H
#define ALLOT_CORE_CHANGE_H

#include "common/core/snapshot.h"

/* One class on one provider: what the command's consumers hold of it before and after. */
struct usage_delta {
    struct uuid provider;
    struct text resource_class;
    int64_t before;
    int64_t after;
};

/* A provider that is touched, and its new inventory, if the command sets it. */
struct touched_provider {
    struct uuid id;
    struct provider *provider;
    const struct inventory_change *change;
};

struct change {
    struct snapshot *snapshot;
    const struct change_params *params;
    struct usage_delta *deltas; /* by provider, then class */
    size_t delta_count;
    struct touched_provider *touched; /* by provider */
    size_t touched_count;
};

/* Fills all but `snapshot` and `params`. */
void change_gather(struct change *change);

const struct consumer *change_stored(const struct change *change, const struct claim *claim);
/* What a consumer holds now: none where it does not exist, whatever its slot still says. */
size_t change_held(const struct consumer *consumer);
/* NULL: the command's consumers hold nothing of it, before or after. */
const struct usage_delta *change_delta(const struct change *change, struct uuid provider,
                                       struct text resource_class);
/* NULL: not touched. */
const struct touched_provider *change_touched(const struct change *change, struct uuid provider);
/* NULL: the new inventory has no such class. */
const struct inventory *change_new_inventory(const struct inventory_change *change,
                                             struct text resource_class);
/* The record that holds when the command has taken effect; NULL: there is none. */
const struct inventory *change_end_inventory(const struct change *change, struct uuid provider,
                                             struct text resource_class);

#endif
