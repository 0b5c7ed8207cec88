/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs whose message waits for its confirm, by the message's sequence number. A sequence is
 * used once by a process, over all connections, so a late confirm of an earlier connection finds
 * nothing.
 */
#ifndef ALLOT_SERVICE_SLOTS_H
#define ALLOT_SERVICE_SLOTS_H

#include "worker/service/job.h"

enum { SLOTS_MAX = 4096 };

/* All zero is empty. */
struct slots {
    struct job *jobs[SLOTS_MAX]; /* by sequence modulo SLOTS_MAX; owned */
    uint64_t sequence;           /* of the last message */
    size_t count;                /* slots in use */
};

/* Gives the job the next sequence whose slot is free. At least one has to be free. */
void slots_add(struct slots *slots, struct job *job);
/* Returns the job; NULL if nothing waits for this message any more. */
struct job *slots_find(const struct slots *slots, uint64_t sequence);
void slots_remove(struct slots *slots, struct job *job);

#endif
