/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/applier.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/base/memory.h"
#include "common/codec/reply_encode.h"
#include "common/core/plan.h"
#include "common/core/retry.h"
#include "common/host/log.h"
#include "worker/service/poison.h"

enum { ATTEMPT_RECORDED_FROM = 2, BATCH_ARENA_BYTES = 256 * 1024, ATTEMPT_CLEANUP_TRIES_MAX = 5 };

enum stage {
    STAGE_GATHER,
    STAGE_RECORD_ATTEMPT,
    STAGE_BEGIN,
    STAGE_LOCK,
    STAGE_LOAD,
    STAGE_LOAD_MORE,
    STAGE_WRITE,
    STAGE_COMMIT
};

struct applier {
    struct applier_options options;
    struct job_queue waiting;
    struct job_queue attempt_cleanups; /* marks to forget or take back */
    struct job_queue done;
    unsigned cleanup_tries;
    enum stage stage;
    bool in_transaction;
    int64_t began_ms; /* the transaction */
    bool in_outage;   /* an outage was logged */
    struct retry retry;
    uint64_t random;
    uint64_t attempts; /* begun so far: their numbers */

    /* the batch */
    struct arena *arena;
    struct job **jobs;
    const struct request **requests;
    size_t count;
    struct policy_ref *policy;
    struct snapshot *snapshot;
    struct verdict *verdicts;
    struct text *bodies;
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

/* A random part of the pause, at least half of it: those that collided do not meet again. */
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

/* --- attempt_cleanups: marks of attempts
 * -------------------------------------------------------------- */

static enum applier_next clean_up_attempt(struct applier *applier, int64_t *ret_pause_ms)
{
    const struct store_ops *ops = applier->options.store->ops;
    struct job *job = applier->attempt_cleanups.head;
    const struct request *request = &job->decoded.request;
    struct error error;
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
        log_write(LOG_LEVEL_WARNING, "attempt.cleanup_failed",
                  LOG_FIELDS(LOG_T("message_id", request->key), LOG_S("error", error.text)),
                  "the mark of an attempt could not be removed");
    applier->cleanup_tries = 0;
    job = job_queue_pop(&applier->attempt_cleanups);
    job->attempt_sent = false;
    job_queue_push(&applier->done, job);
    return APPLIER_GO_ON;
}

/* --- gathering ------------------------------------------------------------------------------ */

static bool is_repeat(const struct job *job)
{
    return job->delivery.delivery_count >= ATTEMPT_RECORDED_FROM &&
           command_mode(job->decoded.request.command.kind) != MODE_READ;
}

static bool needs_own_batch(const struct job *job)
{
    return is_repeat(job) || command_mode(job->decoded.request.command.kind) == MODE_EXCLUSIVE;
}

static bool is_read(const struct job *job)
{
    return command_mode(job->decoded.request.command.kind) == MODE_READ;
}

/* What a batch comes to, as far as the commands by themselves say. */
struct extent {
    size_t bytes;
    size_t documents;
};

/* Consumers and the outcome: providers are shared, and counted when all is loaded. */
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

/* The first that waits says what kind of batch it is; others of that kind join it. */
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
                break; /* it closes the batch, and is the first of the next */
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

static void return_to_waiting(struct applier *applier, size_t first)
{
    while (applier->count > first)
        job_queue_push_front(&applier->waiting, applier->jobs[--applier->count]);
}

/* --- when it did not go through ------------------------------------------------------------- */

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

static void log_failure(struct applier *applier, enum store_status status, bool outage,
                        const struct error *error)
{
    enum log_level level = LOG_LEVEL_DEBUG;
    if (status == STORE_MISCONFIGURED)
        level = LOG_LEVEL_ERROR;
    else if (outage && !applier->in_outage)
        level = LOG_LEVEL_WARNING;
    else if (status == STORE_REFUSED || status == STORE_EXPIRED)
        level = LOG_LEVEL_WARNING;
    log_write(level, "batch.failed",
              LOG_FIELDS(LOG_S("status", store_status_name(status)),
                         LOG_I("commands", (int64_t)applier->count), LOG_S("error", error->text)),
              "the transaction did not go through; nothing took effect that is not on record");
    applier->in_outage = applier->in_outage || outage;
}

/* The command that stands alone: the next plan answers it `internal`. */
static void reject_permanently(struct job *job, const struct error *error)
{
    struct request *request = &job->decoded.request;
    request->rejection_unrecordable = request->rejected_by_storage;
    request->rejected_by_storage = true;
    request->storage_reason = text_copy(job->arena, text_of(error->text));
}

static enum applier_next handle_failure(struct applier *applier, enum store_status status,
                                        const struct error *error, int64_t *ret_pause_ms)
{
    enum retry_cause cause = cause_of(applier, status);
    log_failure(applier, status, cause == RETRY_OUTAGE, error);
    end_transaction(applier);
    if (status == STORE_UNKNOWN)
        applier->options.store->ops->renew(applier->options.store);
    int64_t pause_ms = 0;
    if (retry_after(&applier->retry, cause, applier->count, &pause_ms)) {
        if (applier->jobs[0]->decoded.request.rejection_unrecordable)
            pause_ms = RETRY_OUTAGE_PAUSE_MAX_MS; /* not even the touch goes through */
        reject_permanently(applier->jobs[0], error);
    }
    return_to_waiting(applier, 0);
    policy_release(applier->policy);
    applier->policy = NULL;
    applier->stage = STAGE_GATHER;
    *ret_pause_ms = jittered(applier, pause_ms);
    return pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}

/* --- the steps of a transaction ------------------------------------------------------------- */

/* A mark whose answer is lost may be there: it is sent again as the same one. */
static enum applier_next mark(struct applier *applier, int64_t *ret_pause_ms)
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

static void prepare_batch(struct applier *applier)
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
    applier->began_ms = now_ms(applier);
    if (retry_wants_lock(&applier->retry) && !is_read(applier->jobs[0]))
        applier->stage = STAGE_LOCK;
    else
        prepare_batch(applier);
    return APPLIER_GO_ON;
}

