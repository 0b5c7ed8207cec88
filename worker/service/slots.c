/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/slots.h"

#include <assert.h>

#include "allot/limits.h"
#include "worker/service/window.h"

/* After a pause of flow control, a new subscription may add its prefetch to the deliveries of the
   one before. Letters of acknowledged deliveries come on top. */
_Static_assert(SLOTS_MAX > 2 * PREFETCH_MAX + WINDOW_DEAD_LETTERS,
               "each delivery in flight needs a slot, and each letter that is published");

void slots_add(struct slots *slots, struct job *job)
{
    assert(slots->count < SLOTS_MAX);
    do
        slots->sequence++;
    while (slots->jobs[slots->sequence % SLOTS_MAX] != NULL);
    slots->jobs[slots->sequence % SLOTS_MAX] = job;
    slots->count++;
    job->sequence = slots->sequence;
}

struct job *slots_find(const struct slots *slots, uint64_t sequence)
{
    struct job *job = slots->jobs[sequence % SLOTS_MAX];
    return job != NULL && job->sequence == sequence ? job : NULL;
}

void slots_remove(struct slots *slots, struct job *job)
{
    slots->jobs[job->sequence % SLOTS_MAX] = NULL;
    slots->count--;
    job->sequence = 0;
}
