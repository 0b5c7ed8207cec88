/* SPDX-License-Identifier: Apache-2.0 */
/* What people say about letters without sending anything: resolve, discard, reopen. */
#ifndef ALLOT_CTL_DESK_CLOSING_H
#define ALLOT_CTL_DESK_CLOSING_H

#include "common/mongo/letters_desk.h"

struct closing {
    const char *name;
    enum letter_state state; /* after it */
    enum letter_action action;
    bool from[LETTER_DISCARDED + 1]; /* the states that it changes */
};

/* Returns the closing of this name; NULL: there is none. Static. */
const struct closing *closing_find(struct text name);

/* Returns the letters of these ids that the closing changes: those in its states. The ids are
   borrowed. */
struct letter_set closing_set(const struct closing *closing, const struct text *ids, size_t count);

#endif
