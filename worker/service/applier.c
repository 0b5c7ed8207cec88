/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The applier is a state machine: STAGES lists the stages of a batch, each with the
 * function that runs it. A stage either sets the next one, or calls handle_failure, which ends the
 * transaction, returns the commands to `waiting`, and starts again at GATHER. applier_step runs one
 * stage.
 *
 * Sections: attempt records left to delete; gathering a batch; redelivered commands; failures; the
 * stages.
 *
 * Guarantees:
 * - All effects and outcomes of a batch are in one transaction. A job is answered only after the
 *   commit succeeded, so an answer is never taken back.
 * - A retry starts from a new load. After a commit with an unknown result, the load finds the
 *   outcomes if they were committed, and the commands are replayed.
 * - Reads are never in one batch with writes, and suspects never with others. A command whose mode
 *   is exclusive has its own batch.
 * - A redelivered command is decoded and planned only after an attempt record for it is durable.
 *   One write makes the records of a whole group, and fresh commands never join it. If a worker
 *   dies, its records stay. A command with such a record is a suspect, and is tried in half as
 *   large a group. So the one that kills its workers is alone after log2(group) deaths, and only
 *   deaths alone count (`alone`).
 * - A worker that lives deletes its records: those of a command as soon as it is decided and
 *   committed, before its answer is published, so that a later death is not counted for it; and
 *   those of commands whose connection is lost. Another worker may read such a record before; then
 *   it takes the command for a suspect, which costs a smaller batch, or for one that killed its
 *   worker alone, if it was alone.
 * - A command whose connection was lost is dropped when it is gathered: the broker redelivers it.
 *
 * Not here: the rules of commands (common/core/plan.c), the choice of pause and batch size
 * (common/core/retry.c), threads (lane.c), replies (settler.c), calls about letters outside of the
 * transactions (letter_keeper.c).
 */
#include "worker/service/applier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/base/memory.h"
#include "common/codec/letter_build.h"
#include "common/codec/reply_encode.h"
#include "common/core/disposition.h"
#include "common/core/plan.h"
#include "common/core/retry.h"
#include "worker/service/attempt.h"
#include "worker/service/desk.h"
#include "worker/service/events.h"
#include "worker/service/fair_queue.h"
#include "worker/service/jitter.h"
#include "worker/service/job_letter.h"
#include "worker/service/letter_keeper.h"
#include "worker/service/poison.h"
#include "worker/service/proof.h"
#include "worker/service/storage_repair.h"

enum {
    BATCH_ARENA_BYTES = 256 * 1024,
    BATCH_ARENA_KEPT_BYTES = 4 * 1024 * 1024, /* between two batches */
    CALL_TRIES_MAX = 5, /* of a call outside of transactions, whose effect can wait */
    TURN_PAUSE_MS = 10, /* until another lane is asked for the turn again */
    REFUSED_LOG_MS = 10000,
    REPAIR_PAUSE_MS = 1000,
};

/* X(id, name in the log, function), in the order of a batch. */
#define STAGES(X)                                                                                  \
    X(GATHER, "gather", gather_batch)                                                              \
    X(PROVE_FIRST, "prove_first", prove_first)                                                     \
    X(FIND_ATTEMPTS, "find_attempts", find_attempts)                                               \
    X(RECORD_ATTEMPTS, "record_attempts", record_attempts)                                         \
    X(BEGIN, "begin", begin)                                                                       \
    X(LOCK, "lock", take_advisory_lock)                                                            \
    X(LOAD, "load", load)                                                                          \
    X(LOAD_MORE, "load_more", load_more)                                                           \
    X(PLAN, "plan", plan)                                                                          \
    X(WRITE, "write", write_batch)                                                                 \
    X(WRITE_LETTERS, "write_letters", write_letters)                                               \
    X(COMMIT, "commit", commit)                                                                    \
    X(PROVE, "prove", prove)                                                                       \
    X(REFUSE, "refuse", refuse)                                                                    \
    X(REPAIR, "repair", repair)

enum stage {
#define X(id, name, run) STAGE_##id,
    STAGES(X)
#undef X
};

#define X(id, name, run)                                                                           \
    static enum applier_next run(struct applier *applier, int64_t *ret_pause_ms);
STAGES(X)
#undef X

static const struct {
    const char *name;
    enum applier_next (*run)(struct applier *applier, int64_t *ret_pause_ms);
} stages[] = {
#define X(id, name, run) [STAGE_##id] = {name, run},
    STAGES(X)
#undef X
};

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

struct applier *applier_new(const struct applier_options *options)
{
    struct applier *applier = MEMORY_NEW(struct applier);
    applier->options = *options;
    applier->retry.limit = applier->letter_retry.limit = options->max_commands;
    applier->jitter = jitter_make(options->seed);
    applier->keeper = letter_keeper_new(&applier->options);
    applier->arena = arena_new(BATCH_ARENA_BYTES);
    applier->jobs = memory_array(options->max_commands, sizeof(struct job *));
    applier->requests = memory_array(options->max_commands, sizeof(struct request *));
    applier->letters = memory_array(options->max_commands, sizeof(struct letter));
    applier->keys = memory_array(options->max_commands, sizeof(struct attempt_key));
    applier->histories = memory_array(options->max_commands, sizeof(struct attempt_history));
    return applier;
}

static void end_transaction(struct applier *applier)
{
    if (applier->in_transaction)
        applier->options.store->ops->end(applier->options.store);
    applier->in_transaction = false;
}

static void end_turn(struct applier *applier)
{
    if (applier->has_turn)
        attempt_turn_end(applier->options.turn, applier->is_alone);
    applier->has_turn = false;
}

void applier_free(struct applier *applier)
{
    if (applier == NULL)
        return;
    end_transaction(applier);
    end_turn(applier);
    for (size_t i = 0; i < applier->count; i++)
        job_free(applier->jobs[i]);
    fair_queue_clear(&applier->waiting);
    job_queue_free_all(&applier->ready);
    job_queue_free_all(&applier->unmarked);
    job_queue_free_all(&applier->unstored);
    job_queue_free_all(&applier->aside);
    letter_keeper_free(applier->keeper);
    job_queue_free_all(&applier->attempt_cleanups);
    job_queue_free_all(&applier->done);
    policy_release(applier->policy);
    arena_free(applier->arena);
    free(applier->jobs);
    free(applier->requests);
    free(applier->letters);
    free(applier->keys);
    free(applier->histories);
    free(applier);
}

void applier_reap(struct applier *applier, struct job_queue *ret_jobs)
{
    job_queue_append(ret_jobs, &applier->done);
}

bool applier_in_outage(const struct applier *applier)
{
    return applier->in_outage;
}

struct storage_step applier_last_step(const struct applier *applier)
{
    return (struct storage_step){applier->last, applier->failure, &applier->failure_error};
}

const char *applier_stage_name(const struct applier *applier)
{
    return stages[applier->stage].name;
}

enum applier_next applier_step(struct applier *applier, int64_t *ret_pause_ms)
{
    *ret_pause_ms = 0;
    applier->last = STORAGE_UNTOLD;
    return stages[applier->stage].run(applier, ret_pause_ms);
}

static int64_t now_ms(const struct applier *applier)
{
    return applier->options.clock->monotonic_ms(applier->options.clock);
}

