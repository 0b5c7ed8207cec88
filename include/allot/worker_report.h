/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker says of itself in the database. A life is one process, from its start to its end;
 * each has one document in the collection `workers`, under a name that no other life has or had.
 */
#ifndef ALLOT_WORKER_REPORT_H
#define ALLOT_WORKER_REPORT_H

#include "common/base/text.h"

enum { WORKER_KEPT_MS = 3600 * 1000 }; /* a life without a report is forgotten after this time */

/*
 * X(identifier, name in the database)
 *   RUNNING   takes commands, or waits for the broker or the database
 *   STOPPING  was asked to stop, and finishes what is in flight
 *   STOPPED   ended in order, so no command has crashed it. The last report of its life
 */
#define WORKER_STATES(X)                                                                           \
    X(RUNNING, "running")                                                                          \
    X(STOPPING, "stopping")                                                                        \
    X(STOPPED, "stopped")

enum worker_state {
#define X(id, name) WORKER_##id,
    WORKER_STATES(X)
#undef X
};

/* Returns the name in the database. Static. */
static inline const char *worker_state_name(enum worker_state state)
{
    switch (state) {
#define X(id, name)                                                                                \
    case WORKER_##id: return name;
        WORKER_STATES(X)
#undef X
    }
    return "";
}

/* X(identifier, name in the database): the counters of the worker whose rates are reported. */
#define WORKER_RATES(X)                                                                            \
    X(DELIVERIES_RECEIVED, "deliveries_received")                                                  \
    X(COMMANDS_COMMITTED, "commands_committed")                                                    \
    X(TRANSACTIONS_COMMITTED, "transactions_committed")                                            \
    X(REPLIES_PUBLISHED, "replies_published")                                                      \
    X(LETTERS_STORED, "letters_stored")

enum worker_rate {
#define X(id, name) WORKER_RATE_##id,
    WORKER_RATES(X)
#undef X
        WORKER_RATE_COUNT
};

struct worker_report {
    enum worker_state state;
    struct text version; /* of the program; borrowed */
    int64_t lanes;
    double rates[WORKER_RATE_COUNT]; /* per second, since the last report */
};

#endif
