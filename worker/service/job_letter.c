/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/job_letter.h"

#include "common/codec/letter_build.h"

enum { ROOM_BYTES = sizeof(struct job) + sizeof(struct letter) + 1024 }; /* and for alignment */

struct letter job_letter(const struct job *job, struct arena *arena,
                         const struct letter_origin *origin)
{
    const struct letter_cause cause = {.source = LETTER_SOURCE_WORKER,
                                       .reason = text_of(verdict_name(job->code)),
                                       .detail = job->detail,
                                       .queue = origin->queue,
                                       .worker = origin->worker,
                                       .attempts = job->history.alone,
                                       .at_ms = origin->at_ms};
    return letter_build(arena, &job->delivery, &job->decoded, &cause);
}

static struct job *without_delivery(uint64_t epoch, size_t bytes)
{
    const struct delivery none = {0};
    struct job *job = job_new(arena_new(bytes), &none, epoch);
    job->undecoded = false;
    return job;
}

struct job *job_of_sweep(uint64_t epoch)
{
    struct job *job = without_delivery(epoch, 0);
    job->sweeps = true;
    return job;
}

struct job *job_of_trim(uint64_t epoch)
{
    struct job *job = without_delivery(epoch, 0);
    job->trims = true;
    return job;
}

/* All is in one block of the arena, so that the job counts for what it holds. */
struct job *job_of_letter(const struct letter *letter, uint64_t epoch)
{
    struct job *job = without_delivery(epoch, (size_t)letter_bytes(letter) + ROOM_BYTES);
    job->letter = ARENA_NEW(job->arena, struct letter);
    *job->letter = letter_copy(job->arena, letter);
    job->letter_stored = job->swept = true;
    job->counted_bytes = job_bytes(job);
    return job;
}

bool job_is_claimed_letter(const struct job *job)
{
    return job->swept && job->stage == SETTLE_REPLY; /* later it comes with its fate noted */
}
