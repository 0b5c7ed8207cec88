/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each kind of call has a queue of jobs. A step takes the first queue that has something to
 * do, and makes one call for as many of its jobs as one call can handle. No answer of a command
 * needs one of them. So a call that fails waits for its own pause only; and letters that cannot be
 * marked are left to a sweep after MARK_TRIES_MAX.
 *
 * Sections: what became of letters; sweeps; messages of the desk queue; the bound.
 */
#include "worker/service/letter_keeper.h"

#include <stdlib.h>

#include "common/base/memory.h"
#include "common/core/retry.h"
#include "worker/service/desk.h"
#include "worker/service/events.h"
#include "worker/service/jitter.h"
#include "worker/service/letter_trim.h"

enum {
    ARENA_BYTES = 64 * 1024,
    MARK_TRIES_MAX = 5,
    DESK_PAUSE_MS = 1000,
};

struct letter_keeper {
    const struct applier_options *options; /* borrowed */
    struct job_queue fates;                /* letters that were published or refused */
    unsigned fate_tries;                   /* of the first of `fates` */
    int64_t fates_from_ms;                 /* monotonic: not before, after a call that failed */
    struct job_queue sweeps;
    struct job_queue desk; /* messages of the desk queue: is there a letter? */
    int64_t desk_from_ms;  /* monotonic: no look before, after one that failed */
    bool desk_failing;     /* the last look failed */
    struct job_queue trims;
    struct letter_trim trim;
    struct job_queue done;
    struct job_queue unstored; /* messages of the desk queue without a letter */
    struct jitter jitter;

    /* the jobs of one call */
    struct job **jobs;
    struct text *ids; /* of their letters */
    size_t count;
    struct arena *arena; /* owned; reset for each look */
};

struct letter_keeper *letter_keeper_new(const struct applier_options *options)
{
    struct letter_keeper *keeper = MEMORY_NEW(struct letter_keeper);
    keeper->options = options;
    keeper->jitter = jitter_make(options->seed);
    keeper->trim = letter_trim_make(options->store, options->counters, options->full,
                                    options->letters_max_bytes);
    keeper->jobs = memory_array(options->max_commands, sizeof(struct job *));
    keeper->ids = memory_array(options->max_commands, sizeof(struct text));
    keeper->arena = arena_new(ARENA_BYTES);
    return keeper;
}

void letter_keeper_free(struct letter_keeper *keeper)
{
    if (keeper == NULL)
        return;
    job_queue_free_all(&keeper->fates);
    job_queue_free_all(&keeper->sweeps);
    job_queue_free_all(&keeper->desk);
    job_queue_free_all(&keeper->trims);
    job_queue_free_all(&keeper->done);
    job_queue_free_all(&keeper->unstored);
    letter_trim_clear(&keeper->trim);
    arena_free(keeper->arena);
    free(keeper->jobs);
    free(keeper->ids);
    free(keeper);
}

bool letter_keeper_wants(const struct job *job)
{
    return job->sweeps || job->trims || job_is_of_desk(job) || job->fate != FATE_OPEN;
}

void letter_keeper_take(struct letter_keeper *keeper, struct job *job)
{
    struct job_queue *queue = &keeper->fates;
    if (job->sweeps)
        queue = &keeper->sweeps;
    else if (job->trims)
        queue = &keeper->trims;
    else if (job_is_of_desk(job))
        queue = &keeper->desk;
    job_queue_push(queue, job);
}

void letter_keeper_reap(struct letter_keeper *keeper, struct job_queue *ret_done,
                        struct job_queue *ret_unstored)
{
    job_queue_append(ret_done, &keeper->done);
    job_queue_append(ret_unstored, &keeper->unstored);
}

struct letter_origin letter_origin_now(const struct applier_options *options)
{
    return (struct letter_origin){options->queue, options->worker,
                                  options->store->ops->now_ms(options->store)};
}

static int64_t now_ms(const struct letter_keeper *keeper)
{
    return keeper->options->clock->monotonic_ms(keeper->options->clock);
}

/* Moves the jobs of the call to the front of a queue. */
static void return_to(struct letter_keeper *keeper, struct job_queue *queue)
{
    while (keeper->count > 0)
        job_queue_push_front(queue, keeper->jobs[--keeper->count]);
}

