/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks once a minute whether parts of the database are missing, and creates them again.
 * Transactions notice a dropped collection by themselves; this finds the rest, such as an index. It
 * has a thread of its own, since an index may take long to build.
 */
#ifndef ALLOT_SERVICE_REPAIRER_H
#define ALLOT_SERVICE_REPAIRER_H

#include "allot/attributes.h"
#include "allot/store.h"

enum { REPAIRER_PAUSE_MS = 60 * 1000 };

struct repairer;

/* Starts the thread; never NULL. It looks for the first time after `pause_ms` (REPAIRER_PAUSE_MS),
   since the lanes prepare the database at their start. The store is owned by the repairer. */
struct repairer *repairer_start(struct store *store, int64_t pause_ms);

/* Lets the thread end after the repair that it is in, if any. Returns at once. */
void repairer_stop(struct repairer *repairer);

/* Called after repairer_stop(). Waits until the thread has ended, and frees the repairer; or
   returns false after `limit_ms`, as store_thread_end(). */
ALLOT_CHECK bool repairer_end(struct repairer *repairer, int64_t limit_ms);

#endif
