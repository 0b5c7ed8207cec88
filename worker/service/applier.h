/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes jobs, gathers them into batches, and brings each batch through one transaction: load, plan,
 * write, commit; again where another was in the way, smaller where it cannot go through, `internal`
 * for the one that the storage refuses for good. Knows the storage port, never the broker. It goes
 * step by step, one port call a step, so that a simulator can stop it anywhere.
 */
#ifndef ALLOT_SERVICE_APPLIER_H
#define ALLOT_SERVICE_APPLIER_H

#include <stdatomic.h>

#include "allot/clock.h"
#include "allot/store.h"
#include "worker/service/job.h"
#include "worker/service/policy_source.h"

struct applier_options {
    struct store *store;           /* not owned */
    struct clock *clock;           /* not owned */
    struct policy_source *policy;  /* not owned */
    const _Atomic uint64_t *epoch; /* of the broker connection; jobs of another one are dropped */
    size_t max_commands;
    size_t max_documents;
    size_t max_bytes;
    int64_t max_attempts;
    uint64_t seed; /* of the jitter */
};

struct applier;

struct applier *applier_new(const struct applier_options *options);
/* Frees the jobs that it holds as well. */
void applier_free(struct applier *applier);

/* Takes over the jobs: accepted commands, or marks to forget or take back. */
void applier_submit(struct applier *applier, struct job_queue *jobs);
/* The jobs that are done with: answered, or dropped since their connection is gone. */
void applier_reap(struct applier *applier, struct job_queue *ret_jobs);

enum applier_next {
    APPLIER_GO_ON, /* step again */
    APPLIER_WAIT,  /* step again after `ret_pause_ms` */
    APPLIER_IDLE,  /* nothing to do until more is given */
};

enum applier_next applier_step(struct applier *applier, int64_t *ret_pause_ms);

/* Is it waiting for a storage that does not answer? */
bool applier_in_outage(const struct applier *applier);

#endif
