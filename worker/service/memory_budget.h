/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that the process may use for commands (worker.memory_budget). Half of it is for what
 * is in flight: bodies, decoded commands, answers and letters are counted. The other half is for
 * batches of reads: what one may need is reserved before it is begun. So reads that wait or run
 * never stop the intake of commands. Shared by the lanes; any thread may call these functions, none
 * waits.
 */
#ifndef ALLOT_SERVICE_MEMORY_BUDGET_H
#define ALLOT_SERVICE_MEMORY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "allot/attributes.h"

struct memory_budget {
    size_t max;             /* set before it is shared; 0: no limit */
    atomic_size_t used;     /* counted */
    atomic_size_t reserved; /* by batches of reads */
};

/* Count bytes, whether there is room or not. */
void memory_budget_add(struct memory_budget *budget, size_t bytes);
void memory_budget_remove(struct memory_budget *budget, size_t bytes);

/* Reserves bytes for a batch. Returns false if there is no room, unless nothing else is reserved:
   then it is granted, so that there is always progress. */
ALLOT_CHECK bool memory_budget_reserve(struct memory_budget *budget, size_t bytes);
/* Ends a reservation. */
void memory_budget_release(struct memory_budget *budget, size_t bytes);

/* Returns whether all of the half for what is counted is used, or more. */
bool memory_budget_is_full(const struct memory_budget *budget);
/* Returns whether more than three quarters of that half are used. */
bool memory_budget_is_nearly_full(const struct memory_budget *budget);
/* Returns whether less than half of that half is used. */
bool memory_budget_has_room(const struct memory_budget *budget);

#endif
