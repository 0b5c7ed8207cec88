/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A stage whose call fails calls applier_fail, which ends the transaction. If the failure
 * may be that of one command or of the whole database, a small transaction tells which (PROVE).
 * Then `conclude` chooses a remedy for the batch: it is repeated, its commands are set aside, or
 * its only command is answered with a failure. Nothing has to be undone, because an aborted
 * transaction leaves nothing behind.
 *
 * Guarantees:
 * - A failure is charged to a command only if the command was alone, failed PROOF_TRIES_MAX times,
 *   and the database worked before and after each of these failures (proof.h).
 * - An outage is charged to nobody: the commands wait.
 *
 * Sections: causes; rejections; remedies; the log; failures; proofs.
 */
#include "worker/service/applier_internal.h"

#include "worker/service/desk.h"
#include "worker/service/events.h"
#include "worker/service/storage_repair.h"

enum { REFUSED_LOG_MS = 10000, REPAIR_PAUSE_MS = 5000 };

/* What becomes of a batch that failed. */
enum remedy {
    REMEDY_REPEAT,    /* its commands are gathered again */
    REMEDY_SET_ASIDE, /* they are tried one by one, beside the others */
    REMEDY_REJECT     /* its only command is answered without what the database rejects */
};

/* --- causes ----------------------------------------------------------------------------------- */

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

struct retry *applier_retry_of(struct applier *applier)
{
    return applier->letters_only ? &applier->letter_retry : &applier->retry;
}

/* Returns whether the letter of the only job is what the database rejects. */
static bool is_letter_rejected(const struct applier *applier)
{
    return applier->failed_stage == STAGE_WRITE_LETTERS || applier->letters_only;
}

static bool took_too_long(const struct applier *applier)
{
    return applier->failure == STORE_TIMED_OUT || applier->failure == STORE_EXPIRED;
}

/* --- rejections ------------------------------------------------------------------------------- */

/* Returns whether the call that failed was one for the attempt records of a group. */
static bool is_marking(const struct applier *applier)
{
    return applier->failed_stage == STAGE_FIND_ATTEMPTS ||
           applier->failed_stage == STAGE_RECORD_ATTEMPTS;
}

/* Returns what of the database the command needs less of from now on. */
static enum rejection next_rejection(const struct applier *applier, const struct job *job)
{
    enum rejection now = job->decoded.request.rejection;
    if (job_is_read(job))
        return REJECTION_BLIND;
    if (applier->failure == STORE_UNKNOWN)
        return REJECTION_LOAD; /* it may have taken effect: without its outcome it has no answer */
    if (now == REJECTION_NONE && applier->failure == STORE_REFUSED &&
        applier->failed_stage != STAGE_LOAD && applier->failed_stage != STAGE_LOAD_MORE)
        return REJECTION_WRITES;
    return now < REJECTION_LOAD ? REJECTION_LOAD : now + 1;
}

static struct excess excess_of_documents(const struct applier *applier)
{
    size_t loaded = arena_bytes(applier->arena);
    if (loaded > applier->snapshot->bytes_max)
        return (struct excess){false, (int64_t)applier->snapshot->bytes_max, (int64_t)loaded};
    /* The database ended the load, and does not say how much it had found. */
    return (struct excess){false, STORE_ROWS_BYTES_MAX, STORE_ROWS_BYTES_MAX + 1};
}

/* Marks the only command of its batch: the next plan answers it with a failure. */
static void reject_permanently(const struct applier *applier, struct job *job)
{
    struct request *request = &job->decoded.request;
    request->rejection = next_rejection(applier, job);
    request->storage_reason = text_copy(job->arena, text_of(applier->failure_error.text));
    if (job_is_read(job) && took_too_long(applier))
        request->excess = (struct excess){true, applier->call_limit_ms, applier->failed_after_ms};
    if (applier->failure == STORE_TOO_LARGE)
        request->excess = excess_of_documents(applier);
    job->tries_alone = 0;
}

/* One line in REFUSED_LOG_MS is an error: whatever the cause is, it may affect each letter. */
static void log_letter_refused(struct applier *applier)
{
    const struct job *job = applier->jobs[0];
    bool is_error = applier_now_ms(applier) >= applier->refused_log_from_ms;
    if (is_error)
        applier->refused_log_from_ms = applier_now_ms(applier) + REFUSED_LOG_MS;
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

/* --- remedies --------------------------------------------------------------------------------- */

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
        applier_begin_unmarked(applier);
    else if (is_marking(applier))
        applier_return_to(&applier->unmarked, applier, 0);
    else if (!applier->letters_only)
        applier_return_commands(applier, 0);
    else if (applier->jobs[0]->letter_refused)
        applier_finish(applier, applier->jobs[--applier->count]);
    else
        return_letters(applier);
}

void applier_pass_on(struct applier *applier, struct job *job)
{
    job->attempt_recorded = false;
    job->passed_on = true;
    applier_finish(applier, job);
}

/* Takes the commands of the batch out of the way of the others: each is tried alone from now on, by
   the apply thread that the lane chooses. It waits before a further try. */
