/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/read_queue.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "worker/service/lines.h"

enum {
    READ_BATCH_BYTES = 8 * 1024 * 1024,
    SMALL_BYTES = 32 * 1024,
    ROW_BYTES = 4 * 1024, /* of a page */
};

struct read_queue {
    struct lines lines; /* a line is there while it has reads, or a reader */
    size_t readers;
    struct line *reader[READERS_MAX]; /* whose batch it has; NULL: it is free */
};

struct read_queue *read_queue_new(size_t readers)
{
    struct read_queue *queue = MEMORY_NEW(struct read_queue);
    assert(readers > 0 && readers <= READERS_MAX);
    queue->readers = readers;
    return queue;
}

void read_queue_free(struct read_queue *queue)
{
    if (queue == NULL)
        return;
    lines_clear(&queue->lines);
    free(queue);
}

static void remove_if_empty(struct read_queue *queue, struct line *line)
{
    if (line->jobs.head == NULL && line->readers == 0)
        lines_remove(&queue->lines, line);
}

void read_queue_push(struct read_queue *queue, struct job *job)
{
    (void)lines_push(&queue->lines, job);
}

size_t read_queue_count(const struct read_queue *queue)
{
    return queue->lines.jobs;
}

/* Returns whether a reader is free, and sets which. */
static bool free_reader(const struct read_queue *queue, size_t *ret_reader)
{
    for (*ret_reader = 0; *ret_reader < queue->readers; ++*ret_reader) {
        if (queue->reader[*ret_reader] == NULL)
            return true;
    }
    return false;
}

/* Returns the line whose turn is next; NULL if none may have another reader. */
static struct line *next_line(const struct read_queue *queue)
{
    size_t most = (queue->readers + 1) / 2;
    struct line *line = queue->lines.last;
    if (line == NULL)
        return NULL;
    do {
        line = line->next;
        if (line->jobs.head != NULL && line->readers < most)
            return line;
    } while (line != queue->lines.last);
    return NULL;
}

/* Returns about how many bytes the answer may have. A page may be up to PAGE_BYTES_MAX; all else is
   mostly small. */
static size_t weight_of(const struct job *job)
{
    const struct command *command = &job->decoded.request.command;
    size_t rows = 1;
    if (command->kind == COMMAND_PROVIDER_ALLOCATIONS)
        rows = (size_t)command->params.page.limit;
    else if (command->kind == COMMAND_PROVIDER_LIST)
        rows = (size_t)command->params.list.limit;
    return SMALL_BYTES + rows * ROW_BYTES;
}

static void take_batch(struct read_queue *queue, struct line *line, struct job_queue *ret_jobs)
{
    size_t bytes = 0;
    do {
        bytes += weight_of(line->jobs.head);
        job_queue_push(ret_jobs, lines_pop(&queue->lines, line));
    } while (line->jobs.head != NULL && ret_jobs->count < READ_BATCH_MAX &&
             !ret_jobs->head->alone && !line->jobs.head->alone &&
             bytes + weight_of(line->jobs.head) <= READ_BATCH_BYTES);
}

bool read_queue_next(struct read_queue *queue, size_t *ret_reader, struct job_queue *ret_jobs)
{
    if (!free_reader(queue, ret_reader))
        return false;
    struct line *line = next_line(queue);
    if (line == NULL)
        return false;
    take_batch(queue, line, ret_jobs);
    line->readers++;
    queue->reader[*ret_reader] = line;
    queue->lines.last = line;
    return true;
}

void read_queue_done(struct read_queue *queue, size_t reader)
{
    struct line *line = queue->reader[reader];
    assert(line != NULL);
    queue->reader[reader] = NULL;
    line->readers--;
    remove_if_empty(queue, line);
}

void read_queue_clear(struct read_queue *queue, struct job_queue *ret_jobs)
{
    while (queue->lines.jobs > 0) {
        struct line *line = queue->lines.last;
        while (line->jobs.head == NULL)
            line = line->next;
        while (line->jobs.head != NULL)
            job_queue_push(ret_jobs, lines_pop(&queue->lines, line));
        remove_if_empty(queue, line);
    }
}
