/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs success replies that are given up as unroutable. For each destination the first one is
 * logged at once, and after that at most one line in 10 s, with the number of the others: thousands
 * may be given up at a time. Each of the others is logged at debug.
 */
#ifndef ALLOT_SERVICE_UNROUTABLE_LOG_H
#define ALLOT_SERVICE_UNROUTABLE_LOG_H

#include "worker/service/destination.h"

enum {
    UNROUTABLE_LOG_MS = 10000,
    UNROUTABLE_LOG_MAX = 1000 /* destinations that are remembered */
};

/* All zero is empty. */
struct unroutable_log {
    struct destinations *destinations; /* borrowed; have those of the list */
    struct destination *first;         /* logged in the last 10 s, the oldest first */
    struct destination *last;
    size_t count; /* of the list */
};

/* Notes a reply that was given up, and logs it if its destination was not logged in the last 10 s.
   The job still has its destination. */
void unroutable_log_add(struct unroutable_log *log, const struct job *job, int64_t now_ms);
/* Logs the numbers that are due. Returns when the next may be due (monotonic); -1: never. */
int64_t unroutable_log_tick(struct unroutable_log *log, int64_t now_ms);
/* Logs all numbers now, and empties the list. Call it before the destinations are cleared. */
void unroutable_log_end(struct unroutable_log *log);

#endif
