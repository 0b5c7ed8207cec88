/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/fair_queue.h"

enum { BYTES_PER_DOCUMENT = 4096 };

void fair_queue_clear(struct fair_queue *queue)
{
    queue->passed_over = NULL;
    lines_clear(&queue->lines);
}

size_t fair_queue_documents(const struct job *job)
{
    const struct command *command = &job->decoded.request.command;
    const struct change_params *change = &command->params.change;
    if (command_mode(command->kind) != MODE_BATCHED)
        return 1;
    size_t documents = 1 + change->inventory_count + change->claim_count;
    for (size_t i = 0; i < change->claim_count; i++)
        documents += change->claims[i].provider_count;
    return documents;
}

static int64_t cost_of(const struct job *job)
{
    return (int64_t)(fair_queue_documents(job) + job->delivery.body.length / BYTES_PER_DOCUMENT);
}

void fair_queue_push(struct fair_queue *queue, struct job *job)
{
    (void)lines_push(&queue->lines, job);
}

void fair_queue_push_front(struct fair_queue *queue, struct job *job)
{
    lines_push_front(&queue->lines, job)->credit += cost_of(job);
}

bool fair_queue_is_empty(const struct fair_queue *queue)
{
    return queue->lines.jobs == 0;
}

/* An empty line is kept while its principal has used more than it had credit for. */
static bool is_over(const struct line *line)
{
    return line->jobs.head == NULL && line->credit >= 0;
}

/* Gives the next line its turn. Credit is not saved for later. Lines that are over are removed on
   the way. */
static void next_turn(struct fair_queue *queue)
{
    struct line *line = queue->lines.last->next;
    while (is_over(line) && line->next != line) {
        struct line *next = line->next;
        lines_remove(&queue->lines, line);
        line = next;
    }
    queue->lines.last = line;
    line->credit += FAIR_TURN;
    if (line->credit > FAIR_TURN)
        line->credit = FAIR_TURN;
}

void fair_queue_begin(struct fair_queue *queue)
{
    queue->batch++;
    if (queue->passed_over != NULL)
        lines_make_next(&queue->lines, queue->passed_over);
    queue->passed_over = NULL;
    if (queue->lines.last != NULL)
        next_turn(queue);
}

/* Returns whether a line has a command that was not passed over. */
static bool has_any(const struct fair_queue *queue)
{
    const struct line *line = queue->lines.last;
    if (queue->lines.jobs == 0)
        return false;
    do {
        if (line->jobs.head != NULL && line->skipped != queue->batch)
            return true;
        line = line->next;
    } while (line != queue->lines.last);
    return false;
}

struct job *fair_queue_take(struct fair_queue *queue,
                            bool (*fits)(const void *context, const struct job *job),
                            const void *context)
{
    while (has_any(queue)) {
        struct line *line = queue->lines.last;
        bool waits = line->jobs.head != NULL && line->skipped != queue->batch;
        if (waits && line->credit > 0) {
            if (fits(context, line->jobs.head)) {
                line->credit -= cost_of(line->jobs.head);
                return lines_pop(&queue->lines, line);
            }
            line->skipped = queue->batch;
            if (queue->passed_over == NULL)
                queue->passed_over = line;
        }
        next_turn(queue);
    }
    return NULL;
}

void fair_queue_charge(struct fair_queue *queue, const struct job *job, size_t documents)
{
    size_t known = fair_queue_documents(job);
    if (documents > known)
        lines_of(&queue->lines, job->decoded.request.principal)->credit -=
            (int64_t)(documents - known);
}
