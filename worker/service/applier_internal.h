/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the applier share: its state, its stages, and functions that several of them
   call. Only applier*.c include it. */
#ifndef ALLOT_SERVICE_APPLIER_INTERNAL_H
#define ALLOT_SERVICE_APPLIER_INTERNAL_H

#include "common/codec/letter_build.h"
#include "common/core/plan.h"
#include "common/core/retry.h"
#include "worker/service/applier.h"
#include "worker/service/fair_queue.h"
#include "worker/service/jitter.h"
#include "worker/service/letter_keeper.h"
#include "worker/service/proof.h"

/* X(id, name in the log, function), in the order of a batch. */
#define STAGES(X)                                                                                  \
    X(GATHER, "gather", applier_gather)                                                            \
    X(PROVE_FIRST, "prove_first", applier_prove_first)                                             \
    X(FIND_ATTEMPTS, "find_attempts", applier_find_attempts)                                       \
    X(RECORD_ATTEMPTS, "record_attempts", applier_record_attempts)                                 \
    X(BEGIN, "begin", applier_begin)                                                               \
    X(LOCK, "lock", applier_lock)                                                                  \
    X(LOAD, "load", applier_load)                                                                  \
    X(LOAD_MORE, "load_more", applier_load_more)                                                   \
    X(PLAN, "plan", applier_plan)                                                                  \
    X(WRITE, "write", applier_write)                                                               \
    X(WRITE_LETTERS, "write_letters", applier_write_letters)                                       \
    X(COMMIT, "commit", applier_commit)                                                            \
    X(PROVE, "prove", applier_prove)                                                               \
    X(REFUSE, "refuse", applier_refuse)                                                            \
    X(REPAIR, "repair", applier_repair)

enum stage {
#define X(id, name, run) STAGE_##id,
    STAGES(X)
#undef X
};

/* Each runs one stage and sets the next one; as applier_step. */
#define X(id, name, run) enum applier_next run(struct applier *applier, int64_t *ret_pause_ms);
STAGES(X)
#undef X

struct applier {
    struct applier_options options;
    struct fair_queue waiting;         /* commands for the next batches */
    struct job_queue ready;            /* commands with an attempt record: they come first */
    struct job_queue unmarked;         /* redelivered: an attempt record has to be written first */
    size_t marked;                     /* commands with a record, in `ready` and in the batch */
    struct job_queue unstored;         /* answered: the letter has to be stored first */
    struct job_queue aside;            /* set aside until a time */
    struct letter_keeper *keeper;      /* owned */
    struct job_queue attempt_cleanups; /* jobs whose attempt record has to be deleted */
    struct job_queue done;             /* to be reaped */
    unsigned cleanup_tries;            /* of the first of attempt_cleanups */
    bool has_turn;                     /* for its marked group, among the lanes (attempt_turn.h) */
    bool is_alone;                     /* the turn excludes all other groups */
    bool turn_refused;                 /* the last try to take it failed */
    struct attempt_key *keys;          /* of the commands in one call for attempts */
    struct attempt_history *histories;
    enum stage stage;
    enum stage next_stage; /* after PROVE_FIRST */
    bool in_transaction;
    int64_t batch_began_ms;       /* monotonic */
    int64_t transaction_began_ms; /* monotonic; after the attempt record was written */
    enum storage_result last;     /* what the last step says about the database */
    bool in_outage;               /* a batch failed because of one, and none was committed since */

    /* the failure that is being handled */
    enum stage failed_stage;
    enum store_status failure;
    struct error failure_error;
    int64_t failed_after_ms;     /* since the transaction began */
    int64_t call_limit_ms;       /* of the loads of the batch */
    struct proof before;         /* the proofs that the database worked: before the failure, */
    struct proof proof;          /* and the last one */
    struct retry retry;          /* of batches of commands */
    struct retry letter_retry;   /* of batches of letters */
    int64_t letters_from_ms;     /* monotonic: no batch of letters before, after a failure */
    int64_t refused_log_from_ms; /* monotonic: no refused letter is an error before */
    bool letters_last;           /* the last batch was one of letters */
    bool kept_letters;           /* the last step was a call about letters */
    struct jitter jitter;

