/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks a stored letter for what its validator in the database cannot express: whether its fields
 * fit each other. Pure. Source: docs/architecture.md, "Letters".
 */
#ifndef ALLOT_CODEC_LETTER_CHECK_H
#define ALLOT_CODEC_LETTER_CHECK_H

#include "allot/letter.h"
#include "common/base/error.h"

enum { LETTER_OVERDUE_MS = 3600 * 1000 };

/* Returns whether the letter is consistent. If not, `error` says what does not fit; only the first
   fault is looked for. */
ALLOT_CHECK bool letter_check(const struct letter_record *record, struct error *error);

/* Returns whether the letter waits longer than LETTER_OVERDUE_MS to be published. */
bool letter_is_overdue(const struct letter_record *record, int64_t now_ms);

#endif
