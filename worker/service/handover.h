/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to and fro between the two threads of a lane: jobs to apply, jobs that are done with,
 * and the word that no more will come. The one that takes back is woken by a descriptor, since it
 * waits for a socket as well.
 */
#ifndef ALLOT_SERVICE_HANDOVER_H
#define ALLOT_SERVICE_HANDOVER_H

#include "worker/service/applier.h"

struct handover;

/* NULL: no descriptor could be had. */
struct handover *handover_new(void);
/* With the jobs that are in it. NULL is allowed. */
void handover_free(struct handover *handover);

/* --- the giving thread's --- */

void handover_give(struct handover *handover, struct job_queue *jobs);
void handover_take_back(struct handover *handover, struct job_queue *ret_jobs);
/* Readable after something came back, or a wake, until it is drained. */
int handover_wake_fd(const struct handover *handover);
void handover_wake(struct handover *handover);
void handover_drain_wake(struct handover *handover);
/* The applying thread looks for work again, whatever was given. */
void handover_nudge(struct handover *handover);
/* Nothing more will be given. */
void handover_close(struct handover *handover);

/* --- the applying thread's --- */

/* What an exchange leaves. */
struct exchanged {
    bool open; /* more may come */
    bool got;  /* the applier has new jobs: it is not idle any more */
};

/* Hands over what the applier is done with, and gives it what has come. */
struct exchanged handover_exchange(struct handover *handover, struct applier *applier);
/* The same, after a wait for jobs, a nudge or the end; `pause_ms` >= 0: a wait of just so long,
   whatever comes meanwhile, but for the end. False: the end. */
bool handover_await(struct handover *handover, struct applier *applier, int64_t pause_ms);

#endif
