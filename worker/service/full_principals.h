/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The principals whose part of letters.max_bytes is filled by letters that are not published. Their
 * next dead-lettered commands are not stored first: they are acknowledged after their dead letter
 * is confirmed. Their letters are stored afterwards, from the desk queue. Shared by the lanes of a
 * process: one of them measures, all ask. Any thread may call these functions.
 */
#ifndef ALLOT_SERVICE_FULL_PRINCIPALS_H
#define ALLOT_SERVICE_FULL_PRINCIPALS_H

#include "common/core/letter_bounds.h"

struct full_principals;

/* Creates an empty set; never NULL. Owned by the caller. */
struct full_principals *full_principals_new(void);
/* NULL is allowed. */
void full_principals_free(struct full_principals *set);

/* Replaces the set by those of the shares that are full. The names are copied. */
void full_principals_set(struct full_principals *set, const struct letter_share *shares,
                         size_t count, int64_t max_bytes);
/* Returns whether the principal is in the set; absent: the messages without one. */
bool full_principals_has(struct full_principals *set, struct text principal);

#endif
