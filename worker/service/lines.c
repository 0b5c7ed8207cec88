/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/lines.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

static struct line *find(const struct lines *lines, struct text principal)
{
    struct line *line = lines->last;
    if (line == NULL)
        return NULL;
    do {
        line = line->next;
        if (text_equal(line->principal, principal))
            return line;
    } while (line != lines->last);
    return NULL;
}

static struct line *add(struct lines *lines, struct text principal)
{
    struct line *line = MEMORY_NEW(struct line);
    char *bytes = memory_array(principal.length + 1, 1);
    if (principal.length > 0)
        memcpy(bytes, principal.bytes, principal.length);
    line->principal = text_view(bytes, principal.length);
    line->next = lines->last != NULL ? lines->last->next : line;
    if (lines->last != NULL)
        lines->last->next = line;
    lines->last = line;
    return line;
}

struct line *lines_of(struct lines *lines, struct text principal)
{
    struct line *line = find(lines, principal);
    return line != NULL ? line : add(lines, principal);
}

struct line *lines_push(struct lines *lines, struct job *job)
{
    struct line *line = lines_of(lines, job->decoded.request.principal);
    job_queue_push(&line->jobs, job);
    lines->jobs++;
    return line;
}

struct line *lines_push_front(struct lines *lines, struct job *job)
{
    struct line *line = lines_of(lines, job->decoded.request.principal);
    job_queue_push_front(&line->jobs, job);
    lines->jobs++;
    return line;
}

struct job *lines_pop(struct lines *lines, struct line *line)
{
    struct job *job = job_queue_pop(&line->jobs);
    lines->jobs -= job != NULL;
    return job;
}

static struct line *before_of(struct line *line)
{
    struct line *before = line;
    while (before->next != line)
        before = before->next;
    return before;
}

void lines_make_next(struct lines *lines, struct line *line)
{
    lines->last = before_of(line);
}

void lines_remove(struct lines *lines, struct line *line)
{
    struct line *before = before_of(line);
    assert(line->jobs.head == NULL);
    before->next = line->next;
    if (lines->last == line)
        lines->last = before != line ? before : NULL;
    free((char *)line->principal.bytes);
    free(line);
}

void lines_clear(struct lines *lines)
{
    while (lines->last != NULL) {
        lines->jobs -= lines->last->jobs.count;
        job_queue_free_all(&lines->last->jobs);
        lines_remove(lines, lines->last);
    }
}
