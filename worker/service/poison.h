/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Poison messages for the chaos tests. A build with ALLOT_POISON aborts when it plans a command
 * that claims for the project "poison" or reads its usage, and when it decodes a body that has the
 * text "poison-decode". Every other build contains nothing of this.
 */
#ifndef ALLOT_SERVICE_POISON_H
#define ALLOT_SERVICE_POISON_H

#include <stdlib.h>
#include <string.h>

#include "common/core/request.h"

#ifdef ALLOT_POISON
static inline bool is_poison(const struct command *command)
{
    if (command->kind == COMMAND_ALLOCATION_SET)
        return text_equal(command->params.change.claims[0].project_id, text_of("poison"));
    return command->kind == COMMAND_USAGE_GET &&
           text_equal(command->params.usage.project_id, text_of("poison"));
}

static inline void die_of_poison(const struct request *const *requests, size_t count,
                                 int64_t max_attempts)
{
    for (size_t i = 0; i < count; i++) {
        if (requests[i]->attempts < max_attempts && is_poison(&requests[i]->command))
            abort();
    }
}

static inline void die_of_poisoned_body(struct text body)
{
    static const char poison[] = "poison-decode";
    if (memmem(body.bytes, body.length, poison, sizeof poison - 1) != NULL)
        abort();
}
#else
#define die_of_poison(requests, count, max_attempts) ((void)0)
#define die_of_poisoned_body(body) ((void)0)
#endif

#endif
