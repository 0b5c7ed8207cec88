/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/desk/closing.h"

#include <string.h>

static const struct closing closings[] = {
    {"resolve",
     LETTER_RESOLVED,
     LETTER_ACTION_RESOLVED,
     {[LETTER_OPEN] = true, [LETTER_REPLAYED] = true}},
    {"discard",
     LETTER_DISCARDED,
     LETTER_ACTION_DISCARDED,
     {[LETTER_OPEN] = true, [LETTER_REPLAYED] = true}},
    {"reopen",
     LETTER_OPEN,
     LETTER_ACTION_REOPENED,
     {[LETTER_REPLAYED] = true, [LETTER_RESOLVED] = true, [LETTER_DISCARDED] = true}},
};

const struct closing *closing_find(struct text name)
{
    for (size_t i = 0; i < sizeof closings / sizeof closings[0]; i++) {
        if (text_is(name, closings[i].name))
            return &closings[i];
    }
    return NULL;
}

struct letter_set closing_set(const struct closing *closing, const struct text *ids, size_t count)
{
    struct letter_set set = {.ids = ids, .count = count};
    memcpy(set.states, closing->from, sizeof set.states);
    return set;
}
