/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of one inventory record: exact, without overflow and without floating point.
 * Ratios are millionths, products 128 bits wide.
 */
#ifndef ALLOT_CORE_INVENTORY_H
#define ALLOT_CORE_INVENTORY_H

#include "common/core/command.h"

/* The unit rule that `amount` breaks, the first of min_unit, max_unit, step_size: its name on the
   wire (static), and its value; NULL where it breaks none. */
const char *inventory_broken_unit(const struct inventory *inventory, int64_t amount,
                                  int64_t *ret_value);

/* used <= (total - reserved) * ratio? */
bool inventory_holds(const struct inventory *inventory, int64_t used);

/* (total - reserved) * ratio, rounded down. */
int64_t inventory_capacity(const struct inventory *inventory);

#endif