static enum applier_next take_advisory_lock(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    bool shared = false;
    enum store_status status = store->ops->take_advisory_lock(store, &shared, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    retry_got_lock(&applier->retry, shared);
    prepare_batch(applier);
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
    /* Only a read can have so much to tell: no effect goes with it. */
    assert(is_read(applier->jobs[index]));
    verdict_refuse(verdict, applier->arena, VERDICT_LIMIT_EXCEEDED, "the reply would be too large");
    verdict_add_integer(verdict, "limit", REPLY_BYTES_MAX);
    verdict_add_integer(verdict, "given", (int64_t)body.length);
    return reply_encode(applier->arena, name, request->command.kind, request->key, verdict);
}

static void plan(struct applier *applier)
{
    struct plan_context context = {
        .policy = policy_of(applier->policy),
        .now_ms = applier->options.clock->wall_ms(applier->options.clock),
        .attempts_max = applier->options.max_attempts,
    };
    die_of_poison(applier->requests, applier->count, applier->options.max_attempts);
    applier->verdicts = ARENA_ARRAY(applier->arena, struct verdict, applier->count);
    applier->bodies = ARENA_ARRAY(applier->arena, struct text, applier->count);
    plan_run(&context, applier->snapshot, applier->requests, applier->count, applier->verdicts);
    for (size_t i = 0; i < applier->count; i++) {
        const struct verdict *verdict = &applier->verdicts[i];
        if (!verdict->replayed)
            applier->bodies[i] = encode(applier, i);
        else if (text_present(verdict->replay_body))
            applier->bodies[i] = verdict->replay_body;
        else
            applier->bodies[i] = applier->bodies[verdict->replay_of];
    }
    for (size_t i = 0; i < applier->snapshot->outcome_count; i++) {
        struct outcome *outcome = &applier->snapshot->outcomes[i];
        if (outcome->state.dirty && outcome->state.exists)
            outcome->body = applier->bodies[outcome->decided_by];
    }
    applier->stage = snapshot_is_dirty(applier->snapshot) ? STAGE_WRITE : STAGE_COMMIT;
}

static enum applier_next load(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->load(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    if (applier->stage == STAGE_LOAD) {
        return_to_waiting(applier, plan_prefix(applier->snapshot, applier->requests, applier->count,
                                               applier->options.max_documents));
        if (plan_want_second(applier->snapshot, applier->requests, applier->count)) {
            applier->stage = STAGE_LOAD_MORE;
            return APPLIER_GO_ON;
        }
    }
    plan(applier);
    return APPLIER_GO_ON;
}

static enum applier_next write_all(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->write(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return handle_failure(applier, status, &error, ret_pause_ms);
    applier->stage = STAGE_COMMIT;
    return APPLIER_GO_ON;
}

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
    if (applier->in_outage)
        log_write(LOG_LEVEL_INFO, "storage.recovered", LOG_NONE, "the storage answers again");
    applier->in_outage = false;
    log_write(LOG_LEVEL_DEBUG, "batch.committed",
              LOG_FIELDS(LOG_I("commands", (int64_t)applier->count)), "a batch is committed");
    complete_batch(applier);
    *ret_pause_ms =
        jittered(applier, retry_succeeded(&applier->retry, applier->options.max_commands,
                                          now_ms(applier) - applier->began_ms));
    policy_release(applier->policy);
    applier->policy = NULL;
    applier->stage = STAGE_GATHER;
    return *ret_pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}

static enum applier_next start_batch(struct applier *applier, int64_t *ret_pause_ms)
{
    if (applier->attempt_cleanups.head != NULL)
        return clean_up_attempt(applier, ret_pause_ms);
    gather(applier);
    if (applier->count == 0)
        return applier->waiting.head != NULL ? APPLIER_GO_ON : APPLIER_IDLE;
    applier->stage = is_repeat(applier->jobs[0]) && !applier->jobs[0]->attempt_recorded
                         ? STAGE_RECORD_ATTEMPT
                         : STAGE_BEGIN;
    return APPLIER_GO_ON;
}

enum applier_next applier_step(struct applier *applier, int64_t *ret_pause_ms)
{
    *ret_pause_ms = 0;
    switch (applier->stage) {
    case STAGE_GATHER: return start_batch(applier, ret_pause_ms);
    case STAGE_RECORD_ATTEMPT: return mark(applier, ret_pause_ms);
    case STAGE_BEGIN: return begin(applier, ret_pause_ms);
    case STAGE_LOCK: return take_advisory_lock(applier, ret_pause_ms);
    case STAGE_LOAD:
    case STAGE_LOAD_MORE: return load(applier, ret_pause_ms);
    case STAGE_WRITE: return write_all(applier, ret_pause_ms);
    case STAGE_COMMIT: return commit(applier, ret_pause_ms);
    }
    return APPLIER_IDLE;
}
