/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the desk queue, which gets a copy of each dead letter. Those whose letter a worker
 * has stored need nothing more. All others get a letter: the broker dead-lettered them, or they
 * were published without a stored letter. Pure: the applier reads and writes the letters.
 */
#ifndef ALLOT_SERVICE_DESK_H
#define ALLOT_SERVICE_DESK_H

#include "worker/service/job_letter.h"

/* Returns whether the job is a message of the desk queue. */
static inline bool job_is_of_desk(const struct job *job)
{
    return job->delivery.source == DELIVERY_DESK;
}

/* Creates a job for a message that could not be read, which the broker has dropped from the desk
   queue. It has no delivery, and needs no connection. `reason` is copied. */
struct job *job_of_unreadable(struct text reason);

/*
 * Sets the letter that the message gets; it is published, since the dead-letter queue has the
 * message. If the job was decoded, it names the command and what this is about. Its id, reason and
 * detail are the same at each delivery of the message. Texts are borrowed from the job, or in its
 * arena.
 */
void desk_make_letter(struct job *job, const struct letter_origin *origin);

/* Returns the id that the message says its letter has; absent if it does not say so, or the broker
   has dead-lettered it since. Anybody can write the header. */
struct text desk_claimed_id(const struct job *job);
/* Returns whether a worker published the message: the letter that it names is stored, and is about
   the same body. */
bool desk_is_known(const struct job *job, const struct letter_sighting *claimed);
/* Returns whether this delivery was stored before: it is a repeated one, and the letter tells of
   the same event. `own` is what is stored under the id of the job's letter. */
bool desk_was_stored(const struct job *job, const struct letter_sighting *own);

#endif