/* --- what became of letters ----------------------------------------------------------------- */

/* Takes those jobs that one call can handle: all published ones, or one that was refused. */
static void take_fates(struct letter_keeper *keeper)
{
    while (keeper->fates.head != NULL && keeper->count < keeper->options->max_commands) {
        bool published = keeper->fates.head->fate == FATE_PUBLISHED;
        if (keeper->count > 0 && !published)
            break;
        struct job *job = job_queue_pop(&keeper->fates);
        keeper->ids[keeper->count] = job->letter->id;
        keeper->jobs[keeper->count++] = job;
        if (!published)
            break;
    }
}

static enum store_status mark_letters(struct letter_keeper *keeper, struct error *error)
{
    struct store *store = keeper->options->store;
    const struct job *first = keeper->jobs[0];
    if (first->fate == FATE_REFUSED)
        return store->ops->mark_letter_refused(store, first->letter->id, first->refusal, error);
    return store->ops->mark_letters_published(store, keeper->ids, keeper->count, error);
}

static void log_fates_unknown(const struct letter_keeper *keeper, const struct error *error)
{
    event_log(EVENT_LETTER_NOT_MARKED,
              LOG_FIELDS(LOG_T("letter", keeper->jobs[0]->letter->id),
                         LOG_I("letters", (int64_t)keeper->count), LOG_S("error", error->text)),
              "cannot note that dead letters were published; a sweep publishes them again");
}

/* Notes in the database what became of the dead letters of the jobs, and finishes these. */
static void note_fates(struct letter_keeper *keeper)
{
    struct error error = {""};
    take_fates(keeper);
    enum store_status status = mark_letters(keeper, &error);
    if (status != STORE_OK && ++keeper->fate_tries < MARK_TRIES_MAX) {
        return_to(keeper, &keeper->fates);
        keeper->fates_from_ms =
            now_ms(keeper) + jittered(&keeper->jitter, RETRY_CONFLICT_PAUSE_MAX_MS);
        return;
    }
    if (status != STORE_OK)
        log_fates_unknown(keeper, &error);
    keeper->fate_tries = 0;
    for (size_t i = 0; i < keeper->count; i++) {
        keeper->jobs[i]->fate = FATE_OPEN;
        job_queue_push(&keeper->done, keeper->jobs[i]);
    }
    keeper->count = 0;
}

/* --- sweeps --------------------------------------------------------------------------------- */

/* Claims letters that nobody has published. If that fails, the next sweep tries again. */
static void sweep(struct letter_keeper *keeper)
{
    const struct applier_options *options = keeper->options;
    struct job *job = job_queue_pop(&keeper->sweeps);
    struct letter *letters = NULL;
    size_t count = 0;
    struct error error = {""};
    enum store_status status = options->store->ops->claim_letters(
        options->store, options->sweep_count_max, options->sweep_bytes_max, job->arena, &letters,
        &count, &error);
    if (status != STORE_OK)
        event_log(EVENT_LETTER_SWEEP_FAILED, LOG_FIELDS(LOG_S("error", error.text)),
                  "cannot look for unpublished letters; trying again later");
    for (size_t i = 0; i < count; i++)
        job_queue_push(&keeper->done, job_of_letter(&letters[i], job->epoch));
    job_queue_push(&keeper->done, job);
}

/* --- messages of the desk queue ------------------------------------------------------------- */

void letter_keeper_look_again(struct letter_keeper *keeper, struct job *job)
{
    job_queue_push_front(&keeper->desk, job);
}

static bool is_current(const struct letter_keeper *keeper, const struct job *job)
{
    return job->detached || job->epoch == atomic_load(keeper->options->epoch);
}

/* Takes those messages that one look can handle, and makes their letters. */
static void take_desk(struct letter_keeper *keeper)
{
    const struct letter_origin origin = letter_origin_now(keeper->options);
    while (keeper->desk.head != NULL && keeper->count < keeper->options->max_commands) {
        struct job *job = job_queue_pop(&keeper->desk);
        if (!is_current(keeper, job)) {
            job_queue_push(&keeper->done, job);
            continue;
        }
        if (job->letter == NULL)
            desk_make_letter(job, &origin);
        keeper->jobs[keeper->count++] = job;
    }
}

