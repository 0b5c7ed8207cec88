/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The applier is a state machine: STAGES lists the stages of a batch, each with the
 * function that runs it. A stage either sets the next one, or calls handle_failure, which ends the
 * transaction, returns the commands to `waiting`, and starts again at GATHER. applier_step runs one
 * stage.
 *
 * Sections: attempt records left to delete; gathering a batch; failures; the stages.
 *
 * Guarantees:
 * - All effects and outcomes of a batch are in one transaction. A job is answered only after the
 *   commit succeeded, so an answer is never taken back.
 * - A retry starts from a new load. After a commit with an unknown result, the load finds the
 *   outcomes if they were committed, and the commands are replayed.
 * - Reads are never in one batch with writes. A command that was delivered three times or more, or
 *   whose mode is exclusive, has its own batch.
 * - A command whose connection was lost is dropped when it is gathered: the broker redelivers it.
 *
 * Not here: the rules of commands (common/core/plan.c), the choice of pause and batch size
 * (common/core/retry.c), threads (lane.c), replies (settler.c).
 */
#include "worker/service/applier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/base/memory.h"
#include "common/codec/reply_encode.h"
#include "common/core/plan.h"
#include "common/core/retry.h"
#include "worker/service/events.h"
#include "worker/service/poison.h"

enum {
    SUSPECT_REDELIVERIES = 2, /* so an attempt is recorded from the third delivery on */
    BATCH_ARENA_BYTES = 256 * 1024,
    ATTEMPT_CLEANUP_TRIES_MAX = 5
};

/* X(id, name in the log, function), in the order of a batch. */
#define STAGES(X)                                                                                  \
    X(GATHER, "gather", gather_batch)                                                              \
    X(RECORD_ATTEMPT, "record_attempt", record_attempt)                                            \
    X(BEGIN, "begin", begin)                                                                       \
    X(LOCK, "lock", take_advisory_lock)                                                            \
    X(LOAD, "load", load)                                                                          \
    X(LOAD_MORE, "load_more", load_more)                                                           \
    X(PLAN, "plan", plan)                                                                          \
    X(WRITE, "write", write_batch)                                                                 \
    X(COMMIT, "commit", commit)

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
    struct job_queue waiting;          /* commands for the next batches */
    struct job_queue attempt_cleanups; /* jobs whose attempt record has to be deleted */
    struct job_queue done;             /* to be reaped */
    unsigned cleanup_tries;            /* of the first of attempt_cleanups */
    enum stage stage;
    bool in_transaction;
    int64_t batch_began_ms;       /* monotonic */
    int64_t transaction_began_ms; /* monotonic; after the attempt record was written */
    bool in_outage;               /* an outage was logged, and nothing was committed since */
    struct retry retry;
    uint64_t random;
    uint64_t attempts; /* number of the last attempt record */

    /* the batch */
    struct arena *arena; /* owns all but the jobs and the policy; reset for each batch */
    struct job **jobs;   /* owned while they are in the batch */
    const struct request **requests;
    size_t count;
    struct policy_ref *policy;
    struct snapshot *snapshot;
    struct verdict *verdicts;
    struct text *bodies; /* of the replies */
};

struct applier *applier_new(const struct applier_options *options)
{
    struct applier *applier = MEMORY_NEW(struct applier);
    applier->options = *options;
    applier->retry.limit = options->max_commands;
    applier->random = options->seed | 1;
    applier->arena = arena_new(BATCH_ARENA_BYTES);
    applier->jobs = memory_array(options->max_commands, sizeof(struct job *));
    applier->requests = memory_array(options->max_commands, sizeof(struct request *));
    return applier;
}

static void end_transaction(struct applier *applier)
{
    if (applier->in_transaction)
        applier->options.store->ops->end(applier->options.store);
    applier->in_transaction = false;
}

