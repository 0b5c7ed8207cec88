/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays letters in a thread of its own, with its own store and its own connection to the broker,
 * so that the pages go on meanwhile. One run at a time. Thread-safe.
 */
#ifndef ALLOT_CTL_WEB_RUNNER_H
#define ALLOT_CTL_WEB_RUNNER_H

#include "ctl/desk/replay.h"

enum { RUNNER_NAME_MAX = 64 };

enum runner_phase {
    RUNNER_UNKNOWN, /* it is not a run of this process, or not its latest */
    RUNNER_GOING,
    RUNNER_ENDED,
    RUNNER_FAILED
};

struct runner_state {
    enum runner_phase phase;
    bool stopping; /* it was asked to stop */
    char run[RUNNER_NAME_MAX];
    struct replay_progress progress;
    struct error error; /* why it has failed */
};

struct runner;

/* Creates a runner; all arguments are borrowed. The desk's store is not used, but one of the pool
   for each run. */
struct runner *runner_new(struct mongo_pool *pool, const struct desk *desk);
/* Stops the run after the command that it is sending, and waits for its end; no other one can
   begin. Returns the state of the latest run. */
struct runner_state runner_end(struct runner *runner);
/* Ends and frees the runner. NULL is allowed. */
void runner_free(struct runner *runner);

/* Starts a run, or continues it. Returns false, with an error, if another one is going on, or
   the runner has ended. */
ALLOT_CHECK bool runner_start(struct runner *runner, struct text run,
                              const struct replay_options *options, const struct replay_pace *pace,
                              struct error *error);
/* Asks the run to stop after the command that it is sending. */
void runner_stop(struct runner *runner, struct text run);
/* Returns how far a run is. */
struct runner_state runner_look(struct runner *runner, struct text run);
/* Returns how far the latest run is. */
struct runner_state runner_look_latest(struct runner *runner);

#endif