/* Finds for each job what is stored under the id that its message claims, and under its own. */
static enum store_status find_letters(struct letter_keeper *keeper,
                                      struct letter_sighting **ret_found, struct error *error)
{
    struct store *store = keeper->options->store;
    size_t count = 2 * keeper->count;
    arena_reset(keeper->arena);
    struct text *ids = ARENA_ARRAY(keeper->arena, struct text, count);
    *ret_found = ARENA_ARRAY(keeper->arena, struct letter_sighting, count);
    for (size_t i = 0; i < keeper->count; i++) {
        ids[2 * i] = desk_claimed_id(keeper->jobs[i]);
        ids[2 * i + 1] = keeper->jobs[i]->letter->id;
    }
    return store->ops->find_letters(store, ids, count, keeper->arena, *ret_found, error);
}

/* A message that is delivered for the first time is decoded, so that its letter names the command.
   If that kills the worker, the message is redelivered, and then it is stored as it is. */
static void store_desk_message(struct letter_keeper *keeper, struct job *job)
{
    const struct applier_options *options = keeper->options;
    const struct letter_origin origin = letter_origin_now(options);
    if (job->undecoded && !job->delivery.redelivered) {
        options->decode(options->decode_context, job);
        desk_make_letter(job, &origin);
    }
    job_queue_push(&keeper->unstored, job);
}

static void desk_failed(struct letter_keeper *keeper, const struct error *error)
{
    event_log_at(keeper->desk_failing ? LOG_LEVEL_DEBUG : event_level(EVENT_DESK_LOOK_FAILED),
                 EVENT_DESK_LOOK_FAILED, LOG_FIELDS(LOG_S("error", error->text)),
                 "cannot look for the letters of dead letters; trying again");
    return_to(keeper, &keeper->desk);
    keeper->desk_failing = true;
    keeper->desk_from_ms = now_ms(keeper) + jittered(&keeper->jitter, DESK_PAUSE_MS);
}

/* Looks for the letters of the messages. One that has none joins a batch of letters. */
static void look_at_desk(struct letter_keeper *keeper)
{
    struct letter_sighting *found = NULL;
    struct error error = {""};
    take_desk(keeper);
    if (keeper->count > 0 && find_letters(keeper, &found, &error) != STORE_OK) {
        desk_failed(keeper, &error);
        return;
    }
    keeper->desk_failing = false;
    for (size_t i = 0; i < keeper->count; i++) {
        struct job *job = keeper->jobs[i];
        if (desk_is_known(job, &found[2 * i]) || desk_was_stored(job, &found[2 * i + 1])) {
            job->answered = true;
            job_queue_push(&keeper->done, job);
        } else {
            store_desk_message(keeper, job);
        }
    }
    keeper->count = 0;
}

/* --- the bound ------------------------------------------------------------------------------ */

/* Makes one step only: the lane submits the next, and a batch comes between. */
static void trim_letters(struct letter_keeper *keeper)
{
    struct job *job = job_queue_pop(&keeper->trims);
    job->trim_over = letter_trim_step(&keeper->trim);
    job_queue_push(&keeper->done, job);
}

bool letter_keeper_step(struct letter_keeper *keeper)
{
    int64_t at_ms = now_ms(keeper);
    if (keeper->fates.head != NULL && at_ms >= keeper->fates_from_ms)
        note_fates(keeper);
    else if (keeper->sweeps.head != NULL)
        sweep(keeper);
    else if (keeper->desk.head != NULL && at_ms >= keeper->desk_from_ms)
        look_at_desk(keeper);
    else if (keeper->trims.head != NULL)
        trim_letters(keeper);
    else
        return false;
    return true;
}

int64_t letter_keeper_due_ms(const struct letter_keeper *keeper)
{
    int64_t due_ms = INT64_MAX;
    if (keeper->fates.head != NULL)
        due_ms = keeper->fates_from_ms;
    if (keeper->desk.head != NULL && keeper->desk_from_ms < due_ms)
        due_ms = keeper->desk_from_ms;
    return due_ms;
}
