/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays letters: sends their commands again, so that policy and idempotency apply as to the
 * originals. A run is a number of letters that were selected together. It may be interrupted at any
 * point, and continued: what was sent is sent again at most with the same key, which has no second
 * effect.
 */
#ifndef ALLOT_CTL_DESK_REPLAY_H
#define ALLOT_CTL_DESK_REPLAY_H

#include "common/amqp/client.h"
#include "ctl/desk/desk.h"
#include "ctl/desk/replay_message.h"

struct replay_pace {
    int64_t rate;             /* commands a second, 1 or more */
    int64_t stop_at_failures; /* 0: never */
    int timeout_ms;           /* to wait for answers after the last command is sent */
};

/* How far a run is. `waiting` and what comes before it are of those that were sent. */
struct replay_progress {
    size_t total;
    size_t sent;
    size_t succeeded;
    size_t failed; /* dead-lettered again, or answered with a failure */
    size_t waiting;
    size_t skipped; /* they cannot be replayed, are no longer open, or belong to another run */
    bool stopped;   /* by stop_at_failures, or by the callback */
};

/* Called a few times a second. Returns false to stop: what is not sent yet stays selected. */
typedef bool (*replay_watch)(void *context, const struct replay_progress *progress);

/* How a run is sent. */
struct replay_order {
    struct replay_options options;
    struct replay_pace pace;
    replay_watch watch; /* NULL: none */
    void *context;      /* of `watch` */
};

/* Writes into the letters that they belong to a new run, in this order. Sets the name of the run,
   which is in `arena`. */
ALLOT_CHECK bool replay_select(const struct desk *desk, const struct text *ids, size_t count,
                               struct arena *arena, struct text *ret_run, struct error *error);

/*
 * Sends what is left of a run, and waits for the answers. Returns false, with an error, if broker
 * or database fail; then the run can be continued with the same call.
 */
ALLOT_CHECK bool replay_run(const struct desk *desk, struct client *client, struct text run,
                            const struct replay_order *order, struct replay_progress *ret_progress,
                            struct error *error);

#endif
