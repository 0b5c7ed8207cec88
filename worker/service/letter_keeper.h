/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the calls about letters that no transaction needs: it notes what became of dead letters,
 * claims letters that nobody has published, looks for the letters of messages of the desk queue,
 * and keeps the letters within their bound. Storing a letter is not here (applier.c). Belongs to
 * the apply thread; a step makes at most one call to the store.
 */
#ifndef ALLOT_SERVICE_LETTER_KEEPER_H
#define ALLOT_SERVICE_LETTER_KEEPER_H

#include "worker/service/applier.h"
#include "worker/service/job_letter.h"

struct letter_keeper;

/* Creates a keeper with nothing to do; never NULL. `options` are borrowed for its life. */
struct letter_keeper *letter_keeper_new(const struct applier_options *options);
/* Frees the keeper with its jobs. NULL is allowed. */
void letter_keeper_free(struct letter_keeper *keeper);

/* Returns whether the keeper has something to do for the job. */
bool letter_keeper_wants(const struct job *job);
/* Takes ownership of a job that it wants. */
void letter_keeper_take(struct letter_keeper *keeper, struct job *job);
/* Takes back a message of the desk queue whose letter may have been stored: it comes first, and is
   looked for again. Takes ownership. */
void letter_keeper_look_again(struct letter_keeper *keeper, struct job *job);

/* Makes the call that is due, if there is one, and returns whether there was. */
bool letter_keeper_step(struct letter_keeper *keeper);
/* Returns when the next call is due (monotonic); INT64_MAX: never, unless it gets a job. Asked
   after a step that did nothing. */
int64_t letter_keeper_due_ms(const struct letter_keeper *keeper);

/* Moves out the jobs that are done, and those whose letters have to be stored. */
void letter_keeper_reap(struct letter_keeper *keeper, struct job_queue *ret_done,
                        struct job_queue *ret_unstored);

/* Returns where and when something is dead-lettered now, by the database's clock. */
struct letter_origin letter_origin_now(const struct applier_options *options);

#endif