static bool is_current(const struct applier *applier, const struct job *job)
{
    return job->detached || job->epoch == atomic_load(applier->options.epoch);
}

/* Puts a job into the queue that it begins in. */
static void enqueue(struct applier *applier, struct job *job)
{
    if (job_needs_letter(job))
        job_queue_push(&applier->unstored, job);
    else if (job->attempt_sent)
        job_queue_push(&applier->attempt_cleanups, job);
    else if (is_current(applier, job) && job->aside_until_ms > now_ms(applier))
        job_queue_push(&applier->aside, job);
    else if (job->delivery.redelivered && !job->unmarkable)
        job_queue_push(&applier->unmarked, job);
    else
        fair_queue_push(&applier->waiting, job);
}

void applier_submit(struct applier *applier, struct job_queue *jobs)
{
    for (struct job *job = job_queue_pop(jobs); job != NULL; job = job_queue_pop(jobs)) {
        if (letter_keeper_wants(job))
            letter_keeper_take(applier->keeper, job);
        else
            enqueue(applier, job);
    }
}

static bool has_commands(const struct applier *applier)
{
    return applier->ready.head != NULL || !fair_queue_is_empty(&applier->waiting);
}

/* Gives the memory of a large batch back. */
static void reset_arena(struct applier *applier)
{
    if (arena_bytes(applier->arena) > BATCH_ARENA_KEPT_BYTES) {
        arena_free(applier->arena);
        applier->arena = arena_new(BATCH_ARENA_BYTES);
    }
}

/* Leaves the batch, which is answered or back in its queue; the next step gathers a new one. */
static void leave_batch(struct applier *applier)
{
    policy_release(applier->policy);
    applier->policy = NULL;
    applier->letters_only = false;
    applier->letter_count = 0;
    applier->stage = STAGE_GATHER;
    reset_arena(applier);
}

/* Moves the commands of the batch from index `first` on back to the front of where they waited. */
static void return_commands(struct applier *applier, size_t first)
{
    while (applier->count > first) {
        struct job *job = applier->jobs[--applier->count];
        if (job->attempt_recorded)
            job_queue_push_front(&applier->ready, job);
        else
            fair_queue_push_front(&applier->waiting, job);
    }
}

/* The same, to the front of this queue. */
static void return_to(struct job_queue *queue, struct applier *applier, size_t first)
{
    while (applier->count > first)
        job_queue_push_front(queue, applier->jobs[--applier->count]);
}

/* --- attempt records left to delete --------------------------------------------------------- */

static bool same_key(const struct job *a, const struct job *b)
{
    return text_equal(a->attempt_key.key, b->attempt_key.key) &&
           text_equal(a->attempt_key.principal, b->attempt_key.principal);
}

static bool has_key_of(const struct applier *applier, size_t count, const struct job *job)
{
    for (size_t i = 0; i < count; i++) {
        if (same_key(applier->jobs[i], job))
            return true;
    }
    return false;
}

static void copy_keys(struct applier *applier, size_t count)
{
    for (size_t i = 0; i < count; i++)
        applier->keys[i] = applier->jobs[i]->attempt_key;
}

/* Hands back a job that is answered or dropped, after its attempt record is deleted. */
static void finish(struct applier *applier, struct job *job)
{
    if (job->letter_refused)
        job->refused_at_ms = applier->options.store->ops->now_ms(applier->options.store);
    job_queue_push(job->attempt_sent ? &applier->attempt_cleanups : &applier->done, job);
}

/* Returns whether a command with this key has a record that must stay: it is not answered yet. */
static bool is_key_marked(const struct applier *applier, const struct job *job)
{
    size_t left = applier->marked;
    for (const struct job *at = applier->ready.head; left > 0 && at != NULL; at = at->next) {
        if (at->attempt_recorded && same_key(at, job))
            return true;
        left -= at->attempt_recorded;
    }
    return false;
}

static bool is_settled(const struct job *job)
{
    return job->stage == SETTLE_DONE;
}

/* Returns whether the records of dead workers go as well. Those that `attempts_exhausted` is about
   stay until the command is settled: if this worker dies before, the next answers the same. */
static bool clears_all(const struct job *job)
{
    return job->answered && (is_settled(job) || job->code != VERDICT_ATTEMPTS_EXHAUSTED);
}

/* Returns whether the answer of the command waits for the cleanup. */
static bool is_awaited(const struct job *job)
{
    return job->answered && !is_settled(job);
}

static bool same_cleanup(const struct job *a, const struct job *b)
{
    return clears_all(a) == clears_all(b) && is_awaited(a) == is_awaited(b);
}

/* Moves those jobs from attempt_cleanups to `jobs` that one call can handle. */
static void take_cleanups(struct applier *applier)
{
    struct job_queue later = {0};
    while (applier->attempt_cleanups.head != NULL &&
           applier->count < applier->options.max_commands) {
        struct job *job = job_queue_pop(&applier->attempt_cleanups);
        bool joins = applier->count == 0 || same_cleanup(applier->jobs[0], job);
        if (!joins || has_key_of(applier, applier->count, job) || is_key_marked(applier, job))
            job_queue_push(&later, job);
        else
            applier->jobs[applier->count++] = job;
    }
    job_queue_append(&later, &applier->attempt_cleanups);
    applier->attempt_cleanups = later;
    copy_keys(applier, applier->count);
}

static void log_cleanup_failed(const struct applier *applier, size_t count,
                               const struct error *error)
{
    event_log(EVENT_ATTEMPT_CLEANUP_FAILED,
              LOG_FIELDS(LOG_T("message_id", applier->jobs[0]->attempt_key.key),
                         LOG_I("commands", (int64_t)count), LOG_S("error", error->text)),
              "cannot delete attempt records; they count as a crash until they expire");
}

/* Hands the jobs back. The record of an answered command that was not deleted is deleted when the
   command is settled, so that its answer does not wait for the database. */
static void end_cleanup(struct applier *applier, bool deleted)
{
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        job->attempt_sent = is_awaited(job) && !(deleted && clears_all(job));
        job_queue_push(&applier->done, job);
    }
    applier->count = 0;
    applier->cleanup_tries = 0;
}

/* Deletes the attempt records of the jobs. Records that cannot be deleted are logged and left: they
   expire, and must not keep later commands waiting. */
static enum applier_next clean_up_attempts(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    bool awaited = is_awaited(applier->jobs[0]);
    enum store_status status =
        clears_all(applier->jobs[0])
            ? store->ops->clear_attempts(store, applier->keys, applier->count, &error)
            : store->ops->withdraw_attempts(store, applier->keys, applier->count, &error);
    if (status != STORE_OK && !awaited && ++applier->cleanup_tries < CALL_TRIES_MAX) {
        return_to(&applier->attempt_cleanups, applier, 0);
        *ret_pause_ms = jittered(&applier->jitter, RETRY_CONFLICT_PAUSE_MAX_MS);
        return APPLIER_WAIT;
    }
    if (status != STORE_OK && !awaited)
        log_cleanup_failed(applier, applier->count, &error);
    end_cleanup(applier, status == STORE_OK);
    return APPLIER_GO_ON;
}

