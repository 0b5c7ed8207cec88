/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The principals whose unpublished letters fill their part of letters.max_bytes. No more of their
 * letters are stored, until dead letters of them are published. Shared by the lanes of a process:
 * one of them measures, all ask. Any thread may call these functions.
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
