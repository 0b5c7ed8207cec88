/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that wait for their batch, one line for each principal. A batch takes from the lines in
 * turn, by deficit round robin: in each turn a line gets credit for FAIR_TURN documents, and gives
 * commands until the credit is used up. A command costs the documents and the bytes that it is
 * known to need; what it needed more is charged afterwards. A document that does not exist costs
 * as much as any other: it is looked for, and the refusal names it. So one principal's flood, or
 * its very large commands, delay the others by a bounded part of a batch. Belongs to one apply
 * thread.
 */
#ifndef ALLOT_SERVICE_FAIR_QUEUE_H
#define ALLOT_SERVICE_FAIR_QUEUE_H

#include "worker/service/lines.h"

enum { FAIR_TURN = 256 };

/* All zero is empty; the owner calls fair_queue_clear() at its end. */
struct fair_queue {
    struct lines lines;
    uint64_t batch;           /* number of the batch that is gathered */
    struct line *passed_over; /* the first line whose command did not fit into it; NULL: none */
};

/* Frees the jobs. */
void fair_queue_clear(struct fair_queue *queue);
/* Adds a decoded command, and takes ownership. */
void fair_queue_push(struct fair_queue *queue, struct job *job);
/* Takes a command back that was taken, to the front of its line; its cost is not charged. */
void fair_queue_push_front(struct fair_queue *queue, struct job *job);
bool fair_queue_is_empty(const struct fair_queue *queue);

/* Begins a batch: lines that were passed over have a turn again, and the first of them is the first
   of all. So a command that fits only into an empty batch does not wait for ever. */
void fair_queue_begin(struct fair_queue *queue);
/*
 * Removes the next command in turn, and returns it; NULL if no line has one that fits. A line whose
 * first command does not fit is passed over until the next batch, so its order is kept.
 */
struct job *fair_queue_take(struct fair_queue *queue,
                            bool (*fits)(const void *context, const struct job *job),
                            const void *context);
/* Charges the principal of a command that was taken and needed so many documents in all for those
   that it was not known to need. */
void fair_queue_charge(struct fair_queue *queue, const struct job *job, size_t documents);

/* Returns how many documents the command is known to need before its load: the consumers and
   providers that it names, and the outcome. What several commands name counts for each of them. */
size_t fair_queue_documents(const struct job *job);

#endif
