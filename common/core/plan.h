/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner. It decides the commands of a batch, one after another, against a snapshot of the
 * stored state, and applies the effect of each to the snapshot. So a batch has the effect that its
 * commands would have one by one, whatever their kinds are. Pure: no I/O, no clock, no global
 * variable.
 * Source: docs/protocol.md, "Rules of allocation" and "Which failure, when several apply".
 *
 * Use: plan_want_first, load the snapshot, plan_prefix to shorten the batch, plan_want_second, load
 * again if it returned true, plan_run, write the snapshot. "Wanting" a document adds an empty slot
 * for it to the snapshot, which the store fills.
 */
#ifndef ALLOT_CORE_PLAN_H
#define ALLOT_CORE_PLAN_H

#include "common/core/policy.h"
#include "common/core/snapshot.h"

struct plan_context {
    const struct policy *policy; /* borrowed */
    int64_t now_ms;              /* since the Unix epoch; compared with deadlines */
    int64_t attempts_max;
};

/* Adds the documents that the requests name to the snapshot, and seals it. */
void plan_want_first(struct snapshot *snapshot, const struct request *const *requests,
                     size_t count);
/*
 * Adds the documents that the loaded ones make necessary: providers of stored allocations, and
 * provider trees. Seals the snapshot. Returns false if there is nothing more to load.
 */
bool plan_want_second(struct snapshot *snapshot, const struct request *const *requests,
                      size_t count);

/*
 * Returns how many of the requests, from the first on, use at most `documents_max` documents
 * together; at least 1. A document that several requests use counts once. Call it after the first
 * load, because it needs the stored allocations.
 */
size_t plan_prefix(struct snapshot *snapshot, const struct request *const *requests, size_t count,
                   size_t documents_max);

/*
 * Decides the requests and fills `verdicts[count]`. What the verdicts point to is owned by the
 * snapshot's arena, or borrowed from the requests.
 */
void plan_run(const struct plan_context *context, struct snapshot *snapshot,
              const struct request *const *requests, size_t count, struct verdict *verdicts);

#endif
