/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The applier is a state machine: STAGES (applier_internal.h) lists the stages of a batch,
 * each with the function that runs it. A stage either sets the next one, or calls applier_fail,
 * which ends the transaction; then the commands wait again, and the next stage is GATHER.
 * applier_step runs one stage. Here are the queues of jobs and the stages of the transaction.
 *
 * The other files: what comes next (applier_gather.c), redelivered commands (applier_attempts.c),
 * replies and letters (applier_answer.c), failures and proofs of health (applier_failure.c).
 *
 * Guarantees:
 * - All effects and outcomes of a batch are in one transaction. A job is answered only after the
 *   commit succeeded, so an answer is never taken back.
 * - A retry starts from a new load. After a commit with an unknown result, the load finds the
 *   outcomes if they were committed, and the commands are replayed.
 *
 * Not here: the rules of commands (common/core/plan.c), the choice of pause and batch size
 * (common/core/retry.c), threads (lane.c), replies (settler.c), calls about letters outside of the
 * transactions (letter_keeper.c).
 */
#include "worker/service/applier_internal.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "worker/service/events.h"

enum {
    BATCH_ARENA_BYTES = 256 * 1024,
    BATCH_ARENA_KEPT_BYTES = 4 * 1024 * 1024 /* between two batches */
};

static const struct {
    const char *name;
    enum applier_next (*run)(struct applier *applier, int64_t *ret_pause_ms);
} stages[] = {
#define X(id, name, run) [STAGE_##id] = {name, run},
    STAGES(X)
#undef X
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

void applier_end_transaction(struct applier *applier)
{
    if (applier->in_transaction)
        applier->options.store->ops->end(applier->options.store);
    applier->in_transaction = false;
}

void applier_free(struct applier *applier)
{
    if (applier == NULL)
        return;
    applier_end_transaction(applier);
    applier_end_turn(applier);
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

const char *applier_name_of(enum stage stage)
{
    return stages[stage].name;
}

const char *applier_stage_name(const struct applier *applier)
{
    return applier_name_of(applier->stage);
}

enum applier_next applier_step(struct applier *applier, int64_t *ret_pause_ms)
{
    *ret_pause_ms = 0;
    applier->last = STORAGE_UNTOLD;
    return stages[applier->stage].run(applier, ret_pause_ms);
}

int64_t applier_now_ms(const struct applier *applier)
{
    return applier->options.clock->monotonic_ms(applier->options.clock);
}

bool applier_is_current(const struct applier *applier, const struct job *job)
{
    return job->detached || job->epoch == atomic_load(applier->options.epoch);
}

void applier_enqueue(struct applier *applier, struct job *job)
{
    if (job_needs_letter(job))
        job_queue_push(&applier->unstored, job);
    else if (job->attempt_sent)
        job_queue_push(&applier->attempt_cleanups, job);
    else if (applier_is_current(applier, job) && job->aside_until_ms > applier_now_ms(applier))
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
            applier_enqueue(applier, job);
    }
}

/* Gives the memory of a large batch back. */
static void reset_arena(struct applier *applier)
{
    if (arena_bytes(applier->arena) > BATCH_ARENA_KEPT_BYTES) {
        arena_free(applier->arena);
        applier->arena = arena_new(BATCH_ARENA_BYTES);
    }
}

void applier_leave_batch(struct applier *applier)
{
    policy_release(applier->policy);
    applier->policy = NULL;
    applier->letters_only = false;
    applier->letter_count = 0;
    applier->stage = STAGE_GATHER;
    reset_arena(applier);
}

void applier_return_commands(struct applier *applier, size_t first)
{
    while (applier->count > first) {
        struct job *job = applier->jobs[--applier->count];
        if (job->attempt_recorded)
            job_queue_push_front(&applier->ready, job);
        else
            fair_queue_push_front(&applier->waiting, job);
    }
}

void applier_return_to(struct job_queue *queue, struct applier *applier, size_t first)
{
    while (applier->count > first)
        job_queue_push_front(queue, applier->jobs[--applier->count]);
}

void applier_finish(struct applier *applier, struct job *job)
{
    if (job->letter_refused)
        job->refused_at_ms = applier->options.store->ops->now_ms(applier->options.store);
    job_queue_push(job->attempt_sent ? &applier->attempt_cleanups : &applier->done, job);
}

void applier_finish_answered(struct applier *applier, struct job *job)
{
    if (job_needs_letter(job) && applier->options.role == APPLY_ASIDE)
        job_queue_push(&applier->unstored, job);
    else
        applier_finish(applier, job);
}

/* --- the stages ----------------------------------------------------------------------------- */

/* Returns whether a batch that begins with this job needs a fence write. */
static bool writes_nothing(const struct job *job)
{
    return job_is_read(job) || job->decoded.request.rejection == REJECTION_RECORD;
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

enum applier_next applier_begin(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    applier->transaction_began_ms = applier_now_ms(applier);
    applier->call_limit_ms = proof_limit_ms(applier->options.call_limit_ms, tries_before(applier));
    store->ops->limit_calls(store, applier->call_limit_ms);
    enum store_status status = store->ops->begin(store, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    applier->in_transaction = true;
    if (applier->letters_only)
        applier_make_letters(applier);
    else if (retry_wants_lock(&applier->retry) && !job_is_read(applier->jobs[0]))
        applier->stage = STAGE_LOCK;
    else
        prepare_load(applier);
    return APPLIER_GO_ON;
}

enum applier_next applier_lock(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    bool contended = false;
    enum store_status status = store->ops->take_advisory_lock(store, &contended, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    retry_got_lock(&applier->retry, contended);
    prepare_load(applier);
    return APPLIER_GO_ON;
}

/* Loads what the commands name, cuts the batch to max_documents, and lists what the loaded
   documents refer to. */
enum applier_next applier_load(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->load(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    applier_return_commands(applier, plan_prefix(applier->snapshot, applier->requests,
                                                 applier->count, applier->options.max_documents));
    bool more = plan_want_second(applier->snapshot, applier->requests, applier->count);
    applier->stage = more ? STAGE_LOAD_MORE : STAGE_PLAN;
    return APPLIER_GO_ON;
}

enum applier_next applier_load_more(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->load(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    applier->stage = STAGE_PLAN;
    return APPLIER_GO_ON;
}

static enum stage after_write(const struct applier *applier)
{
    return applier->letter_count > 0 ? STAGE_WRITE_LETTERS : STAGE_COMMIT;
}

/* Decides the batch, and puts the bodies of new outcomes into the snapshot. */
enum applier_next applier_plan(struct applier *applier, int64_t *ret_pause_ms)
{
    (void)ret_pause_ms; /* it cannot fail */
    applier_decide(applier);
    for (size_t i = 0; i < applier->snapshot->outcome_count; i++) {
        struct outcome *outcome = &applier->snapshot->outcomes[i];
        if (outcome->state.dirty && outcome->state.exists)
            outcome->body = applier->bodies[outcome->decided_by];
    }
    applier_add_letters(applier);
    applier->stage = snapshot_is_dirty(applier->snapshot) ? STAGE_WRITE : after_write(applier);
    return APPLIER_GO_ON;
}

enum applier_next applier_write(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->write(store, applier->snapshot, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    applier->stage = after_write(applier);
    return APPLIER_GO_ON;
}

enum applier_next applier_write_letters(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status =
        store->ops->write_letters(store, applier->letters, applier->letter_count, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    applier->stage = STAGE_COMMIT;
    return APPLIER_GO_ON;
}

/* Charges the principal of a batch of one command for the documents that nobody knew before. */
static void charge(struct applier *applier)
{
    const struct snapshot *snapshot = applier->snapshot;
    if (applier->count != 1 || applier->letters_only)
        return;
    fair_queue_charge(&applier->waiting, applier->jobs[0],
                      snapshot->provider_count + snapshot->consumer_count + snapshot->node_count +
                          snapshot->outcome_count);
}

static void log_commit(struct applier *applier)
{
    applier->in_outage = false;
    applier->last = STORAGE_WORKED;
    event_log(EVENT_BATCH_COMMITTED,
              LOG_FIELDS(LOG_I("commands", (int64_t)applier->count),
                         LOG_I("duration_ms", applier_now_ms(applier) - applier->batch_began_ms)),
              "batch committed");
    counter_add(applier->options.counters, COUNTER_LETTERS_STORED, applier->letter_count);
    if (applier->letters_only)
        return;
    counter_add(applier->options.counters, COUNTER_TRANSACTIONS_COMMITTED, 1);
    counter_add(applier->options.counters, COUNTER_COMMANDS_COMMITTED, applier->count);
}

/* Answers the only command of the batch without the database. */
enum applier_next applier_refuse(struct applier *applier, int64_t *ret_pause_ms)
{
    (void)ret_pause_ms; /* it cannot fail */
    struct job *job = applier->jobs[0];
    prepare_load(applier);
    applier_decide(applier);
    applier->marked -= job->attempt_recorded;
    job_answer(job, &applier->verdicts[0], applier->bodies[0]);
    applier->count = 0;
    applier_finish_answered(applier, job);
    applier_leave_batch(applier);
    return APPLIER_GO_ON;
}

enum applier_next applier_commit(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    enum store_status status = store->ops->commit(store, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    applier_end_transaction(applier);
    log_commit(applier);
    charge(applier);
    applier_complete(applier);
    int64_t yield_ms = retry_succeeded(applier_retry_of(applier), applier->options.max_commands,
                                       applier_now_ms(applier) - applier->transaction_began_ms);
    if (!applier->letters_only) /* commands do not wait for letters */
        *ret_pause_ms = jittered(&applier->jitter, yield_ms);
    applier_leave_batch(applier);
    return *ret_pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}
