/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads that wait for a reader, one line for each principal. Principals take turns, and one of them
 * has at most half of the readers at a time, so that its slow reads leave room for others. The
 * reads of a batch are of one principal. Belongs to the transport thread; pure but for its memory.
 */
#ifndef ALLOT_SERVICE_READ_QUEUE_H
#define ALLOT_SERVICE_READ_QUEUE_H

#include "worker/service/job.h"

enum { READ_BATCH_MAX = 128, READERS_MAX = 64 };

struct read_queue;

/* Creates an empty queue for so many readers; never NULL. */
struct read_queue *read_queue_new(size_t readers);
/* Frees the queue with its jobs. NULL is allowed. */
void read_queue_free(struct read_queue *queue);

/* Takes ownership of a decoded read. */
void read_queue_push(struct read_queue *queue, struct job *job);
/* Returns how many reads wait. */
size_t read_queue_count(const struct read_queue *queue);
/*
 * Chooses a free reader and the next batch for it, at most READ_BATCH_MAX reads; one that has to be
 * alone is alone. The reader is taken then. Returns false if no reader is free, or none may be
 * given to the principals that wait.
 */
ALLOT_CHECK bool read_queue_next(struct read_queue *queue, size_t *ret_reader,
                                 struct job_queue *ret_jobs);
/* The reader has done its batch, and is free again. */
void read_queue_done(struct read_queue *queue, size_t reader);
/* Moves out all reads that wait. */
void read_queue_clear(struct read_queue *queue, struct job_queue *ret_jobs);

#endif
