/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/job.h"

#include "common/codec/reply_encode.h"
#include "common/core/disposition.h"

const char *settle_stage_name(enum settle_stage stage)
{
    static const char *const names[] = {
#define X(id, name) [SETTLE_##id] = (name),
        SETTLE_STAGES(X)
#undef X
    };
    return names[stage];
}

struct job *job_new(struct arena *arena, const struct delivery *delivery, uint64_t epoch)
{
    struct job *job = ARENA_NEW(arena, struct job);
    job->arena = arena;
    job->delivery = *delivery;
    job->epoch = epoch;
    job->undecoded = true;
    return job;
}

void job_free(struct job *job)
{
    if (job != NULL)
        arena_free(job->arena);
}

size_t job_bytes(const struct job *job)
{
    return arena_bytes(job->arena);
}

struct text job_detail(struct arena *arena, const struct verdict *verdict, struct text body)
{
    struct text message = verdict->message;
    if (verdict->replayed && verdict->code != VERDICT_SUCCESS)
        message = reply_failure_message(arena, body);
    return reply_dead_detail(arena, message);
}

bool job_is_read(const struct job *job)
{
    return !job->undecoded && job->decoded.accepted &&
           command_mode(job->decoded.request.command.kind) == MODE_READ;
}

bool job_is_suspect(const struct job *job)
{
    return job->history.smallest > 0;
}

bool job_needs_letter(const struct job *job)
{
    if (!job->answered || job->letter_stored || job->letter_refused ||
        job->stage == SETTLE_PUBLISH || job->stage == SETTLE_DONE)
        return false;
    return job->stage == SETTLE_LETTER || disposition_of(job->code, job->reply_allowed).dead_letter;
}

void job_answer(struct job *job, const struct verdict *verdict, struct text body)
{
    job->code = verdict->code;
    job->replayed = verdict->replayed;
    job->reply_allowed = verdict->reply_allowed;
    job->body = text_copy(job->arena, body);
    job->detail = job_detail(job->arena, verdict, body);
    job->answered = true;
}

void job_answer_undecodable(struct job *job)
{
    const struct decoded *decoded = &job->decoded;
    struct text body = reply_encode(job->arena, decoded->command, COMMAND_PROVIDER_GET,
                                    decoded->request.key, &decoded->verdict);
    job_answer(job, &decoded->verdict, body);
}

void job_queue_push(struct job_queue *queue, struct job *job)
{
    job->next = NULL;
    if (queue->tail != NULL)
        queue->tail->next = job;
    else
        queue->head = job;
    queue->tail = job;
    queue->count++;
}

void job_queue_push_front(struct job_queue *queue, struct job *job)
{
    job->next = queue->head;
    queue->head = job;
    if (queue->tail == NULL)
        queue->tail = job;
    queue->count++;
}

struct job *job_queue_pop(struct job_queue *queue)
{
    struct job *job = queue->head;
    if (job == NULL)
        return NULL;
    queue->head = job->next;
    if (queue->head == NULL)
        queue->tail = NULL;
    queue->count--;
    job->next = NULL;
    return job;
}

void job_queue_append(struct job_queue *queue, struct job_queue *from)
{
    for (struct job *job = job_queue_pop(from); job != NULL; job = job_queue_pop(from))
        job_queue_push(queue, job);
}

void job_queue_free_all(struct job_queue *queue)
{
    for (struct job *job = job_queue_pop(queue); job != NULL; job = job_queue_pop(queue))
        job_free(job);
}
