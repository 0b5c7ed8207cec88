/* SPDX-License-Identifier: Apache-2.0 */
/* The worker as a whole: which adapters the lanes run on. The only place that knows them all. */
#ifndef ALLOT_WIRING_H
#define ALLOT_WIRING_H

#include "allot/settings.h"
#include "common/base/error.h"
#include "common/mongo/mongo_store.h"
#include "worker/service/lane.h"

enum { LANES_MAX = 64 };

struct worker {
    struct arena *arena; /* of settings and names; the caller's */
    struct settings settings;
    struct text name;
    struct policy_source *policy;
    struct mongo_pool *pool;
    struct lane *lanes[LANES_MAX];
    size_t lane_count;
};

/* Reads settings and policy; false, with an error, where they are not well. */
ALLOT_CHECK bool worker_load(struct worker *worker, const char *config, struct error *error);
/* Looks at what worker_load does not: whether the URIs are some, and the default principal is
   known. Connects to nothing. */
ALLOT_CHECK bool worker_check(struct worker *worker, struct error *error);
/* Starts the lanes; false, with an error: some may run, worker_stop ends them. */
ALLOT_CHECK bool worker_start(struct worker *worker, struct error *error);
/* Ends the process where a lane is stuck; about once a second. */
void worker_check_progress(struct worker *worker);
/* Finishes what is in hand; true where all of it was answered in time. */
bool worker_stop(struct worker *worker);
/* What worker_load made. */
void worker_clear(struct worker *worker);

#endif
