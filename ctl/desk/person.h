/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses allotctl, as the histories of letters name him. */
#ifndef ALLOT_CTL_DESK_PERSON_H
#define ALLOT_CTL_DESK_PERSON_H

#include "common/base/text.h"

/* Returns USER@HOST, in `arena`: the user who called sudo, or the user of the process. */
struct text person_name(struct arena *arena);

#endif
