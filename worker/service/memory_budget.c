/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/memory_budget.h"

#include <assert.h>

void memory_budget_add(struct memory_budget *budget, size_t bytes)
{
    atomic_fetch_add(&budget->used, bytes);
}

void memory_budget_remove(struct memory_budget *budget, size_t bytes)
{
    size_t before = atomic_fetch_sub(&budget->used, bytes);
    assert(before >= bytes);
    (void)before;
}

bool memory_budget_reserve(struct memory_budget *budget, size_t bytes)
{
    size_t used = atomic_fetch_add(&budget->used, bytes) + bytes;
    size_t batches = atomic_fetch_add(&budget->batches, 1);
    if (budget->max == 0 || used <= budget->max || batches == 0)
        return true;
    memory_budget_release(budget, bytes);
    return false;
}

void memory_budget_release(struct memory_budget *budget, size_t bytes)
{
    memory_budget_remove(budget, bytes);
    atomic_fetch_sub(&budget->batches, 1);
}

bool memory_budget_is_full(const struct memory_budget *budget)
{
    return budget->max > 0 && atomic_load(&budget->used) >= budget->max;
}

bool memory_budget_is_nearly_full(const struct memory_budget *budget)
{
    return budget->max > 0 && atomic_load(&budget->used) > budget->max / 4 * 3;
}

bool memory_budget_has_room(const struct memory_budget *budget)
{
    return budget->max == 0 || atomic_load(&budget->used) < budget->max / 2;
}
