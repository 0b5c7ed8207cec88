/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports to the database that this worker lives, and at the end that it has stopped in order. It
 * has a thread and a store of its own, so that no command waits for a report and no report for a
 * command.
 */
#ifndef ALLOT_SERVICE_REGISTRY_H
#define ALLOT_SERVICE_REGISTRY_H

#include "allot/attributes.h"
#include "allot/clock.h"
#include "allot/store.h"
#include "worker/service/counters.h"

enum { REGISTRY_REPORT_MS = 5000 };

struct registry_options {
    struct store *store;                    /* owned by the registry from registry_start on */
    struct clock *clock;                    /* borrowed until the process ends */
    struct text version;                    /* of the program; borrowed until the process ends */
    int64_t report_ms;                      /* between two reports: REGISTRY_REPORT_MS */
    const struct counters *const *counters; /* of each lane, borrowed until registry_stopping(); the
                                               list is only read by registry_start */
    size_t lanes;
};

struct registry;

/* Starts the thread; never NULL. It prepares the database, and reports at once. */
struct registry *registry_start(const struct registry_options *options);

/* Reports at once that the worker stops. The counters are not read any more, so later rates are 0.
 */
void registry_stopping(struct registry *registry);

/*
 * Reports that the worker has stopped in order, so that its attempt records do not count. Waits for
 * the end of this call, and frees the registry; or returns false after `limit_ms`, as
 * store_thread_end().
 */
ALLOT_CHECK bool registry_end(struct registry *registry, int64_t limit_ms);

#endif
