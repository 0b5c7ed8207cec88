/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/change.h"

#include <assert.h>

#include "common/base/array.h"

const struct consumer *change_stored(const struct change *change, const struct claim *claim)
{
    return snapshot_consumer(change->snapshot, claim->consumer);
}

/* --- the usage deltas ----------------------------------------------------------------------- */

static int compare_deltas(const void *a, const void *b)
{
    const struct usage_delta *x = a, *y = b;
    int order = uuid_compare(x->provider, y->provider);
    return order != 0 ? order : text_compare(x->resource_class, y->resource_class);
}

/* Sorts the deltas and adds up those of one provider and class; returns how many are left. */
static size_t add_up(struct usage_delta *deltas, size_t count)
{
    if (count == 0)
        return 0;
    array_sort(deltas, count, sizeof *deltas, compare_deltas);
    size_t kept = 0;
    for (size_t i = 1; i < count; i++) {
        if (compare_deltas(&deltas[kept], &deltas[i]) == 0) {
            deltas[kept].before += deltas[i].before;
            deltas[kept].after += deltas[i].after;
        } else {
            deltas[++kept] = deltas[i];
        }
    }
    return kept + 1;
}

static void gather_deltas(struct change *change)
{
    const struct change_params *params = change->params;
    size_t capacity = 0;
    for (size_t i = 0; i < params->claim_count; i++)
        capacity += params->claims[i].allocation_count +
                    consumer_allocation_count(change_stored(change, &params->claims[i]));
    struct usage_delta *deltas = ARENA_ARRAY(change->snapshot->arena, struct usage_delta, capacity);
    size_t count = 0;
    for (size_t i = 0; i < params->claim_count; i++) {
        const struct claim *claim = &params->claims[i];
        const struct consumer *stored = change_stored(change, claim);
        for (size_t j = 0; j < consumer_allocation_count(stored); j++) {
            const struct allocation *old = &stored->allocations[j];
            deltas[count++] =
                (struct usage_delta){old->provider, old->resource_class, old->amount, 0};
        }
        for (size_t j = 0; j < claim->allocation_count; j++) {
            const struct allocation *new = &claim->allocations[j];
            deltas[count++] =
                (struct usage_delta){new->provider, new->resource_class, 0, new->amount};
        }
    }
    change->deltas = deltas;
    change->delta_count = add_up(deltas, count);
}

const struct usage_delta *change_delta(const struct change *change, struct uuid provider,
                                       struct text resource_class)
{
    struct usage_delta key = {provider, resource_class, 0, 0};
    return array_find(&key, change->deltas, change->delta_count, sizeof key, compare_deltas);
}

/* --- the touched providers ------------------------------------------------------------------ */

static int compare_touched(const void *a, const void *b)
{
    const struct touched_provider *x = a, *y = b;
    int order = uuid_compare(x->id, y->id);
    return order != 0 ? order : (x->change == NULL) - (y->change == NULL);
}

/* Lists the providers whose inventories are set, and those of old or new allocations, once each. */
static void gather_touched(struct change *change)
{
    const struct change_params *params = change->params;
    struct touched_provider *all = ARENA_ARRAY(change->snapshot->arena, struct touched_provider,
                                               params->inventory_count + change->delta_count);
    size_t count = 0;
    for (size_t i = 0; i < params->inventory_count; i++)
        all[count++] = (struct touched_provider){params->inventories[i].provider, NULL,
                                                 &params->inventories[i]};
    for (size_t i = 0; i < change->delta_count; i++) {
        if (i == 0 || !uuid_equal(change->deltas[i].provider, change->deltas[i - 1].provider))
            all[count++] = (struct touched_provider){change->deltas[i].provider, NULL, NULL};
    }
    array_sort(all, count, sizeof *all, compare_touched);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && uuid_equal(all[i].id, all[kept - 1].id))
            continue;
        all[kept] = all[i];
        all[kept].provider = snapshot_provider(change->snapshot, all[i].id);
        kept++;
    }
    change->touched = all;
    change->touched_count = kept;
}

static int compare_touched_id(const void *key, const void *touched)
{
    return uuid_compare(*(const struct uuid *)key, ((const struct touched_provider *)touched)->id);
}

const struct touched_provider *change_touched(const struct change *change, struct uuid provider)
{
    return array_find(&provider, change->touched, change->touched_count, sizeof *change->touched,
                      compare_touched_id);
}

void change_gather(struct change *change)
{
    gather_deltas(change);
    gather_touched(change);
}

/* --- the inventories after the command ------------------------------------------------------ */

static int compare_class(const void *key, const void *inventory)
{
    return text_compare(*(const struct text *)key,
                        ((const struct inventory *)inventory)->resource_class);
}

const struct inventory *change_new_inventory(const struct inventory_change *change,
                                             struct text resource_class)
{
    return array_find(&resource_class, change->inventories, change->count,
                      sizeof *change->inventories, compare_class);
}

const struct inventory *change_end_inventory(const struct change *change, struct uuid provider,
                                             struct text resource_class)
{
    const struct touched_provider *touched = change_touched(change, provider);
    assert(touched != NULL);
    if (touched->change != NULL)
        return change_new_inventory(touched->change, resource_class);
    const struct inventory_record *record = provider_record(touched->provider, resource_class);
    return record != NULL ? &record->inventory : NULL;
}
