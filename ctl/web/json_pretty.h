/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lays JSON out in lines for people. Only white space changes: names that occur twice, numbers of
 * any size and escapes stay as they were sent, which a parser would not keep. Pure.
 */
#ifndef ALLOT_CTL_WEB_JSON_PRETTY_H
#define ALLOT_CTL_WEB_JSON_PRETTY_H

#include "common/base/text.h"

/* Sets the text, in `arena`. Returns false if it is not JSON, or would become too long to be read:
   more than 4 times its length and 4 KiB. */
ALLOT_CHECK bool json_pretty(struct text json, struct arena *arena, struct text *ret_pretty);

#endif