/* --- gathering a batch ---------------------------------------------------------------------- */

static bool is_read(const struct job *job)
{
    return command_mode(job->decoded.request.command.kind) == MODE_READ;
}

/* A suspect was being processed by a worker that has died. */
static bool is_suspect(const struct job *job)
{
    return job->history.smallest > 0;
}

static bool needs_own_batch(const struct job *job)
{
    return job->alone || job->decoded.request.rejection != REJECTION_NONE ||
           command_mode(job->decoded.request.command.kind) == MODE_EXCLUSIVE;
}

/* The size of a batch, as far as it is known before the load. */
struct extent {
    size_t bytes;
    size_t documents;
};

/* A batch that is being filled. */
struct filling {
    const struct applier *applier;
    struct extent extent;
};

static bool fits(const void *context, const struct job *job)
{
    const struct filling *filling = context;
    const struct applier *applier = filling->applier;
    const struct extent *extent = &filling->extent;
    if (applier->count == 0 || !is_current(applier, job))
        return true;
    const struct job *first = applier->jobs[0];
    return !needs_own_batch(first) && !needs_own_batch(job) && is_read(first) == is_read(job) &&
           is_suspect(first) == is_suspect(job) &&
           extent->bytes + job->delivery.body.length <= applier->options.max_bytes &&
           extent->documents + fair_queue_documents(job) <= applier->options.max_documents;
}

/* Returns the next command that fits; NULL: none. Those with a record have no others beside them.
 */
static struct job *take_next(struct applier *applier, const struct filling *filling)
{
    bool has_ready =
        applier->count > 0 ? applier->jobs[0]->attempt_recorded : applier->ready.head != NULL;
    if (!has_ready)
        return fair_queue_take(&applier->waiting, fits, filling);
    if (applier->ready.head == NULL || !fits(filling, applier->ready.head))
        return NULL;
    return job_queue_pop(&applier->ready);
}

/* Fills the batch. The first command decides the kind of the batch, and others of that kind join
   it. */
static void gather(struct applier *applier)
{
    struct filling filling = {.applier = applier};
    applier->count = 0;
    fair_queue_begin(&applier->waiting);
    while (applier->count < applier->retry.limit) {
        struct job *job = take_next(applier, &filling);
        if (job == NULL)
            return;
        if (!is_current(applier, job)) {
            applier->marked -= job->attempt_recorded;
            finish(applier, job);
            continue;
        }
        filling.extent.bytes += job->delivery.body.length;
        filling.extent.documents += fair_queue_documents(job);
        applier->jobs[applier->count++] = job;
        if (needs_own_batch(job))
            return;
    }
}

/* Takes the commands that were set aside and whose time has come. */
static void release_aside(struct applier *applier)
{
    struct job_queue all = applier->aside;
    applier->aside = (struct job_queue){0};
    for (struct job *job = job_queue_pop(&all); job != NULL; job = job_queue_pop(&all))
        enqueue(applier, job);
}

/* Returns whether no more letters of the job's principal are stored now. What the broker has
   dead-lettered is published already. */
static bool is_full(const struct applier *applier, const struct job *job)
{
    return !job_is_of_desk(job) &&
           full_principals_has(applier->options.full,
                               letter_principal(&job->delivery, &job->decoded));
}

/* Fills a batch of letters. */
static void gather_letters(struct applier *applier)
{
    size_t bytes = 0;
    applier->count = 0;
    while (applier->unstored.head != NULL && applier->count < applier->letter_retry.limit) {
        struct job *job = applier->unstored.head;
        bytes += job->delivery.body.length + job->delivery.raw_headers.length;
        if (applier->count > 0 && bytes > applier->options.max_bytes)
            break;
        job = job_queue_pop(&applier->unstored);
        job->letter_refused = is_full(applier, job);
        if (is_current(applier, job) && !job->letter_refused)
            applier->jobs[applier->count++] = job;
        else
            finish(applier, job);
    }
}

/* Returns whether the call that failed was one for the attempt records of a group. */
static bool is_marking(const struct applier *applier)
{
    return applier->failed_stage == STAGE_FIND_ATTEMPTS ||
           applier->failed_stage == STAGE_RECORD_ATTEMPTS;
}

/* --- redelivered commands ------------------------------------------------------------------- */

/* Returns whether the job may be marked together with those of the group. */
static bool joins_group(const struct applier *applier, const struct job *job)
{
    if (applier->count == 0)
        return true;
    return !applier->jobs[0]->alone && !job->alone &&
           applier->jobs[0]->history_read == job->history_read &&
           !has_key_of(applier, applier->count, job);
}

/* Returns how large the group may be with this job: a suspect is tried in half of the smallest
   batch that a worker died with. */
static size_t smaller_max(size_t max, const struct job *job)
{
    size_t smallest = job->history.smallest;
    size_t half = smallest > 1 ? smallest / 2 : 1;
    return is_suspect(job) && half < max ? half : max;
}

/* Fills the group from `unmarked`: commands of which no record is known, or suspects that may be
   in a batch of this size. The rest keeps its order. */
static void take_group(struct applier *applier)
{
    struct job_queue later = {0};
    size_t max = applier->options.max_commands;
    applier->count = 0;
    while (applier->unmarked.head != NULL && applier->count < max) {
        struct job *job = job_queue_pop(&applier->unmarked);
        size_t new_max = smaller_max(max, job);
        if (!text_present(job->attempt_key.key))
            job->attempt_key = attempt_key_of(&job->delivery, job->arena);
        if (!is_current(applier, job)) {
            finish(applier, job);
        } else if (!joins_group(applier, job) || applier->count >= new_max) {
            job_queue_push(&later, job);
        } else {
            applier->jobs[applier->count++] = job;
            max = new_max;
        }
    }
    job_queue_append(&later, &applier->unmarked);
    applier->unmarked = later;
}

static void log_suspects(size_t count, const struct attempt_history *history)
{
    event_log(EVENT_COMMANDS_SUSPECTED,
              LOG_FIELDS(LOG_I("commands", (int64_t)count),
                         LOG_I("batch", (int64_t)history->smallest),
                         LOG_I("alone", history->alone)),
              "a worker died while it processed these commands; trying them in smaller batches");
}

/* Returns the suspects of the group to the front of `unmarked`, to be marked in smaller groups. */
static void part_suspects(struct applier *applier)
{
    struct job_queue suspects = {0};
    size_t kept = 0;
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        if (is_suspect(job))
            job_queue_push(&suspects, job);
        else
            applier->jobs[kept++] = job;
    }
    if (suspects.head != NULL)
        log_suspects(suspects.count, &suspects.head->history);
    applier->count = kept;
    job_queue_append(&suspects, &applier->unmarked);
    applier->unmarked = suspects;
}

/* Goes on with the only command of the group, which has no attempt record. */
static void begin_unmarked(struct applier *applier);

/* --- failures ------------------------------------------------------------------------------- */

static enum retry_cause cause_of(const struct applier *applier)
{
    switch (applier->failure) {
    case STORE_CONFLICT:
        return applier->failed_stage == STAGE_LOCK ? RETRY_LOCK_HELD : RETRY_CONFLICT;
    case STORE_REFUSED:
    case STORE_TOO_LARGE: return RETRY_REFUSED;
    case STORE_TIMED_OUT:
    case STORE_UNEXPLAINED:
    case STORE_EXPIRED:
    case STORE_UNKNOWN:
    case STORE_OK:
    case STORE_UNAVAILABLE:
    case STORE_MISCONFIGURED: break;
    }
    return RETRY_OUTAGE;
}

