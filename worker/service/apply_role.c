/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/apply_role.h"

#include "worker/service/desk.h"

static bool is_about_letters(const struct job *job)
{
    return job->sweeps || job->trims || job_is_of_desk(job) || job->fate != FATE_OPEN ||
           job_needs_letter(job);
}

enum apply_role apply_role_of(const struct job *job, enum apply_role now)
{
    if (job_is_read(job))
        return APPLY_READS;
    return now == APPLY_READS ? APPLY_WRITES : now;
}

enum apply_role apply_role_for(const struct job *job)
{
    if (is_about_letters(job))
        return APPLY_ASIDE;
    return apply_role_of(job, job->alone ? APPLY_ASIDE : APPLY_WRITES);
}
