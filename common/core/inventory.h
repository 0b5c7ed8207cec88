/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of one inventory. It is exact: ratios are integers in millionths, and products
 * have 128 bits, so nothing is rounded and nothing overflows.
 */
#ifndef ALLOT_CORE_INVENTORY_H
#define ALLOT_CORE_INVENTORY_H

#include "common/core/command.h"

/*
 * Returns the first of min_unit, max_unit and step_size that `amount` violates, by its name on the
 * wire (static), and its value in `ret_value`. Returns NULL if it violates none.
 */
const char *inventory_broken_unit(const struct inventory *inventory, int64_t amount,
                                  int64_t *ret_value);

/* Returns whether used <= (total - reserved) * ratio. */
bool inventory_fits(const struct inventory *inventory, int64_t used);

/* Returns (total - reserved) * ratio, rounded down. */
int64_t inventory_capacity(const struct inventory *inventory);

#endif
