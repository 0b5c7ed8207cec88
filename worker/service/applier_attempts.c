/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Attempt records say which worker is processing a redelivered command, so that a command
 * that crashes its workers is found. Redelivered commands wait in `unmarked`. A group of them is
 * looked up (FIND_ATTEMPTS), then marked (RECORD_ATTEMPTS), then decoded, and goes to `ready`.
 *
 * Guarantees:
 * - A redelivered command is decoded and planned only after an attempt record for it is durable.
 *   One write makes the records of a whole group, and fresh commands never join it. If a worker
 *   dies, its records stay. A command with such a record is a suspect, and is tried in half as
 *   large a group. So the one that kills its workers is alone after log2(group) deaths, and only
 *   deaths alone count (`alone`). A lone command that may take long, or that is beside other
 *   groups, counts as a group of two until a worker has died with it (`wants_to_be_alone`).
 * - A worker that lives deletes its records: those of a command as soon as it is decided and
 *   committed, before its answer is published, so that a later death is not counted for it; and
 *   those of commands whose connection is lost. Another worker may read such a record before; then
 *   it takes the command for a suspect, which costs a smaller batch, or for one that killed its
 *   worker alone, if it was alone.
 *
 * Sections: records left to delete; groups; decoding; records.
 */
#include "worker/service/applier_internal.h"

#include <assert.h>

#include "worker/service/attempt.h"
#include "worker/service/events.h"

enum { CALL_TRIES_MAX = 5 }; /* of a call outside of transactions, whose effect can wait */

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

/* --- records left to delete ------------------------------------------------------------------- */

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

void applier_take_cleanups(struct applier *applier)
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

enum applier_next applier_clean_up(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    bool awaited = is_awaited(applier->jobs[0]);
    enum store_status status =
        clears_all(applier->jobs[0])
            ? store->ops->clear_attempts(store, applier->keys, applier->count, &error)
            : store->ops->withdraw_attempts(store, applier->keys, applier->count, &error);
    if (status != STORE_OK && !awaited && ++applier->cleanup_tries < CALL_TRIES_MAX) {
        applier_return_to(&applier->attempt_cleanups, applier, 0);
        *ret_pause_ms = jittered(&applier->jitter, RETRY_CONFLICT_PAUSE_MAX_MS);
        return APPLIER_WAIT;
    }
    if (status != STORE_OK && !awaited)
        log_cleanup_failed(applier, applier->count, &error);
    end_cleanup(applier, status == STORE_OK);
    return APPLIER_GO_ON;
}

/* --- groups ----------------------------------------------------------------------------------- */

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
    return job_is_suspect(job) && half < max ? half : max;
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
        if (!applier_is_current(applier, job)) {
            applier_finish(applier, job);
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

void applier_begin_group(struct applier *applier)
{
    take_group(applier);
    if (applier->count > 0)
        applier_start_with(applier, applier->jobs[0]->history_read ? STAGE_RECORD_ATTEMPTS
                                                                   : STAGE_FIND_ATTEMPTS);
}

bool applier_has_sent_record(const struct applier *applier)
{
    return applier->unmarked.head != NULL && applier->unmarked.head->attempt_sent;
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
        if (job_is_suspect(job))
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

/* Looks for records of workers that died with the commands of the group. */
enum applier_next applier_find_attempts(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    copy_keys(applier, applier->count);
    enum store_status status =
        store->ops->find_attempts(store, applier->keys, applier->count, applier->histories, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        job->history = applier->histories[i];
        job->history_read = true;
    }
    part_suspects(applier);
    applier->stage = applier->count > 0 ? STAGE_RECORD_ATTEMPTS : STAGE_GATHER;
    return APPLIER_GO_ON;
}

/* --- decoding --------------------------------------------------------------------------------- */

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

/* Decodes a command of the group. Returns whether it goes on here; otherwise it is answered, or
   another apply thread goes on with it. */
static bool stays_here(struct applier *applier, struct job *job)
{
    if (!decode_marked(applier, job))
        applier_finish_answered(applier, job);
    else if (apply_role_of(job, applier->options.role) != applier->options.role)
        applier_pass_on(applier, job);
    else
        return true;
    return false;
}

/* Moves the commands of the group to the front of `ready`. */
static void begin_marked(struct applier *applier)
{
    struct job_queue ready = {0};
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        job->attempt_recorded = true;
        if (stays_here(applier, job))
            job_queue_push(&ready, job);
    }
    applier->count = 0;
    applier->marked = ready.count;
    job_queue_append(&ready, &applier->ready);
    applier->ready = ready;
}

void applier_begin_unmarked(struct applier *applier)
{
    struct job *job = applier->jobs[0];
    applier->count = 0;
    if (stays_here(applier, job))
        fair_queue_push(&applier->waiting, job);
}

/* --- records ---------------------------------------------------------------------------------- */

static bool is_lone_suspect(const struct applier *applier)
{
    return applier->count == 1 && job_is_suspect(applier->jobs[0]);
}

/* Returns whether the group would rather have the turn alone, so that a crash is charged to its
   only command. Other redelivered commands of the process wait meanwhile. So a command that may
   take long, one of the other roles, wants it only if a worker has died with it. */
static bool wants_to_be_alone(const struct applier *applier)
{
    return is_lone_suspect(applier) ||
           (applier->count == 1 && applier->options.role == APPLY_WRITES);
}

void applier_end_turn(struct applier *applier)
{
    if (applier->has_turn)
        attempt_turn_end(applier->options.turn, applier->is_alone);
    applier->has_turn = false;
}

static bool begin_turn(struct applier *applier, bool alone)
{
    applier->is_alone = alone;
    applier->has_turn = attempt_turn_begin(applier->options.turn, alone);
    return applier->has_turn;
}

/* While other groups have a turn, only a suspect waits until it can be alone. */
static bool take_turn(struct applier *applier)
{
    bool alone = wants_to_be_alone(applier);
    if (applier->has_turn && applier->is_alone == alone)
        return true; /* of a write that failed */
    applier_end_turn(applier);
    bool taken = begin_turn(applier, alone) ||
                 (alone && !is_lone_suspect(applier) && begin_turn(applier, false));
    applier->turn_refused = !taken;
    return taken;
}

/* Writes the attempt records of the group, durably, before its commands are decoded and planned: if
   one of them crashes this worker, the records remain. A write that was not answered may have
   taken effect, so it is repeated. */
enum applier_next applier_record_attempts(struct applier *applier, int64_t *ret_pause_ms)
{
    struct store *store = applier->options.store;
    struct error error = {""};
    if (!take_turn(applier)) {
        applier_return_to(&applier->unmarked, applier, 0);
        applier->stage = STAGE_GATHER;
        return APPLIER_GO_ON;
    }
    /* A record of a batch of one says that the command was alone. */
    size_t batch = applier->count > 1 || applier->is_alone ? applier->count : 2;
    copy_keys(applier, applier->count);
    for (size_t i = 0; i < applier->count; i++)
        applier->jobs[i]->attempt_sent = true;
    enum store_status status =
        store->ops->record_attempts(store, applier->keys, applier->count, batch, &error);
    if (status != STORE_OK)
        return applier_fail(applier, status, &error, ret_pause_ms);
    begin_marked(applier);
    applier->stage = STAGE_GATHER;
    return APPLIER_GO_ON;
}
