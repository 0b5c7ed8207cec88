/* SPDX-License-Identifier: Apache-2.0 */
/* The letter of an answered job, and a job for a letter that was read. */
#ifndef ALLOT_SERVICE_JOB_LETTER_H
#define ALLOT_SERVICE_JOB_LETTER_H

#include "worker/service/job.h"

/* Where and when the job is dead-lettered. Borrowed. */
struct letter_origin {
    struct text queue;
    struct text worker;
    int64_t at_ms; /* since the Unix epoch, by the database's clock */
};

/* Returns the letter of an answered job. Its texts are borrowed from the job, or in `arena`. */
struct letter job_letter(const struct job *job, struct arena *arena,
                         const struct letter_origin *origin);

/* Creates a job without a delivery, to publish a copy of a stored letter. */
struct job *job_of_letter(const struct letter *letter, uint64_t epoch);
/* Returns whether a sweep has just claimed the job's letter, so that nobody has submitted it. */
bool job_is_claimed_letter(const struct job *job);
/* Creates a job without a delivery, for which the applier claims letters. */
struct job *job_of_sweep(uint64_t epoch);
/* Creates a job without a delivery, for which the applier makes one step of letter_trim.h. */
struct job *job_of_trim(uint64_t epoch);

#endif