static void count_failure(const struct applier *applier, enum retry_cause cause)
{
    static const enum counter counters[] = {
        [RETRY_CONFLICT] = COUNTER_RETRIES_CONFLICT, [RETRY_LOCK_HELD] = COUNTER_RETRIES_LOCK_HELD,
        [RETRY_OUTAGE] = COUNTER_RETRIES_OUTAGE,     [RETRY_SUSPECTED] = COUNTER_RETRIES_SUSPECTED,
        [RETRY_REFUSED] = COUNTER_RETRIES_REFUSED,
    };
    counter_add(applier->options.counters, counters[cause], 1);
}

static struct retry *retry_of(struct applier *applier)
{
    return applier->letters_only ? &applier->letter_retry : &applier->retry;
}

/* Returns whether the letter of the only job is what the database rejects. */
static bool is_letter_rejected(const struct applier *applier)
{
    return applier->failed_stage == STAGE_WRITE_LETTERS || applier->letters_only;
}

/* What becomes of a batch that failed. */
enum remedy {
    REMEDY_REPEAT,    /* its commands are gathered again */
    REMEDY_SET_ASIDE, /* they are tried one by one, beside the others */
    REMEDY_REJECT     /* its only command is answered without what the database rejects */
};

static const char *message_of(const struct applier *applier, enum remedy remedy)
{
    switch (remedy) {
    case REMEDY_SET_ASIDE:
        return "the database works, but does not execute this batch; its commands are tried one by "
               "one, the others continue";
    case REMEDY_REJECT:
        if (!is_letter_rejected(applier))
            return "the database does not execute this command; it is answered with a failure";
        break;
    case REMEDY_REPEAT: break;
    }
    return "transaction failed, retrying the batch";
}

/* Returns the level at which a failed batch is logged. A command that is set aside is a warning
   once. A conflict is normal, and an outage has lines of its own (storage_outage.h). */
static enum log_level failure_level(const struct applier *applier, enum retry_cause cause,
                                    enum remedy remedy)
{
    if (cause == RETRY_REFUSED || remedy == REMEDY_REJECT ||
        (remedy == REMEDY_SET_ASIDE && applier->jobs[0]->waits == 0))
        return LOG_LEVEL_WARNING;
    return LOG_LEVEL_DEBUG;
}

static void log_failure(struct applier *applier, enum retry_cause cause, enum remedy remedy,
                        int64_t retry_in_ms)
{
    event_log_at(failure_level(applier, cause, remedy), EVENT_BATCH_FAILED,
                 LOG_FIELDS(LOG_S("status", store_status_name(applier->failure)),
                            LOG_S("cause", retry_cause_name(cause)),
                            LOG_S("stage", stages[applier->failed_stage].name),
                            LOG_I("commands", (int64_t)applier->count),
                            LOG_I("duration_ms", now_ms(applier) - applier->batch_began_ms),
                            LOG_I("retry_in_ms", retry_in_ms),
                            LOG_S("error", applier->failure_error.text)),
                 "%s", message_of(applier, remedy));
    if (cause == RETRY_OUTAGE) {
        applier->in_outage = true;
        applier->last = STORAGE_FAILED;
    }
}

static bool took_too_long(const struct applier *applier)
{
    return applier->failure == STORE_TIMED_OUT || applier->failure == STORE_EXPIRED;
}

/* Returns what of the database the command needs less of from now on. */
static enum rejection next_rejection(const struct applier *applier, const struct job *job)
{
    enum rejection now = job->decoded.request.rejection;
    if (is_read(job))
        return REJECTION_BLIND;
    if (applier->failure == STORE_UNKNOWN)
        return REJECTION_LOAD; /* it may have taken effect: without its outcome it has no answer */
    if (now == REJECTION_NONE && applier->failure == STORE_REFUSED &&
        applier->failed_stage != STAGE_LOAD && applier->failed_stage != STAGE_LOAD_MORE)
        return REJECTION_WRITES;
    return now < REJECTION_LOAD ? REJECTION_LOAD : now + 1;
}

/* Marks the only command of its batch: the next plan answers it with a failure. */
static void reject_permanently(const struct applier *applier, struct job *job)
{
    struct request *request = &job->decoded.request;
    request->rejection = next_rejection(applier, job);
    request->storage_reason = text_copy(job->arena, text_of(applier->failure_error.text));
    if (is_read(job) && took_too_long(applier))
        request->excess = (struct excess){true, applier->call_limit_ms, applier->failed_after_ms};
    if (applier->failure == STORE_TOO_LARGE)
        request->excess = (struct excess){false, (int64_t)applier->snapshot->bytes_max,
                                          (int64_t)arena_bytes(applier->arena)};
    job->tries_alone = 0;
}

/* One line in REFUSED_LOG_MS is an error: whatever the cause is, it may affect each letter. */
static void log_letter_refused(struct applier *applier)
{
    const struct job *job = applier->jobs[0];
    bool is_error = now_ms(applier) >= applier->refused_log_from_ms;
    if (is_error)
        applier->refused_log_from_ms = now_ms(applier) + REFUSED_LOG_MS;
    event_log_at(is_error ? event_level(EVENT_LETTER_REFUSED) : LOG_LEVEL_DEBUG,
                 EVENT_LETTER_REFUSED,
                 LOG_FIELDS(LOG_T("principal", job->decoded.request.principal),
                            LOG_T("message_id", job->delivery.properties.message_id),
                            LOG_S("error", applier->failure_error.text)),
                 job_is_of_desk(job)
                     ? "the database rejects the letter of a message of the desk queue; the "
                       "message stays in the dead-letter queue only"
                     : "the database rejects the letter of a command; publishing its dead letter "
                       "without a stored letter");
}

/* Handles that the only job cannot be committed: without its letter next time, or, if it has none
   or that is not the cause, with a failure as its answer. If it is its attempt record that the
   database does not take, the command goes on without one. */
static void reject(struct applier *applier)
{
    struct job *job = applier->jobs[0];
    if (is_marking(applier)) {
        job->unmarkable = true;
        job->tries_alone = 0;
        return;
    }
    if (!is_letter_rejected(applier)) {
        reject_permanently(applier, job);
        return;
    }
    job->letter_refused = true;
    job->tries_alone = 0;
    log_letter_refused(applier);
    job->answered |= job_is_of_desk(job); /* such a message is done */
}

/* Returns the batch of letters to its queues. Whether messages of the desk queue are stored now is
   looked for again, since the result of the commit may be unknown. */
static void return_letters(struct applier *applier)
{
    while (applier->count > 0) {
        struct job *job = applier->jobs[--applier->count];
        job->repeated = true;
        if (job_is_of_desk(job))
            letter_keeper_look_again(applier->keeper, job);
        else
            job_queue_push_front(&applier->unstored, job);
    }
}

