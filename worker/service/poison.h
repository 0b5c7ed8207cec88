/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A poison message for the chaos tests. A build with ALLOT_POISON aborts when it plans a command
 * that claims for the project "poison". Every other build contains nothing of this.
 */
#ifndef ALLOT_SERVICE_POISON_H
#define ALLOT_SERVICE_POISON_H

#include <stdlib.h>

#include "common/core/request.h"

#ifdef ALLOT_POISON
static inline void die_of_poison(const struct request *const *requests, size_t count,
                                 int64_t max_attempts)
{
    for (size_t i = 0; i < count; i++) {
        const struct command *command = &requests[i]->command;
        if (requests[i]->attempts < max_attempts && command->kind == COMMAND_ALLOCATION_SET &&
            text_equal(command->params.change.claims[0].project_id, text_of("poison")))
            abort();
    }
}
#else
#define die_of_poison(requests, count, max_attempts) ((void)0)
#endif

#endif
