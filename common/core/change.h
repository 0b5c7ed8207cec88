/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change of inventories and allocations concerns: each provider whose inventories or usage
 * the command may change, here called touched; and the amounts of the command's consumers before
 * and after it, added up by provider and class. All this is gathered before the rules are checked
 * (decide_change.c). This module checks no rule.
 */
#ifndef ALLOT_CORE_CHANGE_H
#define ALLOT_CORE_CHANGE_H

#include "common/core/snapshot.h"

/* The amount that the command's consumers have of one class on one provider, before and after. */
struct usage_delta {
    struct uuid provider;
    struct text resource_class;
    int64_t before;
    int64_t after;
};

struct touched_provider {
    struct uuid id;
    struct provider *provider;
    const struct inventory_change *change; /* NULL: its inventories stay as they are */
};

/* All members are borrowed from the snapshot's arena or from the command. */
struct change {
    struct snapshot *snapshot;
    const struct change_params *params;
    struct usage_delta *deltas; /* by provider, then class */
    size_t delta_count;
    struct touched_provider *touched; /* by provider */
    size_t touched_count;
};

/* Fills `deltas` and `touched`; `snapshot` and `params` must be set. */
void change_gather(struct change *change);

/* Returns the stored consumer of a claim. */
const struct consumer *change_stored(const struct change *change, const struct claim *claim);
/* Returns NULL if the command's consumers have nothing of the class there, before or after. */
const struct usage_delta *change_delta(const struct change *change, struct uuid provider,
                                       struct text resource_class);
/* Returns NULL if the command does not touch the provider. */
const struct touched_provider *change_touched(const struct change *change, struct uuid provider);
/* Returns NULL if the new inventories do not have the class. */
const struct inventory *change_new_inventory(const struct inventory_change *change,
                                             struct text resource_class);
/* Returns the inventory that is valid after the command; NULL if there is none of the class. */
const struct inventory *change_end_inventory(const struct change *change, struct uuid provider,
                                             struct text resource_class);

/* Makes the effect in the snapshot, and lists the new generations in `result`. */
void change_apply(const struct change *change, struct result *result);

#endif