/* Returns the batch to the queue that it came from. */
static void give_back(struct applier *applier)
{
    if (is_marking(applier) && applier->jobs[0]->unmarkable)
        begin_unmarked(applier);
    else if (is_marking(applier))
        return_to(&applier->unmarked, applier, 0);
    else if (!applier->letters_only)
        return_commands(applier, 0);
    else if (applier->jobs[0]->letter_refused)
        finish(applier, applier->jobs[--applier->count]);
    else
        return_letters(applier);
}

/* Lets another apply thread go on with the command, without its attempt record. */
static void pass_on(struct applier *applier, struct job *job)
{
    job->attempt_recorded = false;
    job->passed_on = true;
    finish(applier, job);
}

/* Takes the commands of the batch out of the way of the others: each is tried alone from now on, by
   the apply thread that the lane chooses. It waits before a further try. */
static void set_aside(struct applier *applier)
{
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        bool at_once = is_read(job) && took_too_long(applier); /* its next try has more time */
        int64_t pause_ms = at_once ? 0 : retry_pause_aside(job->waits);
        job->alone = true;
        job->waits++;
        job->aside_until_ms = now_ms(applier) + jittered(&applier->jitter, pause_ms);
        applier->marked -= job->attempt_recorded;
        pass_on(applier, job);
    }
    counter_add(applier->options.counters, COUNTER_COMMANDS_SET_ASIDE, applier->count);
    applier->count = 0;
}

/* Returns whether a failure of the batch may be charged to one command or letter. */
static bool may_be_charged(const struct applier *applier)
{
    return applier->letters_only ? applier->letter_retry.suspicions > 0 : applier->jobs[0]->alone;
}

/* Returns whether the failure is charged to the only command of the batch. */
static bool is_charged(const struct applier *applier)
{
    return applier->count == 1 && may_be_charged(applier) &&
           proof_covers(&applier->before, &applier->proof, applier->batch_began_ms,
                        applier->options.timeout_ms);
}

/* The database works, but not for this batch. A batch that did not simply take too long is tried
   once more as a whole, since a fail-over looks the same. */
static enum remedy remedy_for_suspects(struct applier *applier)
{
    struct job *first = applier->jobs[0];
    bool again = retry_of(applier)->suspicions < 2 && !took_too_long(applier);
    if (is_charged(applier) && ++first->tries_alone >= PROOF_TRIES_MAX)
        return REMEDY_REJECT;
    if (applier->letters_only || (again && !first->alone))
        return REMEDY_REPEAT;
    return REMEDY_SET_ASIDE;
}

static enum remedy remedy_for_conflict(const struct applier *applier)
{
    bool held_up = applier->jobs[0]->alone || retry_is_held_up(&applier->retry);
    return held_up && !applier->letters_only ? REMEDY_SET_ASIDE : REMEDY_REPEAT;
}

/* Returns whether the documents of the only command were too large for a batch of several, which it
   was before the others were cut off. */
static bool may_fit_alone(const struct applier *applier)
{
    return applier->failure == STORE_TOO_LARGE &&
           applier->snapshot->bytes_max < applier->options.load_bytes_max_alone;
}

static enum remedy remedy_for(struct applier *applier, enum retry_cause cause)
{
    switch (cause) {
    case RETRY_CONFLICT: return remedy_for_conflict(applier);
    case RETRY_SUSPECTED: return remedy_for_suspects(applier);
    case RETRY_REFUSED:
        return applier->count == 1 && !may_fit_alone(applier) ? REMEDY_REJECT : REMEDY_REPEAT;
    case RETRY_LOCK_HELD:
    case RETRY_OUTAGE: break;
    }
    return REMEDY_REPEAT;
}

static void apply_remedy(struct applier *applier, enum remedy remedy)
{
    if (remedy == REMEDY_SET_ASIDE) {
        retry_set_aside(&applier->retry);
        set_aside(applier);
        return;
    }
    if (remedy == REMEDY_REJECT)
        reject(applier);
    give_back(applier);
}

/* Decides what becomes of the batch that failed. Nothing has to be undone, because an aborted
   transaction leaves nothing behind. */
static enum applier_next conclude(struct applier *applier, enum retry_cause cause,
                                  int64_t *ret_pause_ms)
{
    int64_t pause_ms = 0;
    retry_after(retry_of(applier), cause, applier->count, &pause_ms);
    enum remedy remedy = remedy_for(applier, cause);
    if (remedy == REMEDY_SET_ASIDE)
        pause_ms = 0; /* the others do not wait */
    *ret_pause_ms = jittered(&applier->jitter, pause_ms);
    count_failure(applier, cause);
    log_failure(applier, cause, remedy, *ret_pause_ms);
    if (applier->letters_only) { /* commands do not wait for it */
        applier->letters_from_ms = now_ms(applier) + *ret_pause_ms;
        *ret_pause_ms = 0;
    }
    apply_remedy(applier, remedy);
    leave_batch(applier);
    if (applier->failure == STORE_MISCONFIGURED)
        applier->stage = STAGE_REPAIR;
    return *ret_pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}

/* Repairs the database, since something that the transaction needs is missing. Until that succeeds,
   this thread does nothing else. */
static enum applier_next repair(struct applier *applier, int64_t *ret_pause_ms)
{
    applier->failure = storage_repair(applier->options.store, &applier->failure_error);
    if (applier->failure == STORE_OK) {
        applier->stage = STAGE_GATHER;
        return APPLIER_GO_ON;
    }
    applier->last = STORAGE_FAILED;
    *ret_pause_ms = REPAIR_PAUSE_MS;
    return APPLIER_WAIT;
}

static bool needs_proof(const struct applier *applier)
{
    /* Records that are refused say nothing about a command, unless others can be written. */
    return proof_is_needed(applier->failure) ||
           (applier->failure == STORE_REFUSED && is_marking(applier));
}

/* Handles that a call of the batch has failed: ends the transaction, and looks whether the database
   works if only that tells the cause. */
static enum applier_next handle_failure(struct applier *applier, enum store_status status,
                                        const struct error *error, int64_t *ret_pause_ms)
{
    applier->failed_stage = applier->stage;
    applier->failure = status;
    applier->failure_error = *error;
    applier->failed_after_ms = now_ms(applier) - applier->transaction_began_ms;
    end_transaction(applier);
    if (status == STORE_UNKNOWN)
        applier->options.store->ops->renew(applier->options.store);
    if (!needs_proof(applier))
        return conclude(applier, cause_of(applier), ret_pause_ms);
    applier->stage = STAGE_PROVE;
    return APPLIER_GO_ON;
}

/* Takes a new proof. Returns false, with an error, if the database does not work, or takes longer
   than one call may. */
static bool take_proof(struct applier *applier, struct error *error)
{
    struct store *store = applier->options.store;
    struct proof proof = {.taken = true};
    int64_t began_ms = now_ms(applier);
    applier->before = applier->proof;
    applier->proof.taken = false;
    if (store->ops->prove_health(store, &proof.primary, error) != STORE_OK)
        return false;
    proof.at_ms = now_ms(applier);
    if (proof.at_ms - began_ms > applier->options.timeout_ms) {
        error_set(error, "a small transaction took %lld ms", (long long)(proof.at_ms - began_ms));
        return false;
    }
    applier->proof = proof;
    return true;
}

