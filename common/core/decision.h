/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the planner, among themselves: each judges one request whose key is not on record.
 * A decision that finds nothing to refuse makes the effect in the snapshot and fills the result;
 * one that refuses leaves the snapshot as it was.
 */
#ifndef ALLOT_CORE_DECISION_H
#define ALLOT_CORE_DECISION_H

#include "common/core/plan.h"

struct decision {
    const struct plan_context *context;
    struct snapshot *snapshot;
    const struct request *request;
    size_t index; /* of the request in its batch */
    struct verdict *verdict;
};

/* False: refused as `forbidden`. */
ALLOT_CHECK bool decide_policy(struct decision *decision);

/* provider.create, .update, .delete */
void decide_provider(struct decision *decision);
/* inventory.set, allocation.set, .batch, .delete, reshape */
void decide_change(struct decision *decision);
/* the commands that only read */
void decide_read(struct decision *decision);

/* Refuses with `provider_not_found`; the list is sorted. */
void refuse_providers_missing(struct decision *decision, const struct uuid *missing, size_t count);

#endif
