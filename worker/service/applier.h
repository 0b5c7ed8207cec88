/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs each batch as one transaction: gather, load, plan, write, commit. On a write conflict the
 * batch is retried; if the database permanently rejects it, it is halved; a single command that is
 * rejected is answered `internal`. If only its letter is rejected, the command keeps its answer and
 * loses the letter. Knows the storage port, never the broker. A step makes at most one port call,
 * so that a simulator can stop it between any two. Belongs to one thread.
 */
#ifndef ALLOT_SERVICE_APPLIER_H
#define ALLOT_SERVICE_APPLIER_H

#include <stdatomic.h>

#include "allot/clock.h"
#include "allot/store.h"
#include "common/codec/letter_redact.h"
#include "worker/service/apply_role.h"
#include "worker/service/attempt_turn.h"
#include "worker/service/counters.h"
#include "worker/service/full_principals.h"
#include "worker/service/job.h"
#include "worker/service/policy_source.h"
#include "worker/service/storage_outage.h"

/* A batch of reads ends when its replies have this many bytes: those behind wait for the next. */
enum { READ_BATCH_REPLY_BYTES = 16 * 1024 * 1024 };

struct applier_options {
    enum apply_role role;
    struct store *store;               /* borrowed */
    struct clock *clock;               /* borrowed */
    struct policy_source *policy;      /* borrowed */
    const _Atomic uint64_t *epoch;     /* borrowed: the current one; jobs of another are dropped */
    struct counters *counters;         /* borrowed; NULL: nothing is counted */
    struct text queue;                 /* that the commands come from; borrowed */
    struct text worker;                /* the name; borrowed */
    struct attempt_turn *turn;         /* borrowed; shared by the lanes of the process */
    struct full_principals *full;      /* borrowed; shared by the lanes of the process */
    size_t max_commands;               /* of one batch */
    size_t max_documents;              /* of one batch */
    size_t max_bytes;                  /* of the bodies in one batch */
    int64_t max_attempts;              /* crashes in a batch of one, before it is dead-lettered */
    int64_t timeout_ms;                /* that a proof of health may take (proof.h) */
    int64_t call_limit_ms;             /* the longest time limit of a load */
    size_t load_bytes_max;             /* of the arena of a batch, after a load; 0: no limit */
    size_t load_bytes_max_alone;       /* the same, for a batch of one command */
    size_t sweep_count_max;            /* letters that one sweep claims */
    size_t sweep_bytes_max;            /* headers and bodies of these; one may have more */
    int64_t letters_max_bytes;         /* that all letters may hold; read for trims */
    struct letter_redaction redaction; /* of letters that are stored */
    uint64_t seed;                     /* of the jitter */
    /* Decodes a redelivered command, and clears job.undecoded. */
    void (*decode)(void *context, struct job *job);
    /* Fills in what is known without decoding it (command_identify). */
    void (*identify)(void *context, struct job *job);
    void *decode_context; /* of both */
};

struct applier;

/* Creates an applier with nothing to do; never NULL. */
struct applier *applier_new(const struct applier_options *options);
/* Ends an open transaction and frees the applier with its jobs. NULL is allowed. */
void applier_free(struct applier *applier);

/* Takes ownership of the jobs: accepted commands, redelivered messages that are not decoded,
   answered jobs whose letter has to be stored, jobs whose attempt record has to go or whose letter
   has a fate, messages of the desk queue, a sweep, or a trim. */
void applier_submit(struct applier *applier, struct job_queue *jobs);
/* Moves the finished jobs to `ret_jobs`: answered, with their letters stored or refused; messages
   of the desk queue, answered if they are to be acknowledged; dropped because their connection was
   lost; or, after a sweep, letters to publish, and then the sweep; or a trim. */
void applier_reap(struct applier *applier, struct job_queue *ret_jobs);

enum applier_next {
    APPLIER_GO_ON, /* step again */
    APPLIER_WAIT,  /* step again after `ret_pause_ms` */
    APPLIER_IDLE,  /* nothing to do until jobs are submitted, or after `ret_pause_ms` if not 0 */
};

/* Runs one stage of the batch and says when to run the next; may block in a call to the store. */
enum applier_next applier_step(struct applier *applier, int64_t *ret_pause_ms);

/* Returns the name of the stage that the next step runs, for the log; static. */
const char *applier_stage_name(const struct applier *applier);
/* Returns what the last step says about the database. Its error is borrowed until the next step. */
struct storage_step applier_last_step(const struct applier *applier);
/* Returns whether a batch failed because of a database outage, and none was committed since. */
bool applier_in_outage(const struct applier *applier);

#endif
