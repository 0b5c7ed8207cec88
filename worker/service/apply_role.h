/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The apply threads of a lane, and which of them a job belongs to. They are separate so that a slow
 * read, or a command that the database does not execute, never makes the writes of others wait:
 *
 *   WRITES  takes all commands that may change something, in large batches.
 *   ASIDE   takes commands of WRITES that failed with others, each in a batch of its own, and all
 *           work about letters.
 *   READS   takes reads, at most reads.concurrency batches at a time.
 *
 * The functions are pure.
 */
#ifndef ALLOT_SERVICE_APPLY_ROLE_H
#define ALLOT_SERVICE_APPLY_ROLE_H

#include "worker/service/job.h"

enum apply_role { APPLY_WRITES, APPLY_ASIDE, APPLY_READS };

/* Returns the role for a decoded command that is with the apply thread of role `now`. */
enum apply_role apply_role_of(const struct job *job, enum apply_role now);
/* Returns the role for any job that the lane has: new, passed on, answered, or none of a delivery.
 */
enum apply_role apply_role_for(const struct job *job);

#endif
