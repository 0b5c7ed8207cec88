/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/change.h"

#include <assert.h>
#include <stdlib.h>

const struct consumer *change_stored(const struct change *change, const struct claim *claim)
{
    return snapshot_consumer(change->snapshot, claim->consumer);
}

/* An ended consumer holds nothing, whatever its slot still says. */
size_t change_held(const struct consumer *consumer)
{
    return consumer->state.exists ? consumer->allocation_count : 0;
}

static int compare_lines(const void *a, const void *b)
{
    const struct usage_delta *x = a, *y = b;
    int order = uuid_compare(x->provider, y->provider);
    return order != 0 ? order : text_compare(x->resource_class, y->resource_class);
}

static size_t sum_up_lines(struct usage_delta *deltas, size_t count)
{
    if (count == 0)
        return 0;
    qsort(deltas, count, sizeof *deltas, compare_lines);
    size_t kept = 0;
    for (size_t i = 1; i < count; i++) {
        if (compare_lines(&deltas[kept], &deltas[i]) == 0) {
            deltas[kept].before += deltas[i].before;
            deltas[kept].after += deltas[i].after;
        } else {
            deltas[++kept] = deltas[i];
        }
    }
    return kept + 1;
}

static void gather_lines(struct change *change)
{
    size_t room = 0;
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        room += claim->allocation_count + change_held(change_stored(change, claim));
    }
    struct usage_delta *deltas = ARENA_ARRAY(change->snapshot->arena, struct usage_delta, room);
    size_t count = 0;
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        const struct consumer *stored = change_stored(change, claim);
        for (size_t j = 0; j < change_held(stored); j++) {
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
    change->delta_count = sum_up_lines(deltas, count);
}

static int compare_touched(const void *a, const void *b)
{
    const struct touched_provider *x = a, *y = b;
    int order = uuid_compare(x->id, y->id);
    return order != 0 ? order : (x->change == NULL) - (y->change == NULL);
}

/* Every provider whose inventory is set, or that stands in an old or new allocation; once. */
static void gather_touched(struct change *change)
{
    struct touched_provider *all =
        ARENA_ARRAY(change->snapshot->arena, struct touched_provider,
                    change->params->inventory_count + change->delta_count);
    size_t count = 0;
    for (size_t i = 0; i < change->params->inventory_count; i++) {
        const struct inventory_change *one = &change->params->inventories[i];
        all[count++] = (struct touched_provider){one->provider, NULL, one};
    }
    for (size_t i = 0; i < change->delta_count; i++) {
        if (i == 0 || !uuid_equal(change->deltas[i].provider, change->deltas[i - 1].provider))
            all[count++] = (struct touched_provider){change->deltas[i].provider, NULL, NULL};
    }
    if (count > 0)
        qsort(all, count, sizeof *all, compare_touched);
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

const struct usage_delta *change_delta(const struct change *change, struct uuid provider,
                                       struct text resource_class)
{
    struct usage_delta wanted = {provider, resource_class, 0, 0};
    if (change->delta_count == 0)
        return NULL;
    return bsearch(&wanted, change->deltas, change->delta_count, sizeof wanted, compare_lines);
}

const struct touched_provider *change_touched(const struct change *change, struct uuid provider)
{
    size_t low = 0, high = change->touched_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = uuid_compare(change->touched[middle].id, provider);
        if (order == 0)
            return &change->touched[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct inventory *change_new_inventory(const struct inventory_change *change,
                                             struct text resource_class)
{
    size_t low = 0, high = change->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = text_compare(change->inventories[middle].resource_class, resource_class);
        if (order == 0)
            return &change->inventories[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The record that holds when the command has taken effect; NULL: there is none. */
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

void change_gather(struct change *change)
{
    gather_lines(change);
    gather_touched(change);
}
