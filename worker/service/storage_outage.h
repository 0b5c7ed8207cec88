/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outages of the database as the apply threads of a lane see them, and their lines in the log:
 * storage.unavailable at the start and once a minute, storage.recovered at the end. The threads
 * share one outage: it begins when the first of them cannot go on, and ends when all can.
 *
 * The steps of the thread for writes are watched: if one takes OUTAGE_START_MS, commands wait, and
 * that is an outage, whether the database is away or slow. A step of another thread may be slow
 * because of its command, so only its failures count.
 *
 * Any thread may call these functions. All times are monotonic.
 */
#ifndef ALLOT_SERVICE_STORAGE_OUTAGE_H
#define ALLOT_SERVICE_STORAGE_OUTAGE_H

#include "allot/store.h"

struct storage_outage;

/* Creates the state for so many apply threads; 0 is the one for writes. Never NULL. */
struct storage_outage *storage_outage_new(size_t thread_count);
void storage_outage_free(struct storage_outage *outage);

enum storage_result {
    STORAGE_UNTOLD, /* it says nothing about the database */
    STORAGE_FAILED, /* the database has an outage */
    STORAGE_WORKED, /* a transaction was committed, or the database prepared */
    STORAGE_IDLE    /* the thread has nothing that waits for the database */
};

/* How a step of a thread ended. */
struct storage_step {
    enum storage_result result;
    /* of a failure */
    enum store_status status;
    const struct error *error; /* borrowed */
};

/* Notes that the thread begins a step, which may call the database. */
void storage_outage_enter(struct storage_outage *outage, size_t thread, int64_t now_ms);
/* Notes the end of the step, and logs what is due. */
void storage_outage_leave(struct storage_outage *outage, size_t thread,
                          const struct storage_step *step, int64_t now_ms);
/* Logs what is due while a step has not ended; call it about once a second. */
void storage_outage_check(struct storage_outage *outage, int64_t now_ms);

#endif