static enum applier_next prove(struct applier *applier, int64_t *ret_pause_ms)
{
    struct error error = {""};
    bool works = take_proof(applier, &error);
    return conclude(applier, works ? RETRY_SUSPECTED : RETRY_OUTAGE, ret_pause_ms);
}

/* Takes the proof that has to be older than a try that may be charged to a command. */
static enum applier_next prove_first(struct applier *applier, int64_t *ret_pause_ms)
{
    struct error error = {""};
    bool works = take_proof(applier, &error);
    applier->batch_began_ms = now_ms(applier);
    applier->stage = applier->next_stage;
    if (works)
        return APPLIER_GO_ON;
    applier->failed_stage = applier->stage;
    applier->failure = STORE_UNAVAILABLE;
    applier->failure_error = error;
    return conclude(applier, RETRY_OUTAGE, ret_pause_ms);
}

/* Sets the next stage of the batch or group, after the proof that it needs. */
static void start_with(struct applier *applier, enum stage stage)
{
    bool fresh = proof_is_fresh(&applier->proof, now_ms(applier), applier->options.timeout_ms);
    applier->next_stage = stage;
    applier->stage = may_be_charged(applier) && !fresh ? STAGE_PROVE_FIRST : stage;
}

/* --- the stages ----------------------------------------------------------------------------- */

/* Begins the group of redelivered commands that is marked next. */
static void begin_group(struct applier *applier)
{
    take_group(applier);
    if (applier->count > 0)
        start_with(applier,
                   applier->jobs[0]->history_read ? STAGE_RECORD_ATTEMPTS : STAGE_FIND_ATTEMPTS);
}

static bool letters_are_due(const struct applier *applier)
{
    return applier->unstored.head != NULL && now_ms(applier) >= applier->letters_from_ms;
}

/* Commands and letters take turns, so that neither waits for all of the others. A command that has
   to be alone comes first. */
static bool letters_are_next(const struct applier *applier)
{
    if (!letters_are_due(applier) || (applier->has_turn && applier->is_alone))
        return false;
    return !applier->letters_last || !has_commands(applier);
}

/* Returns whether the batch is a command that is answered without the database. */
static bool is_blind(const struct applier *applier)
{
    return !applier->letters_only && applier->jobs[0]->decoded.request.rejection == REJECTION_BLIND;
}

/* Begins the next batch, if there is one. */
static enum applier_next begin_batch(struct applier *applier, int64_t *ret_pause_ms)
{
    bool turn_refused = applier->turn_refused;
    bool has_letters = letters_are_due(applier);
    applier->turn_refused = false;
    applier->letters_only = letters_are_next(applier);
    applier->letters_last = applier->letters_only;
    if (applier->letters_only)
        gather_letters(applier);
    else
        gather(applier);
    applier->letters_only &= applier->count > 0;
    if (applier->count > 0 && is_blind(applier))
        applier->stage = STAGE_REFUSE;
    else if (applier->count > 0)
        start_with(applier, STAGE_BEGIN);
    else if (turn_refused)
        *ret_pause_ms = TURN_PAUSE_MS;
    else if (!has_commands(applier) && applier->unmarked.head == NULL &&
             applier->attempt_cleanups.head == NULL && !has_letters)
        return APPLIER_IDLE;
    return *ret_pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}

/* Returns whether the next group may have records already: a write that failed may have had its
   effect. */
static bool has_sent_record(const struct applier *applier)
{
    return applier->unmarked.head != NULL && applier->unmarked.head->attempt_sent;
}

/* Makes a call about letters, if one is due. Returns whether it did. After one, commands that wait
   have their turn. */
static bool keep_letters(struct applier *applier)
{
    struct job_queue finished = {0};
    if (applier->kept_letters && (has_commands(applier) || applier->unmarked.head != NULL))
        return false;
    bool called = letter_keeper_step(applier->keeper);
    letter_keeper_reap(applier->keeper, &finished, &applier->unstored);
    for (struct job *job = job_queue_pop(&finished); job != NULL; job = job_queue_pop(&finished))
        finish(applier, job);
    return called;
}

/* Returns how long the applier may idle until a call about letters, or a command that was set
   aside, is due; 0: any time. */
static int64_t idle_ms(const struct applier *applier)
{
    int64_t due_ms = letter_keeper_due_ms(applier->keeper);
    if (applier->unstored.head != NULL && applier->letters_from_ms < due_ms)
        due_ms = applier->letters_from_ms;
    for (const struct job *job = applier->aside.head; job != NULL; job = job->next) {
        if (job->aside_until_ms < due_ms)
            due_ms = job->aside_until_ms;
    }
    if (due_ms == INT64_MAX)
        return 0;
    int64_t rest_ms = due_ms - now_ms(applier);
    return rest_ms > 0 ? rest_ms : 1;
}

/* Begins with what comes first: attempt records to delete; a call about letters; redelivered
   commands to mark, once those that were marked before are done; a batch. While another lane has
   the turn, others do not wait. */
static enum applier_next gather_batch(struct applier *applier, int64_t *ret_pause_ms)
{
    take_cleanups(applier);
    if (applier->count > 0)
        return clean_up_attempts(applier, ret_pause_ms);
    applier->kept_letters = keep_letters(applier);
    if (applier->kept_letters)
        return APPLIER_GO_ON;
    if (applier->marked == 0 && !has_sent_record(applier))
        end_turn(applier);
    release_aside(applier);
    applier->batch_began_ms = now_ms(applier);
    if (applier->marked == 0 && applier->unmarked.head != NULL && !applier->turn_refused) {
        begin_group(applier);
        return APPLIER_GO_ON;
    }
    enum applier_next next = begin_batch(applier, ret_pause_ms);
    if (next == APPLIER_IDLE)
        *ret_pause_ms = idle_ms(applier);
    return next;
}

/* Looks for records of workers that died with the commands of the group. */
static enum applier_next find_attempts(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    copy_keys(applier, applier->count);
    enum store_status status =
        store->ops->find_attempts(store, applier->keys, applier->count, applier->histories, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        job->history = applier->histories[i];
        job->history_read = true;
    }
    part_suspects(applier);
    applier->stage = applier->count > 0 ? STAGE_RECORD_ATTEMPTS : STAGE_GATHER;
    return APPLIER_GO_ON;
}

/* The plan only answers `attempts_exhausted` to a command with max_attempts deaths. So if a worker
   died once more, it died while it decoded the command, or after the commit. */
static bool may_die_decoding(const struct applier *applier, const struct job *job)
{
    return job->history.alone > applier->options.max_attempts;
}

/* Its workers died even of looking for its outcome. */
static bool may_die_looking(const struct applier *applier, const struct job *job)
{
    return job->history.alone > 2 * applier->options.max_attempts;
}

/* Fills in what is known of a command that may not be decoded. It is accepted, to look for its
   outcome, unless it can have none or may die of that too: then it is refused. It gets no reply,
   since nothing is known of its policy. */
static void identify(struct applier *applier, struct job *job)
{
    struct decoded *decoded = &job->decoded;
    applier->options.identify(applier->options.decode_context, job);
    decoded->accepted = decoded->accepted && !may_die_looking(applier, job);
    if (!decoded->accepted)
        verdict_refuse_exhausted(&decoded->verdict, job->arena, job->history.alone, "decoding");
}

