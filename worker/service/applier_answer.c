/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The plan decides the commands of a batch; here are its replies, and the letters of those
 * that are dead-lettered. A job is answered with them only after the commit.
 *
 * Sections: letters; replies; jobs.
 */
#include "worker/service/applier_internal.h"

#include <assert.h>

#include "allot/limits.h"
#include "common/codec/reply_encode.h"
#include "common/core/disposition.h"
#include "worker/service/desk.h"
#include "worker/service/job_letter.h"
#include "worker/service/poison.h"

/* --- letters ---------------------------------------------------------------------------------- */

bool applier_is_full(const struct applier *applier, const struct job *job)
{
    return !job_is_of_desk(job) &&
           full_principals_has(applier->options.full,
                               letter_principal(&job->delivery, &job->decoded));
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

void applier_make_letters(struct applier *applier)
{
    arena_reset(applier->arena);
    for (size_t i = 0; i < applier->count; i++) {
        struct letter letter = letter_of(applier, applier->jobs[i], applier->arena);
        add_letter(applier, &letter);
    }
    applier->stage = STAGE_WRITE_LETTERS;
}

void applier_add_letters(struct applier *applier)
{
    for (size_t i = 0; i < applier->count; i++) {
        const struct verdict *verdict = &applier->verdicts[i];
        struct job *job = applier->jobs[i];
        if (!disposition_of(verdict->code, verdict->reply_allowed).dead_letter)
            continue;
        job->letter_refused |= applier_is_full(applier, job);
        if (job->letter_refused)
            continue;
        struct job decided = *job;
        decided.code = verdict->code;
        decided.detail = job_detail(applier->arena, verdict, applier->bodies[i]);
        struct letter letter = letter_of(applier, &decided, applier->arena);
        add_letter(applier, &letter);
    }
}

/* --- replies ---------------------------------------------------------------------------------- */

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
    assert(job_is_read(applier->jobs[index]));
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

/* Makes the replies of the batch. Reads have no effect, so those behind the last reply that a batch
   of them may have are simply decided again in the next one. */
static void encode_replies(struct applier *applier)
{
    size_t bytes = 0;
    for (size_t i = 0; i < applier->count; i++) {
        applier->bodies[i] = body_of(applier, i);
        bytes += applier->bodies[i].length;
        if (bytes >= READ_BATCH_REPLY_BYTES && job_is_read(applier->jobs[i]))
            applier_return_commands(applier, i + 1);
    }
}

void applier_decide(struct applier *applier)
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

/* --- jobs ------------------------------------------------------------------------------------- */

/* Keeps the letter of a job, to be published. */
static void keep_letter(struct applier *applier, struct job *job)
{
    job->letter = ARENA_NEW(job->arena, struct letter);
    *job->letter = letter_of(applier, job, job->arena);
    job->letter_stored = true;
}

void applier_complete(struct applier *applier)
{
    for (size_t i = 0; i < applier->count; i++) {
        struct job *job = applier->jobs[i];
        if (job_is_of_desk(job)) {
            job->answered = true;
            applier_finish(applier, job);
            continue;
        }
        if (!applier->letters_only) {
            applier->marked -= job->attempt_recorded;
            job_answer(job, &applier->verdicts[i], applier->bodies[i]);
        }
        if (job_needs_letter(job))
            keep_letter(applier, job);
        applier_finish(applier, job);
    }
    applier->count = 0;
}