void applier_free(struct applier *applier)
{
    if (applier == NULL)
        return;
    end_transaction(applier);
    for (size_t i = 0; i < applier->count; i++)
        job_free(applier->jobs[i]);
    job_queue_free_all(&applier->waiting);
    job_queue_free_all(&applier->attempt_cleanups);
    job_queue_free_all(&applier->done);
    policy_release(applier->policy);
    arena_free(applier->arena);
    free(applier->jobs);
    free(applier->requests);
    free(applier);
}

void applier_submit(struct applier *applier, struct job_queue *jobs)
{
    for (struct job *job = job_queue_pop(jobs); job != NULL; job = job_queue_pop(jobs))
        job_queue_push(job->attempt_sent ? &applier->attempt_cleanups : &applier->waiting, job);
}

void applier_reap(struct applier *applier, struct job_queue *ret_jobs)
{
    job_queue_append(ret_jobs, &applier->done);
}

bool applier_in_outage(const struct applier *applier)
{
    return applier->in_outage;
}

const char *applier_stage_name(const struct applier *applier)
{
    return stages[applier->stage].name;
}

enum applier_next applier_step(struct applier *applier, int64_t *ret_pause_ms)
{
    *ret_pause_ms = 0;
    return stages[applier->stage].run(applier, ret_pause_ms);
}

/* Returns a random time from half of the pause to all of it, so that workers that collided do not
   meet again. xorshift64, seeded by the caller, so that a simulation can be repeated. */
static int64_t jittered(struct applier *applier, int64_t pause_ms)
{
    applier->random ^= applier->random << 13;
    applier->random ^= applier->random >> 7;
    applier->random ^= applier->random << 17;
    if (pause_ms < 2)
        return pause_ms;
    return pause_ms / 2 + (int64_t)(applier->random % (uint64_t)(pause_ms / 2 + 1));
}

static int64_t now_ms(const struct applier *applier)
{
    return applier->options.clock->monotonic_ms(applier->options.clock);
}

static bool is_current(const struct applier *applier, const struct job *job)
{
    return job->epoch == atomic_load(applier->options.epoch);
}

/* Leaves the batch, which is answered or back in `waiting`; the next step gathers a new one. */
static void leave_batch(struct applier *applier)
{
    policy_release(applier->policy);
    applier->policy = NULL;
    applier->stage = STAGE_GATHER;
}

/* --- attempt records left to delete --------------------------------------------------------- */

/* Deletes the attempt record of the first job in attempt_cleanups. A record that cannot be deleted
   is logged and left: it expires, and must not keep later commands waiting. */
static enum applier_next clean_up_attempt(struct applier *applier, int64_t *ret_pause_ms)
{
    const struct store_ops *ops = applier->options.store->ops;
    struct job *job = applier->attempt_cleanups.head;
    const struct request *request = &job->decoded.request;
    struct error error = {""};
    enum store_status status =
        job->answered
            ? ops->clear_attempts(applier->options.store, request->principal, request->key, &error)
            : ops->withdraw_attempt(applier->options.store, request->principal, request->key,
                                    job->attempt, &error);
    if (status != STORE_OK && ++applier->cleanup_tries < ATTEMPT_CLEANUP_TRIES_MAX) {
        *ret_pause_ms = jittered(applier, RETRY_CONFLICT_PAUSE_MAX_MS);
        return APPLIER_WAIT;
    }
    if (status != STORE_OK)
        event_log(EVENT_ATTEMPT_CLEANUP_FAILED,
                  LOG_FIELDS(LOG_T("message_id", request->key), LOG_S("error", error.text)),
                  "cannot delete the attempt record; it counts as a crash until it expires");
    applier->cleanup_tries = 0;
    job = job_queue_pop(&applier->attempt_cleanups);
    job->attempt_sent = false;
    job_queue_push(&applier->done, job);
    return APPLIER_GO_ON;
}

/* --- gathering a batch ---------------------------------------------------------------------- */

static bool is_read(const struct job *job)
{
    return command_mode(job->decoded.request.command.kind) == MODE_READ;
}