/* Decodes a command whose record is durable. Returns whether it goes into a batch; otherwise it is
   answered. */
static bool decode_marked(struct applier *applier, struct job *job)
{
    if (!job->undecoded)
        assert(job->decoded.accepted); /* decoded before it was passed on or set aside */
    else if (may_die_decoding(applier, job))
        identify(applier, job);
    else
        applier->options.decode(applier->options.decode_context, job);
    job->decoded.request.attempts = job->history.alone;
    if (!job->decoded.accepted)
        job_answer_undecodable(job);
    return job->decoded.accepted;
}

/* Hands back a job that was answered without a transaction. Its letter is stored first; if letters
   are another apply thread's, the lane takes it there. */
static void finish_answered(struct applier *applier, struct job *job)
{
    if (job_needs_letter(job) && applier->options.role == APPLY_ASIDE)
        job_queue_push(&applier->unstored, job);
    else
        finish(applier, job);
}

/* Moves the commands of the group to the front of `ready`. */
static void begin_marked(struct applier *applier)
{
    struct job_queue ready = {0};
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        job->attempt_recorded = true;
        if (!decode_marked(applier, job))
            finish_answered(applier, job);
        else if (apply_role_of(job, applier->options.role) != applier->options.role)
            pass_on(applier, job);
        else
            job_queue_push(&ready, job);
    }
    applier->count = 0;
    applier->marked = ready.count;
    job_queue_append(&ready, &applier->ready);
    applier->ready = ready;
}

static void begin_unmarked(struct applier *applier)
{
    struct job *job = applier->jobs[0];
    applier->count = 0;
    if (!decode_marked(applier, job))
        finish_answered(applier, job);
    else if (apply_role_of(job, applier->options.role) != applier->options.role)
        pass_on(applier, job);
    else
        fair_queue_push(&applier->waiting, job);
}

/* A record of a group of one counts as an attempt, so then no other lane may have a group. */
static bool take_turn(struct applier *applier)
{
    bool alone = applier->count == 1;
    if (applier->has_turn && applier->is_alone == alone)
        return true; /* of a write that failed */
    end_turn(applier);
    applier->is_alone = alone;
    applier->has_turn = attempt_turn_begin(applier->options.turn, applier->is_alone);
    applier->turn_refused = !applier->has_turn;
    return applier->has_turn;
}

/* Writes the attempt records of the group, durably, before its commands are decoded and planned: if
   one of them crashes this worker, the records remain. A write that was not answered may have
   taken effect, so it is repeated. */
