/* SPDX-License-Identifier: Apache-2.0 */
/* Expands the shorthand of the tables to JSON; tests/table/README.md explains it. */
#ifndef ALLOT_TEST_PLAN_EXPAND_H
#define ALLOT_TEST_PLAN_EXPAND_H

#include "common/base/text.h"

/* The arena owns the result. Fails the test if the shorthand is malformed. */
struct text plan_expand(struct arena *arena, const char *shorthand);

#endif
