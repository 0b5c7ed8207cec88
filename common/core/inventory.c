/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/inventory.h"

#include "allot/limits.h"

const char *inventory_broken_unit(const struct inventory *inventory, int64_t amount,
                                  int64_t *ret_value)
{
    if (amount < inventory->min_unit) {
        *ret_value = inventory->min_unit;
        return "min_unit";
    }
    if (amount > inventory->max_unit) {
        *ret_value = inventory->max_unit;
        return "max_unit";
    }
    if (amount % inventory->step_size != 0) {
        *ret_value = inventory->step_size;
        return "step_size";
    }
    return NULL;
}

static __int128 capacity_millionths(const struct inventory *inventory)
{
    return (__int128)(inventory->total - inventory->reserved) * inventory->ratio;
}

bool inventory_fits(const struct inventory *inventory, int64_t used)
{
    return (__int128)used * RATIO_ONE <= capacity_millionths(inventory);
}

int64_t inventory_capacity(const struct inventory *inventory)
{
    return (int64_t)(capacity_millionths(inventory) / RATIO_ONE);
}
