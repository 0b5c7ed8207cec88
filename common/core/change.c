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
    return consumer->state.exists ? consumer->holding_count : 0;
}

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = uuid_compare(x->provider, y->provider);
    return order != 0 ? order : text_compare(x->resource_class, y->resource_class);
}

static size_t sum_up_lines(struct line *lines, size_t count)
{
    if (count == 0)
        return 0;
    qsort(lines, count, sizeof *lines, compare_lines);
    size_t kept = 0;
    for (size_t i = 1; i < count; i++) {
        if (compare_lines(&lines[kept], &lines[i]) == 0) {
            lines[kept].before += lines[i].before;
            lines[kept].after += lines[i].after;
        } else {
            lines[++kept] = lines[i];
        }
    }
    return kept + 1;
}

static void gather_lines(struct change *change)
{
    size_t room = 0;
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        room += claim->holding_count + change_held(change_stored(change, claim));
    }
    struct line *lines = ARENA_ARRAY(change->snapshot->arena, struct line, room);
    size_t count = 0;
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        const struct consumer *stored = change_stored(change, claim);
        for (size_t j = 0; j < change_held(stored); j++) {
            const struct holding *old = &stored->holdings[j];
            lines[count++] = (struct line){old->provider, old->resource_class, old->amount, 0};
        }
        for (size_t j = 0; j < claim->holding_count; j++) {
            const struct holding *new = &claim->holdings[j];
            lines[count++] = (struct line){new->provider, new->resource_class, 0, new->amount};
        }
    }
    change->lines = lines;
    change->line_count = sum_up_lines(lines, count);
}

static int compare_involved(const void *a, const void *b)
{
    const struct involved *x = a, *y = b;
    int order = uuid_compare(x->id, y->id);
    return order != 0 ? order : (x->change == NULL) - (y->change == NULL);
}

/* Every provider whose inventory is set, or that stands in an old or new allocation; once. */
static void gather_involved(struct change *change)
{
    struct involved *all = ARENA_ARRAY(change->snapshot->arena, struct involved,
                                       change->params->inventory_count + change->line_count);
    size_t count = 0;
    for (size_t i = 0; i < change->params->inventory_count; i++) {
        const struct inventory_change *one = &change->params->inventories[i];
        all[count++] = (struct involved){one->provider, NULL, one};
    }
    for (size_t i = 0; i < change->line_count; i++) {
        if (i == 0 || !uuid_equal(change->lines[i].provider, change->lines[i - 1].provider))
            all[count++] = (struct involved){change->lines[i].provider, NULL, NULL};
    }
    if (count > 0)
        qsort(all, count, sizeof *all, compare_involved);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && uuid_equal(all[i].id, all[kept - 1].id))
            continue;
        all[kept] = all[i];
        all[kept].provider = snapshot_provider(change->snapshot, all[i].id);
        kept++;
    }
    change->involved = all;
    change->involved_count = kept;
}

const struct line *change_line(const struct change *change, struct uuid provider,
                               struct text resource_class)
{
    struct line wanted = {provider, resource_class, 0, 0};
    if (change->line_count == 0)
        return NULL;
    return bsearch(&wanted, change->lines, change->line_count, sizeof wanted, compare_lines);
}

const struct involved *change_involved(const struct change *change, struct uuid provider)
{
    size_t low = 0, high = change->involved_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = uuid_compare(change->involved[middle].id, provider);
        if (order == 0)
            return &change->involved[middle];
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
    const struct involved *involved = change_involved(change, provider);
    assert(involved != NULL);
    if (involved->change != NULL)
        return change_new_inventory(involved->change, resource_class);
    const struct stock *stock = provider_stock(involved->provider, resource_class);
    return stock != NULL ? &stock->inventory : NULL;
}

void change_gather(struct change *change)
{
    gather_lines(change);
    gather_involved(change);
}