/* Returns whether the command may be one that crashes its workers. */
static bool is_suspect(const struct job *job)
{
    return job->delivery.delivery_count >= SUSPECT_REDELIVERIES && !is_read(job);
}

static bool needs_own_batch(const struct job *job)
{
    return is_suspect(job) || command_mode(job->decoded.request.command.kind) == MODE_EXCLUSIVE;
}

/* The size of a batch, as far as it is known before the load. */
struct extent {
    size_t bytes;
    size_t documents;
};

/* Counts the consumers and the outcome. Commands share providers, so these are counted once all of
   them are loaded (plan_prefix). */
static size_t documents_of(const struct job *job)
{
    const struct command *command = &job->decoded.request.command;
    return command_mode(command->kind) == MODE_BATCHED ? command->params.change.claim_count + 1 : 1;
}

static bool fits(const struct applier *applier, const struct job *job, const struct extent *extent)
{
    if (applier->count == 0)
        return true;
    const struct job *first = applier->jobs[0];
    return !needs_own_batch(first) && !needs_own_batch(job) && is_read(first) == is_read(job) &&
           extent->bytes + job->delivery.body.length <= applier->options.max_bytes &&
           extent->documents + documents_of(job) <= applier->options.max_documents;
}

/* Fills the batch from `waiting`. The first command decides the kind of the batch, and others of
   that kind join it; the rest keeps its order. */
static void gather(struct applier *applier)
{
    struct job_queue later = {0};
    struct extent extent = {0, 0};
    applier->count = 0;
    while (applier->waiting.head != NULL && applier->count < applier->retry.limit) {
        struct job *job = job_queue_pop(&applier->waiting);
        if (!is_current(applier, job)) {
            job_queue_push(&applier->done, job);
        } else if (!fits(applier, job, &extent)) {
            job_queue_push(&later, job);
            if (needs_own_batch(job))
                break; /* it closes this batch and is the first of the next */
        } else {
            extent.bytes += job->delivery.body.length;
            extent.documents += documents_of(job);
            applier->jobs[applier->count++] = job;
            if (needs_own_batch(job))
                break;
        }
    }
    job_queue_append(&later, &applier->waiting);
    applier->waiting = later;
}

/* Moves the commands of the batch from index `first` on to the front of `waiting`. */
static void return_to_waiting(struct applier *applier, size_t first)
{
    while (applier->count > first)
        job_queue_push_front(&applier->waiting, applier->jobs[--applier->count]);
}

/* --- failures ------------------------------------------------------------------------------- */

static enum retry_cause cause_of(const struct applier *applier, enum store_status status)
{
    switch (status) {
    case STORE_CONFLICT: return applier->stage == STAGE_LOCK ? RETRY_LOCK_HELD : RETRY_CONFLICT;
    case STORE_EXPIRED: return RETRY_EXPIRED;
    case STORE_REFUSED: return RETRY_REFUSED;
    case STORE_OK:
    case STORE_UNAVAILABLE:
    case STORE_UNKNOWN:
    case STORE_MISCONFIGURED: break;
    }
    return RETRY_OUTAGE;
}

static void count_failure(const struct applier *applier, enum retry_cause cause)
{
    static const enum counter counters[] = {
        [RETRY_CONFLICT] = COUNTER_RETRIES_CONFLICT, [RETRY_LOCK_HELD] = COUNTER_RETRIES_LOCK_HELD,
        [RETRY_OUTAGE] = COUNTER_RETRIES_OUTAGE,     [RETRY_EXPIRED] = COUNTER_RETRIES_EXPIRED,
        [RETRY_REFUSED] = COUNTER_RETRIES_REFUSED,
    };
    counter_add(applier->options.counters, counters[cause], 1);
}

/* Returns the level at which a failed batch is logged. An outage is a warning once; a conflict is
   normal, and is logged at debug. */
