/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/memory_budget.h"

#include <assert.h>

static void add(atomic_size_t *total, size_t bytes)
{
    atomic_fetch_add(total, bytes);
}

static void take(atomic_size_t *total, size_t bytes)
{
    size_t before = atomic_fetch_sub(total, bytes);
    assert(before >= bytes);
    (void)before;
}

void memory_budget_add(struct memory_budget *budget, size_t bytes)
{
    add(&budget->used, bytes);
}

void memory_budget_remove(struct memory_budget *budget, size_t bytes)
{
    take(&budget->used, bytes);
}

bool memory_budget_reserve(struct memory_budget *budget, size_t bytes)
{
    size_t reserved = atomic_load(&budget->reserved);
    do {
        if (budget->max > 0 && reserved > 0 && reserved + bytes > budget->max / 2)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->reserved, &reserved, reserved + bytes));
    return true;
}

void memory_budget_release(struct memory_budget *budget, size_t bytes)
{
    take(&budget->reserved, bytes);
}

bool memory_budget_is_full(const struct memory_budget *budget)
{
    return budget->max > 0 && atomic_load(&budget->used) >= budget->max / 2;
}

bool memory_budget_is_nearly_full(const struct memory_budget *budget)
{
    return budget->max > 0 && atomic_load(&budget->used) > budget->max / 8 * 3;
}

bool memory_budget_has_room(const struct memory_budget *budget)
{
    return budget->max == 0 || atomic_load(&budget->used) < budget->max / 4;
}
