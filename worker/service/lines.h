/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs in one line for each principal, and the lines in a ring, so that principals can take turns.
 * For read_queue.c and fair_queue.c only, which say whose turn it is.
 */
#ifndef ALLOT_SERVICE_LINES_H
#define ALLOT_SERVICE_LINES_H

#include "worker/service/job.h"

struct line {
    struct line *next; /* in turn */
    struct text principal;
    struct job_queue jobs;
    size_t readers;   /* of read_queue.c */
    int64_t credit;   /* of fair_queue.c */
    uint64_t skipped; /* the batch of fair_queue.c that cannot have the first job */
};

/* All zero is empty. The owner owns the lines with their jobs. */
struct lines {
    struct line *last; /* the line that had its turn last; its `next` is the first; NULL: no line */
    size_t jobs;       /* of all lines */
};

/* Returns the principal's line; a new one comes after all others. */
struct line *lines_of(struct lines *lines, struct text principal);
/* Adds the job to the end, or the front, of its principal's line. Takes ownership. Returns the
   line. */
struct line *lines_push(struct lines *lines, struct job *job);
struct line *lines_push_front(struct lines *lines, struct job *job);
/* Removes the first job of the line, and returns it; NULL if it is empty. */
struct job *lines_pop(struct lines *lines, struct line *line);
/* Makes it the line whose turn is next. */
void lines_make_next(struct lines *lines, struct line *line);
/* Removes and frees a line. Its jobs have to be gone. */
void lines_remove(struct lines *lines, struct line *line);
/* Frees all lines with their jobs. */
void lines_clear(struct lines *lines);

#endif
