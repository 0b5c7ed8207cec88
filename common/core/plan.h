/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner: decides each request of a batch, in order, against the snapshot, and keeps the
 * snapshot up to date as it goes. What a batch gives is what its commands one by one would give. It
 * alone creates and ends consumers. Pure: no I/O, no clock, no global.
 * Source: docs/protocol.md, "Rules of allocation" and "Which failure, when several apply".
 */
#ifndef ALLOT_CORE_PLAN_H
#define ALLOT_CORE_PLAN_H

#include "common/core/policy.h"
#include "common/core/snapshot.h"

struct plan_context {
    const struct policy *policy;
    int64_t now_ms; /* since the epoch: for deadlines */
    int64_t attempts_max;
};

/* What the requests need to be loaded first. The snapshot is sealed. */
void plan_want_first(struct snapshot *snapshot, const struct request *const *requests,
                     size_t count);
/*
 * What the documents of the first round make necessary besides: the providers of stored
 * allocations, and trees. False where nothing is. The snapshot is sealed.
 */
bool plan_want_second(struct snapshot *snapshot, const struct request *const *requests,
                      size_t count);

/*
 * How many of the requests, from the first on, touch at most `documents_max` documents together
 * (at least one). To be asked after the first round is loaded.
 */
size_t plan_prefix(struct snapshot *snapshot, const struct request *const *requests, size_t count,
                   size_t documents_max);

/* Decides request by request; `verdicts[count]` is filled, from the snapshot's arena. */
void plan_run(const struct plan_context *context, struct snapshot *snapshot,
              const struct request *const *requests, size_t count, struct verdict *verdicts);

#endif