static enum log_level failure_level(const struct applier *applier, enum store_status status,
                                    bool outage)
{
    if (status == STORE_MISCONFIGURED)
        return LOG_LEVEL_ERROR;
    if (status == STORE_REFUSED || status == STORE_EXPIRED || (outage && !applier->in_outage))
        return LOG_LEVEL_WARNING;
    return LOG_LEVEL_DEBUG;
}

static void log_failure(struct applier *applier, enum store_status status, bool rejected,
                        int64_t retry_in_ms, const struct error *error)
{
    enum retry_cause cause = cause_of(applier, status);
    bool outage = cause == RETRY_OUTAGE;
    event_log_at(failure_level(applier, status, outage), EVENT_BATCH_FAILED,
                 LOG_FIELDS(LOG_S("status", store_status_name(status)),
                            LOG_S("cause", retry_cause_name(cause)),
                            LOG_S("stage", applier_stage_name(applier)),
                            LOG_I("commands", (int64_t)applier->count),
                            LOG_I("duration_ms", now_ms(applier) - applier->batch_began_ms),
                            LOG_I("retry_in_ms", retry_in_ms), LOG_S("error", error->text)),
                 rejected ? "the command cannot be committed; answering it with internal"
                          : "transaction failed, retrying the batch");
    applier->in_outage = applier->in_outage || outage;
}

/* Marks the only command of its batch: the next plan answers it with `internal`. */
static void reject_permanently(struct job *job, const struct error *error)
{
    struct request *request = &job->decoded.request;
    request->rejection_unrecordable = request->rejected_by_storage;
    request->rejected_by_storage = true;
    request->storage_reason = text_copy(job->arena, text_of(error->text));
}

/* Ends the transaction and returns the batch to `waiting`. Nothing has to be undone, because an
   aborted transaction leaves nothing behind. */
static enum applier_next handle_failure(struct applier *applier, enum store_status status,
                                        const struct error *error, int64_t *ret_pause_ms)
{
    enum retry_cause cause = cause_of(applier, status);
    int64_t pause_ms = 0;
    bool rejected = retry_after(&applier->retry, cause, applier->count, &pause_ms);
    if (rejected && applier->jobs[0]->decoded.request.rejection_unrecordable)
        pause_ms = RETRY_OUTAGE_PAUSE_MAX_MS; /* the write that answers `internal` failed as well */
    *ret_pause_ms = jittered(applier, pause_ms);
    count_failure(applier, cause);
    log_failure(applier, status, rejected, *ret_pause_ms, error);
    end_transaction(applier);
    if (status == STORE_UNKNOWN)
        applier->options.store->ops->renew(applier->options.store);
    if (rejected)
        reject_permanently(applier->jobs[0], error);
    return_to_waiting(applier, 0);
    leave_batch(applier);
    return pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}

/* --- the stages ----------------------------------------------------------------------------- */

/* Gathers a batch, once no attempt record is left to delete. */
static enum applier_next gather_batch(struct applier *applier, int64_t *ret_pause_ms)
{
    if (applier->attempt_cleanups.head != NULL)
        return clean_up_attempt(applier, ret_pause_ms);
    gather(applier);
    if (applier->count == 0)
        return applier->waiting.head != NULL ? APPLIER_GO_ON : APPLIER_IDLE;
    applier->batch_began_ms = now_ms(applier);
    const struct job *first = applier->jobs[0];
    applier->stage =
        is_suspect(first) && !first->attempt_recorded ? STAGE_RECORD_ATTEMPT : STAGE_BEGIN;
    return APPLIER_GO_ON;
}

/* Writes the attempt record, durably, before the command is touched: if it crashes this worker, the
   record remains and counts. A record whose write was not answered may exist, so it is written
   again under the same number. */
