/* SPDX-License-Identifier: Apache-2.0 */
/* The shorthand of the tables, expanded to JSON; see tests/table/README.md. */
#ifndef ALLOT_TEST_PLAN_EXPAND_H
#define ALLOT_TEST_PLAN_EXPAND_H

#include "common/base/text.h"

struct text plan_expand(struct arena *arena, const char *shorthand);

#endif