static void set_aside(struct applier *applier)
{
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        bool at_once = job_is_read(job) && took_too_long(applier); /* its next try has more time */
        int64_t pause_ms = at_once ? 0 : retry_pause_aside(job->waits);
        job->alone = true;
        job->waits++;
        job->aside_until_ms = applier_now_ms(applier) + jittered(&applier->jitter, pause_ms);
        applier->marked -= job->attempt_recorded;
        applier_pass_on(applier, job);
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
    bool again = applier_retry_of(applier)->suspicions < 2 && !took_too_long(applier);
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

/* --- the log ---------------------------------------------------------------------------------- */

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
                            LOG_S("stage", applier_name_of(applier->failed_stage)),
                            LOG_I("commands", (int64_t)applier->count),
                            LOG_I("duration_ms", applier_now_ms(applier) - applier->batch_began_ms),
                            LOG_I("retry_in_ms", retry_in_ms),
                            LOG_S("error", applier->failure_error.text)),
                 "%s", message_of(applier, remedy));
    if (cause == RETRY_OUTAGE) {
        applier->in_outage = true;
        applier->last = STORAGE_FAILED;
    }
}

/* --- failures --------------------------------------------------------------------------------- */

/* Decides what becomes of the batch that failed. Nothing has to be undone, because an aborted
   transaction leaves nothing behind. */
static enum applier_next conclude(struct applier *applier, enum retry_cause cause,
                                  int64_t *ret_pause_ms)
{
    int64_t pause_ms = 0;
    retry_after(applier_retry_of(applier), cause, applier->count, &pause_ms);
    enum remedy remedy = remedy_for(applier, cause);
    if (remedy == REMEDY_SET_ASIDE)
        pause_ms = 0; /* the others do not wait */
    *ret_pause_ms = jittered(&applier->jitter, pause_ms);
    count_failure(applier, cause);
    log_failure(applier, cause, remedy, *ret_pause_ms);
    if (applier->letters_only) { /* commands do not wait for it */
        applier->letters_from_ms = applier_now_ms(applier) + *ret_pause_ms;
        *ret_pause_ms = 0;
    }
    apply_remedy(applier, remedy);
    applier_leave_batch(applier);
    if (applier->failure == STORE_MISCONFIGURED)
        applier->stage = STAGE_REPAIR;
    return *ret_pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
}

/* Repairs the database, since something that the transaction needs is missing. If only an operator
   can repair it, this thread tries again and does nothing else. If the database was away, another
   thread may have repaired it since: the next transaction finds out, and pauses if it fails. */
enum applier_next applier_repair(struct applier *applier, int64_t *ret_pause_ms)
{
    applier->failure = storage_repair(applier->options.store, &applier->failure_error);
    if (applier->failure != STORE_OK)
        applier->last = STORAGE_FAILED;
    if (applier->failure == STORE_MISCONFIGURED) {
        *ret_pause_ms = REPAIR_PAUSE_MS;
        return APPLIER_WAIT;
    }
    applier->stage = STAGE_GATHER;
    return APPLIER_GO_ON;
}

static bool needs_proof(const struct applier *applier)
{
    /* Records that are refused say nothing about a command, unless others can be written. */
    return proof_is_needed(applier->failure) ||
           (applier->failure == STORE_REFUSED && is_marking(applier));
}

enum applier_next applier_fail(struct applier *applier, enum store_status status,
                               const struct error *error, int64_t *ret_pause_ms)
{
    applier->failed_stage = applier->stage;
    applier->failure = status;
    applier->failure_error = *error;
    applier->failed_after_ms = applier_now_ms(applier) - applier->transaction_began_ms;
    applier_end_transaction(applier);
    if (status == STORE_UNKNOWN)
        applier->options.store->ops->renew(applier->options.store);
    if (!needs_proof(applier))
        return conclude(applier, cause_of(applier), ret_pause_ms);
    applier->stage = STAGE_PROVE;
    return APPLIER_GO_ON;
}

/* --- proofs ----------------------------------------------------------------------------------- */

/* Takes a new proof. Returns false, with an error, if the database does not work, or takes longer
   than one call may. */
static bool take_proof(struct applier *applier, struct error *error)
{
    struct store *store = applier->options.store;
    struct proof proof = {.taken = true};
    int64_t began_ms = applier_now_ms(applier);
    applier->before = applier->proof;
    applier->proof.taken = false;
    if (store->ops->prove_health(store, &proof.primary, error) != STORE_OK)
        return false;
    proof.at_ms = applier_now_ms(applier);
    if (proof.at_ms - began_ms > applier->options.timeout_ms) {
        error_set(error, "a small transaction took %lld ms", (long long)(proof.at_ms - began_ms));
        return false;
    }
    applier->proof = proof;
    return true;
}

enum applier_next applier_prove(struct applier *applier, int64_t *ret_pause_ms)
{
    struct error error = {""};
    bool works = take_proof(applier, &error);
    return conclude(applier, works ? RETRY_SUSPECTED : RETRY_OUTAGE, ret_pause_ms);
}

/* Takes the proof that has to be older than a try that may be charged to a command. */
enum applier_next applier_prove_first(struct applier *applier, int64_t *ret_pause_ms)
{
    struct error error = {""};
    bool works = take_proof(applier, &error);
    applier->batch_began_ms = applier_now_ms(applier);
    applier->stage = applier->next_stage;
    if (works)
        return APPLIER_GO_ON;
    applier->failed_stage = applier->stage;
    applier->failure = STORE_UNAVAILABLE;
    applier->failure_error = error;
    return conclude(applier, RETRY_OUTAGE, ret_pause_ms);
}

void applier_start_with(struct applier *applier, enum stage stage)
{
    bool fresh =
        proof_is_fresh(&applier->proof, applier_now_ms(applier), applier->options.timeout_ms);
    applier->next_stage = stage;
    applier->stage = may_be_charged(applier) && !fresh ? STAGE_PROVE_FIRST : stage;
}