static enum applier_next record_attempt(struct applier *applier, int64_t *ret_pause_ms)
{
    struct job *job = applier->jobs[0];
    struct request *request = &job->decoded.request;
    struct store *store = applier->options.store;
    struct error error = {""};
    if (!job->attempt_sent)
        job->attempt = ++applier->attempts;
    job->attempt_sent = true;
    enum store_status status = store->ops->record_attempt(store, request->principal, request->key,
                                                          job->attempt, &request->attempts, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    job->attempt_recorded = true;
    applier->stage = STAGE_BEGIN;
    return APPLIER_GO_ON;
}

/* Lists the documents to load first, in an empty snapshot. */
static void prepare_load(struct applier *applier)
{
    arena_reset(applier->arena);
    applier->policy = policy_acquire(applier->options.policy);
    applier->snapshot = snapshot_new(applier->arena);
    applier->snapshot->fence = is_read(applier->jobs[0]);
    for (size_t i = 0; i < applier->count; i++)
        applier->requests[i] = &applier->jobs[i]->decoded.request;
    plan_want_first(applier->snapshot, applier->requests, applier->count);
    applier->stage = STAGE_LOAD;
}

static enum applier_next begin(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->begin(store, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    applier->in_transaction = true;
    applier->transaction_began_ms = now_ms(applier);
    if (retry_wants_lock(&applier->retry) && !is_read(applier->jobs[0]))
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
    return_to_waiting(applier, plan_prefix(applier->snapshot, applier->requests, applier->count,
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
    struct text name = text_of(command_name(request->command.kind));
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

/* Decides all commands against the snapshot, and puts the bodies of new outcomes into it. */
static enum applier_next plan(struct applier *applier, int64_t *ret_pause_ms)
{
    (void)ret_pause_ms; /* it cannot fail */
    struct plan_context context = {
        .policy = policy_of(applier->policy),
        .now_ms = applier->options.clock->wall_ms(applier->options.clock),
        .attempts_max = applier->options.max_attempts,
    };
    die_of_poison(applier->requests, applier->count, applier->options.max_attempts);
    applier->verdicts = ARENA_ARRAY(applier->arena, struct verdict, applier->count);
    applier->bodies = ARENA_ARRAY(applier->arena, struct text, applier->count);
    plan_run(&context, applier->snapshot, applier->requests, applier->count, applier->verdicts);
    for (size_t i = 0; i < applier->count; i++)
        applier->bodies[i] = body_of(applier, i);
    for (size_t i = 0; i < applier->snapshot->outcome_count; i++) {
        struct outcome *outcome = &applier->snapshot->outcomes[i];
        if (outcome->state.dirty && outcome->state.exists)
            outcome->body = applier->bodies[outcome->decided_by];
    }
    applier->stage = snapshot_is_dirty(applier->snapshot) ? STAGE_WRITE : STAGE_COMMIT;
    return APPLIER_GO_ON;
}

static enum applier_next write_batch(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->write(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    applier->stage = STAGE_COMMIT;
    return APPLIER_GO_ON;
}

static void log_commit(struct applier *applier)
{
    if (applier->in_outage)
        event_log(EVENT_STORAGE_RECOVERED, LOG_NONE, "the database is available again");
    applier->in_outage = false;
    event_log(EVENT_BATCH_COMMITTED,
              LOG_FIELDS(LOG_I("commands", (int64_t)applier->count),
                         LOG_I("duration_ms", now_ms(applier) - applier->batch_began_ms)),
              "batch committed");
    counter_add(applier->options.counters, COUNTER_TRANSACTIONS_COMMITTED, 1);
    counter_add(applier->options.counters, COUNTER_COMMANDS_COMMITTED, applier->count);
}

/* Gives each job its answer and moves it to `done`. */
static void complete_batch(struct applier *applier)
{
    for (size_t i = 0; i < applier->count; i++) {
        job_answer(applier->jobs[i], &applier->verdicts[i], applier->bodies[i]);
        job_queue_push(&applier->done, applier->jobs[i]);
    }
    applier->count = 0;
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
    complete_batch(applier);
    *ret_pause_ms =
        jittered(applier, retry_succeeded(&applier->retry, applier->options.max_commands,
                                          now_ms(applier) - applier->transaction_began_ms));
    leave_batch(applier);
    return *ret_pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}