static enum applier_next record_attempts(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    if (!take_turn(applier)) {
        return_to(&applier->unmarked, applier, 0);
        applier->stage = STAGE_GATHER;
        return APPLIER_GO_ON;
    }
    copy_keys(applier, applier->count);
    for (size_t i = 0; i < applier->count; i++)
        applier->jobs[i]->attempt_sent = true;
    enum store_status status =
        store->ops->record_attempts(store, applier->keys, applier->count, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    begin_marked(applier);
    applier->stage = STAGE_GATHER;
    return APPLIER_GO_ON;
}

/* Makes the letter of an answered job. */
static struct letter letter_of(const struct applier *applier, const struct job *job,
                               struct arena *arena)
{
    const struct letter_origin origin = letter_origin_now(&applier->options);
    return job_is_of_desk(job) ? *job->letter : job_letter(job, arena, &origin);
}

/* Adds a letter to the batch, without what is not to be stored; the same letter is written once. */
static void add_letter(struct applier *applier, struct letter *letter)
{
    letter_redact(applier->arena, &applier->options.redaction, letter);
    for (size_t i = 0; i < applier->letter_count; i++) {
        struct letter *earlier = &applier->letters[i];
        if (text_equal(earlier->id, letter->id)) {
            letter->times += earlier->times;
            letter->published &= earlier->published;
            *earlier = *letter;
            return;
        }
    }
    applier->letters[applier->letter_count++] = *letter;
}

/* Makes the letters of a batch of letters. */
static void prepare_letters(struct applier *applier)
{
    arena_reset(applier->arena);
    for (size_t i = 0; i < applier->count; i++) {
        struct letter letter = letter_of(applier, applier->jobs[i], applier->arena);
        add_letter(applier, &letter);
    }
    applier->stage = STAGE_WRITE_LETTERS;
}

/* Returns whether a batch that begins with this job needs a fence write. */
static bool writes_nothing(const struct job *job)
{
    return is_read(job) || job->decoded.request.rejection == REJECTION_RECORD;
}

/* Lists the documents to load first, in an empty snapshot. */
static void prepare_load(struct applier *applier)
{
    arena_reset(applier->arena);
    applier->policy = policy_acquire(applier->options.policy);
    applier->snapshot = snapshot_new(applier->arena);
    applier->snapshot->fence = writes_nothing(applier->jobs[0]);
    applier->snapshot->bytes_max = applier->count == 1 ? applier->options.load_bytes_max_alone
                                                       : applier->options.load_bytes_max;
    for (size_t i = 0; i < applier->count; i++)
        applier->requests[i] = &applier->jobs[i]->decoded.request;
    plan_want_first(applier->snapshot, applier->requests, applier->count);
    applier->stage = STAGE_LOAD;
}

/* Returns how many tries of the batch have failed. A batch of several commands has little time at
   first, because a slow command makes all others wait; and more during an outage, when each call
   may be slow. */
static unsigned tries_before(const struct applier *applier)
{
    return applier->jobs[0]->alone ? applier->jobs[0]->tries_alone : applier->retry.outages;
}

static enum applier_next begin(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    applier->transaction_began_ms = now_ms(applier);
    applier->call_limit_ms = proof_limit_ms(applier->options.call_limit_ms, tries_before(applier));
    store->ops->limit_calls(store, applier->call_limit_ms);
    enum store_status status = store->ops->begin(store, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    applier->in_transaction = true;
    if (applier->letters_only)
        prepare_letters(applier);
    else if (retry_wants_lock(&applier->retry) && !is_read(applier->jobs[0]))
        applier->stage = STAGE_LOCK;
    else
        prepare_load(applier);
    return APPLIER_GO_ON;
}

static enum applier_next take_advisory_lock(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    bool contended = false;
    enum store_status status = store->ops->take_advisory_lock(store, &contended, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    retry_got_lock(&applier->retry, contended);
    prepare_load(applier);
    return APPLIER_GO_ON;
}

/* Loads what the commands name, cuts the batch to max_documents, and lists what the loaded
   documents refer to. */
static enum applier_next load(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->load(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    return_commands(applier, plan_prefix(applier->snapshot, applier->requests, applier->count,
                                         applier->options.max_documents));
    bool more = plan_want_second(applier->snapshot, applier->requests, applier->count);
    applier->stage = more ? STAGE_LOAD_MORE : STAGE_PLAN;
    return APPLIER_GO_ON;
}

static enum applier_next load_more(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->load(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    applier->stage = STAGE_PLAN;
    return APPLIER_GO_ON;
}

static struct text encode(struct applier *applier, size_t index)
{
    const struct request *request = applier->requests[index];
    struct verdict *verdict = &applier->verdicts[index];
    struct text name = applier->jobs[index]->decoded.command;
    struct text body =
        reply_encode(applier->arena, name, request->command.kind, request->key, verdict);
    if (body.length <= REPLY_BYTES_MAX)
        return body;
    /* Only the result of a read can be too large, and a read has no effect to undo. */
    assert(is_read(applier->jobs[index]));
    verdict_refuse(verdict, applier->arena, VERDICT_LIMIT_EXCEEDED,
                   "reply too large: %zu bytes (limit %d)", body.length, REPLY_BYTES_MAX);
    verdict_add_integer(verdict, "limit", REPLY_BYTES_MAX);
    verdict_add_integer(verdict, "given", (int64_t)body.length);
    return reply_encode(applier->arena, name, request->command.kind, request->key, verdict);
}

/* Returns the reply's body: a new one; or, for a replay, the stored one, or the one of an earlier
   command in this batch with the same key. */
static struct text body_of(struct applier *applier, size_t index)
{
    const struct verdict *verdict = &applier->verdicts[index];
    if (!verdict->replayed)
        return encode(applier, index);
    if (text_present(verdict->replay_body))
        return verdict->replay_body;
    return applier->bodies[verdict->replay_of];
}

/* Adds the letters of the commands that are certain to be dead-lettered. Whether the reply of
   another failure can be routed is known only after the commit. */
static void add_letters(struct applier *applier)
{
    for (size_t i = 0; i < applier->count; i++) {
        const struct verdict *verdict = &applier->verdicts[i];
        struct job *job = applier->jobs[i];
        if (!disposition_of(verdict->code, verdict->reply_allowed).dead_letter)
            continue;
        job->letter_refused |= is_full(applier, job);
        if (job->letter_refused)
            continue;
        struct job decided = *job;
        decided.code = verdict->code;
        decided.detail = job_detail(applier->arena, verdict, applier->bodies[i]);
        struct letter letter = letter_of(applier, &decided, applier->arena);
        add_letter(applier, &letter);
    }
}

static enum stage after_write(const struct applier *applier)
{
    return applier->letter_count > 0 ? STAGE_WRITE_LETTERS : STAGE_COMMIT;
}

/* Makes the replies of the batch. Reads have no effect, so those behind the last reply that a batch
   of them may have are simply decided again in the next one. */
static void encode_replies(struct applier *applier)
{
    size_t bytes = 0;
    for (size_t i = 0; i < applier->count; i++) {
        applier->bodies[i] = body_of(applier, i);
        bytes += applier->bodies[i].length;
        if (bytes >= READ_BATCH_REPLY_BYTES && is_read(applier->jobs[i]))
            return_commands(applier, i + 1);
    }
}

/* Decides all commands against the snapshot, and encodes the replies. */
static void decide(struct applier *applier)
{
    struct plan_context context = {
        .policy = policy_of(applier->policy),
        .now_ms = applier->options.store->ops->now_ms(applier->options.store),
        .attempts_max = applier->options.max_attempts,
    };
    die_of_poison(applier->requests, applier->count, applier->options.max_attempts);
    applier->verdicts = ARENA_ARRAY(applier->arena, struct verdict, applier->count);
    applier->bodies = ARENA_ARRAY(applier->arena, struct text, applier->count);
    plan_run(&context, applier->snapshot, applier->requests, applier->count, applier->verdicts);
    encode_replies(applier);
}

/* Decides the batch, and puts the bodies of new outcomes into the snapshot. */
static enum applier_next plan(struct applier *applier, int64_t *ret_pause_ms)
{
    (void)ret_pause_ms; /* it cannot fail */
    decide(applier);
    for (size_t i = 0; i < applier->snapshot->outcome_count; i++) {
        struct outcome *outcome = &applier->snapshot->outcomes[i];
        if (outcome->state.dirty && outcome->state.exists)
            outcome->body = applier->bodies[outcome->decided_by];
    }
    add_letters(applier);
    applier->stage = snapshot_is_dirty(applier->snapshot) ? STAGE_WRITE : after_write(applier);
    return APPLIER_GO_ON;
}

static enum applier_next write_batch(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->write(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    applier->stage = after_write(applier);
    return APPLIER_GO_ON;
}

static enum applier_next write_letters(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status =
        store->ops->write_letters(store, applier->letters, applier->letter_count, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    applier->stage = STAGE_COMMIT;
    return APPLIER_GO_ON;
}

/* Charges the principal of a batch of one command for the documents that nobody knew before. */
static void charge(struct applier *applier)
{
    const struct snapshot *snapshot = applier->snapshot;
    if (applier->count != 1 || applier->letters_only)
        return;
    fair_queue_charge(&applier->waiting, applier->requests[0]->principal,
                      snapshot->provider_count + snapshot->consumer_count + snapshot->node_count);
}

static void log_commit(struct applier *applier)
{
    applier->in_outage = false;
    applier->last = STORAGE_WORKED;
    event_log(EVENT_BATCH_COMMITTED,
              LOG_FIELDS(LOG_I("commands", (int64_t)applier->count),
                         LOG_I("duration_ms", now_ms(applier) - applier->batch_began_ms)),
              "batch committed");
    counter_add(applier->options.counters, COUNTER_LETTERS_STORED, applier->letter_count);
    if (applier->letters_only)
        return;
    counter_add(applier->options.counters, COUNTER_TRANSACTIONS_COMMITTED, 1);
    counter_add(applier->options.counters, COUNTER_COMMANDS_COMMITTED, applier->count);
}

/* Keeps the letter of a job, to be published. */
static void keep_letter(struct applier *applier, struct job *job)
{
    job->letter = ARENA_NEW(job->arena, struct letter);
    *job->letter = letter_of(applier, job, job->arena);
    job->letter_stored = true;
}

/* Gives each job its answer. */
static void complete_batch(struct applier *applier)
{
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        if (job_is_of_desk(job)) {
            job->answered = true;
            finish(applier, job);
            continue;
        }
        if (!applier->letters_only) {
            applier->marked -= job->attempt_recorded;
            job_answer(job, &applier->verdicts[i], applier->bodies[i]);
        }
        if (job_needs_letter(job))
            keep_letter(applier, job);
        finish(applier, job);
    }
    applier->count = 0;
}

/* Answers the only command of the batch without the database. */
static enum applier_next refuse(struct applier *applier, int64_t *ret_pause_ms)
{
    (void)ret_pause_ms; /* it cannot fail */
    struct job *job = applier->jobs[0];
    prepare_load(applier);
    decide(applier);
    applier->marked -= job->attempt_recorded;
    job_answer(job, &applier->verdicts[0], applier->bodies[0]);
    applier->count = 0;
    finish_answered(applier, job);
    leave_batch(applier);
    return APPLIER_GO_ON;
}

static enum applier_next commit(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->commit(store, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    end_transaction(applier);
    log_commit(applier);
    charge(applier);
    complete_batch(applier);
    int64_t yield_ms = retry_succeeded(retry_of(applier), applier->options.max_commands,
                                       now_ms(applier) - applier->transaction_began_ms);
    if (!applier->letters_only) /* commands do not wait for letters */
        *ret_pause_ms = jittered(&applier->jitter, yield_ms);
    leave_batch(applier);
    return *ret_pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}
