/* SPDX-License-Identifier: Apache-2.0 */
/* What the reasons of letters mean, and what to do about them, in words. Pure. */
#ifndef ALLOT_CTL_WEB_REASON_H
#define ALLOT_CTL_WEB_REASON_H

#include "common/base/text.h"

struct reason {
    const char *name;
    const char *meaning; /* a sentence */
    const char *remedy;  /* sentences */
};

/* Returns the reason with this index, from 0 on; NULL behind the last one. */
const struct reason *reason_at(size_t index);
/* Returns the reason of this name; NULL if it is not known. */
const struct reason *reason_find(struct text name);

#endif
