/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The stage GATHER chooses what comes next: attempt records to delete, a call about
 * letters, a group of redelivered commands to mark, or a batch. A batch is of commands or of
 * letters; the two take turns.
 *
 * Guarantees:
 * - Reads are never in one batch with writes, and suspects never with others. A command whose mode
 *   is exclusive has its own batch, and so has one that was set aside.
 * - A command whose connection was lost is dropped when it is gathered: the broker redelivers it.
 *
 * Not here: whose turn it is among the principals (fair_queue.c).
 */
#include "worker/service/applier_internal.h"

enum { TURN_PAUSE_MS = 10 }; /* until another lane is asked for the turn again */

static bool has_commands(const struct applier *applier)
{
    return applier->ready.head != NULL || !fair_queue_is_empty(&applier->waiting);
}

/* --- a batch of commands ---------------------------------------------------------------------- */

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
    if (applier->count == 0 || !applier_is_current(applier, job))
        return true;
    const struct job *first = applier->jobs[0];
    return !needs_own_batch(first) && !needs_own_batch(job) &&
           job_is_read(first) == job_is_read(job) && job_is_suspect(first) == job_is_suspect(job) &&
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
    if (applier->ready.head == NULL)
        fair_queue_begin(&applier->waiting);
    while (applier->count < applier->retry.limit) {
        struct job *job = take_next(applier, &filling);
        if (job == NULL)
            return;
        if (!applier_is_current(applier, job)) {
            applier->marked -= job->attempt_recorded;
            applier_finish(applier, job);
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
        applier_enqueue(applier, job);
}

/* --- a batch of letters ----------------------------------------------------------------------- */

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
        job->letter_refused = applier_is_full(applier, job);
        if (applier_is_current(applier, job) && !job->letter_refused)
            applier->jobs[applier->count++] = job;
        else
            applier_finish(applier, job);
    }
}

static bool letters_are_due(const struct applier *applier)
{
    return applier->unstored.head != NULL && applier_now_ms(applier) >= applier->letters_from_ms;
}

/* Commands and letters take turns, so that neither waits for all of the others. A command that has
   to be alone comes first. */
static bool letters_are_next(const struct applier *applier)
{
    if (!letters_are_due(applier) || (applier->has_turn && applier->is_alone))
        return false;
    return !applier->letters_last || !has_commands(applier);
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
        applier_finish(applier, job);
    return called;
}

/* --- what comes next -------------------------------------------------------------------------- */

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
        applier_start_with(applier, STAGE_BEGIN);
    else if (turn_refused)
        *ret_pause_ms = TURN_PAUSE_MS;
    else if (!has_commands(applier) && applier->unmarked.head == NULL &&
             applier->attempt_cleanups.head == NULL && !has_letters)
        return APPLIER_IDLE;
    return *ret_pause_ms > 0 ? APPLIER_WAIT : APPLIER_GO_ON;
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
    int64_t rest_ms = due_ms - applier_now_ms(applier);
    return rest_ms > 0 ? rest_ms : 1;
}

/* Begins with what comes first: attempt records to delete; a call about letters; redelivered
   commands to mark, once those that were marked before are done; a batch. While another lane has
   the turn, others do not wait. */
enum applier_next applier_gather(struct applier *applier, int64_t *ret_pause_ms)
{
    applier_take_cleanups(applier);
    if (applier->count > 0)
        return applier_clean_up(applier, ret_pause_ms);
    applier->kept_letters = keep_letters(applier);
    if (applier->kept_letters)
        return APPLIER_GO_ON;
    if (applier->marked == 0 && !applier_has_sent_record(applier))
        applier_end_turn(applier);
    release_aside(applier);
    applier->batch_began_ms = applier_now_ms(applier);
    if (applier->marked == 0 && applier->unmarked.head != NULL && !applier->turn_refused) {
        applier_begin_group(applier);
        return APPLIER_GO_ON;
    }
    enum applier_next next = begin_batch(applier, ret_pause_ms);
    if (next == APPLIER_IDLE)
        *ret_pause_ms = idle_ms(applier);
    return next;
}