    /* the batch */
    struct arena *arena; /* owns all but the jobs and the policy; reset for each batch */
    struct job **jobs;   /* owned while they are in the batch */
    const struct request **requests;
    size_t count;
    bool letters_only; /* the jobs are answered; only their letters are written */
    struct letter *letters;
    size_t letter_count;
    struct policy_ref *policy;
    struct snapshot *snapshot;
    struct verdict *verdicts;
    struct text *bodies; /* of the replies */
};

/* --- applier.c ------------------------------------------------------------------------------ */

/* Returns the name of the stage in the log. */
const char *applier_name_of(enum stage stage);
int64_t applier_now_ms(const struct applier *applier); /* monotonic */
/* Returns whether the job's delivery can still be answered: its connection is not lost. */
bool applier_is_current(const struct applier *applier, const struct job *job);
/* Puts a job into the queue that it begins in. */
void applier_enqueue(struct applier *applier, struct job *job);
/* Hands back a job that is answered or dropped, after its attempt record is deleted. */
void applier_finish(struct applier *applier, struct job *job);
/* Hands back a job that was answered without a transaction. Its letter is stored first; if letters
   are another apply thread's, the lane takes it there. */
void applier_finish_answered(struct applier *applier, struct job *job);
/* Moves the commands of the batch from index `first` on back to the front of where they waited. */
void applier_return_commands(struct applier *applier, size_t first);
/* The same, to the front of this queue. */
void applier_return_to(struct job_queue *queue, struct applier *applier, size_t first);
/* Leaves the batch, which is answered or back in its queue; the next step gathers a new one. */
void applier_leave_batch(struct applier *applier);
void applier_end_transaction(struct applier *applier);

/* --- applier_attempts.c --------------------------------------------------------------------- */

/* Moves those jobs to the batch whose attempt records one call can delete. */
void applier_take_cleanups(struct applier *applier);
/* Deletes the attempt records of these jobs. Records that cannot be deleted are logged and left:
   they expire, and must not keep later commands waiting. */
enum applier_next applier_clean_up(struct applier *applier, int64_t *ret_pause_ms);
/* Begins the group of redelivered commands that is marked next. */
void applier_begin_group(struct applier *applier);
/* Goes on with the only command of the group, which has no attempt record. */
void applier_begin_unmarked(struct applier *applier);
/* Returns whether the next group may have records already: a write that failed may have had its
   effect. */
bool applier_has_sent_record(const struct applier *applier);
/* Lets other lanes have their turn (attempt_turn.h). */
void applier_end_turn(struct applier *applier);

/* --- applier_answer.c ----------------------------------------------------------------------- */

/* Returns whether no more letters of the job's principal are stored now. What the broker has
   dead-lettered is published already. */
bool applier_is_full(const struct applier *applier, const struct job *job);
/* Makes the letters of a batch of letters. */
void applier_make_letters(struct applier *applier);
/* Adds the letters of the commands that are certain to be dead-lettered. Whether the reply of
   another failure can be routed is known only after the commit. */
void applier_add_letters(struct applier *applier);
/* Decides all commands against the snapshot, and encodes the replies. */
void applier_decide(struct applier *applier);
/* Gives each job of the batch, which is committed, its answer. */
void applier_complete(struct applier *applier);

/* --- applier_failure.c ---------------------------------------------------------------------- */

/* Sets the next stage of the batch or group, after the proof that it needs. */
void applier_start_with(struct applier *applier, enum stage stage);
/* Handles that a call of the batch has failed: ends the transaction, and looks whether the database
   works if only that tells the cause. */
enum applier_next applier_fail(struct applier *applier, enum store_status status,
                               const struct error *error, int64_t *ret_pause_ms);
/* Lets another apply thread go on with the command, without its attempt record. */
void applier_pass_on(struct applier *applier, struct job *job);
/* Returns the retries of batches of the present kind. */
struct retry *applier_retry_of(struct applier *applier);

#endif
