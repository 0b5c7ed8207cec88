/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a reply. A member that is missing, null or of another type is absent or 0: a worker of
   the right version sends what its schema says. */
#ifndef ALLOT_CTL_REPLY_MEMBER_H
#define ALLOT_CTL_REPLY_MEMBER_H

#include <jansson.h>

#include "common/base/text.h"

/* Returns a text, borrowed from the object. */
struct text reply_member_text(const json_t *object, const char *name);
int64_t reply_member_integer(const json_t *object, const char *name);

#endif
