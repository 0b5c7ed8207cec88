/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the planner, among themselves: each judges one request whose key is not on record.
 * A judge that finds nothing to refuse makes the effect in the snapshot and fills the result; one
 * that refuses leaves the snapshot as it was.
 */
#ifndef ALLOT_CORE_JUDGE_H
#define ALLOT_CORE_JUDGE_H

#include "common/core/plan.h"

struct judge {
    const struct plan_context *context;
    struct snapshot *snapshot;
    const struct request *request;
    size_t index; /* of the request in its batch */
    struct verdict *verdict;
};

/* False: refused as `forbidden`. */
ALLOT_CHECK bool judge_policy(struct judge *judge);

/* provider.create, .update, .delete */
void judge_provider(struct judge *judge);
/* inventory.set, allocation.set, .batch, .delete, reshape */
void judge_change(struct judge *judge);
/* the commands that only read */
void judge_read(struct judge *judge);

/* Refuses with `provider_not_found`; the list is sorted. */
void refuse_providers_missing(struct judge *judge, const struct uuid *missing, size_t count);

#endif
