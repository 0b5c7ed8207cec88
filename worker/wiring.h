/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker as a whole: settings, policy, and the lanes with their adapters. Nothing else in
 * worker/ knows which adapters there are. Only the main thread calls these functions.
 */
#ifndef ALLOT_WIRING_H
#define ALLOT_WIRING_H

#include "allot/settings.h"
#include "common/base/error.h"
#include "common/mongo/mongo_store.h"
#include "worker/service/lane.h"
#include "worker/service/notification_call.h"
#include "worker/service/notifier.h"
#include "worker/service/registry.h"
#include "worker/service/repairer.h"

enum { LANES_MAX = 64 };

struct worker {
    struct arena *arena; /* borrowed from the caller; holds settings and names */
    struct settings settings;
    struct text name;
    struct policy_source *policy;     /* owned */
    struct mongo_pool *pool;          /* owned */
    struct attempt_turn attempt_turn; /* of all lanes */
    struct full_principals *full;     /* owned; of all lanes */
    struct memory_budget budget;      /* of all lanes */
    struct lane *lanes[LANES_MAX];    /* owned */
    size_t lane_count;
    struct registry *registry; /* owned; NULL until all lanes run */
    struct repairer *repairer; /* the same */
    struct notifier *notifier; /* the same; NULL too if there is nobody to call */
    struct notification_call notification_call;
};

/*
 * Loads settings and policy, and configures the log. `config` is the path of the settings file;
 * NULL: all settings come from environment variables. Returns false, with an error, if something is
 * missing or invalid.
 */
ALLOT_CHECK bool worker_load(struct worker *worker, const char *config, struct error *error);
/* Validates the URIs, the default principal and who is notified. Does not connect. */
ALLOT_CHECK bool worker_check(struct worker *worker, struct error *error);
/*
 * Starts the lanes. Returns false, with an error, if one cannot start; worker_stop then ends those
 * that run.
 */
ALLOT_CHECK bool worker_start(struct worker *worker, struct error *error);
/* Aborts the process if a lane is stalled; call it about once a second. */
void worker_check_progress(struct worker *worker);
/* Returns the number of commands in flight, of all lanes. */
uint64_t worker_in_flight(const struct worker *worker);
/* Reports that the worker stops, begins no more repairs, and ends a notification that is being
   sent. Called before worker_stop(). */
void worker_stopping(struct worker *worker);
/* Stops all lanes, which have `patience_ms` to answer the commands in flight, and waits for them.
   Called by one other thread; meanwhile only worker_in_flight, worker_returned and worker_note_stop
   may be called. */
void worker_stop(struct worker *worker, int64_t patience_ms);
/* Notes in the database that the worker has stopped in order, so that its attempt records do not
   count. Called after worker_stop(), or when it has been given up. Returns false if that took
   longer than `limit_ms`: then a thread is still in a call to the database, and only _exit() may
   follow. */
ALLOT_CHECK bool worker_note_stop(struct worker *worker, int64_t limit_ms);
/* Returns how many commands go back to the queue because they were not answered in that time. */
uint64_t worker_returned(const struct worker *worker);
/* Frees what worker_load and worker_start created, after worker_stop and worker_note_stop, but for
   the pool of the database, which needs up to 500 ms: end the process by end_process(). */
void worker_clear(struct worker *worker);

#endif
