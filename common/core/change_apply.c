/* SPDX-License-Identifier: Apache-2.0 */
/* The effect of a change of inventories and allocations, after all rules are checked. */
#include "common/core/change.h"

/* The new records keep the usage of the classes that stay. */
static void set_inventories(struct arena *arena, const struct touched_provider *touched)
{
    struct provider *provider = touched->provider;
    const struct inventory_change *change = touched->change;
    struct inventory_record *records = ARENA_ARRAY(arena, struct inventory_record, change->count);
    for (size_t i = 0; i < change->count; i++) {
        const struct inventory_record *old =
            provider_record(provider, change->inventories[i].resource_class);
        records[i] = (struct inventory_record){
            .inventory = change->inventories[i],
            .used = old != NULL ? old->used : 0,
        };
    }
    provider->records = records;
    provider->record_count = change->count;
    provider->records_dirty = true;
}

/* Writes every touched provider with a new generation, whether its usage changes or not. */
static void apply_providers(const struct change *change, struct result *result)
{
    struct arena *arena = change->snapshot->arena;
    struct provider_generation *generations =
        ARENA_ARRAY(arena, struct provider_generation, change->touched_count);
    for (size_t i = 0; i < change->touched_count; i++) {
        const struct touched_provider *touched = &change->touched[i];
        if (touched->change != NULL)
            set_inventories(arena, touched);
        touched->provider->generation++;
        touched->provider->state.dirty = true;
        generations[i] = (struct provider_generation){touched->id, touched->provider->generation};
    }
    result->providers = generations;
    result->provider_count = change->touched_count;
}

static void apply_deltas(const struct change *change)
{
    for (size_t i = 0; i < change->delta_count; i++) {
        const struct usage_delta *delta = &change->deltas[i];
        struct inventory_record *record = provider_record(
            change_touched(change, delta->provider)->provider, delta->resource_class);
        /* No record: the class was removed together with all its allocations. */
        if (record == NULL || delta->after == delta->before)
            continue;
        record->used += delta->after - delta->before;
        record->dirty = true;
    }
}

/* Makes the claim's effect. A consumer without allocations ceases to exist; if it is created again,
   its generation starts at 1. */
static void apply_claim(struct consumer *consumer, const struct claim *claim)
{
    int64_t generation = consumer->state.exists ? consumer->generation + 1 : 1;
    struct slot_state state = consumer->state;
    state.exists = claim->allocation_count > 0;
    /* Dirty also if the consumer did not exist and still does not: the success depends on that. */
    state.dirty = true;
    *consumer = (struct consumer){
        .id = consumer->id,
        .state = state,
        .project_id = claim->project_id,
        .user_id = claim->user_id,
        .consumer_type = claim->consumer_type,
        .mappings = claim->mappings,
        .generation = state.exists ? generation : 0,
        .allocations = claim->allocations,
        .allocation_count = claim->allocation_count,
    };
}

static void apply_claims(const struct change *change, struct result *result)
{
    size_t count = change->params->claim_count;
    struct consumer_generation *generations =
        ARENA_ARRAY(change->snapshot->arena, struct consumer_generation, count);
    for (size_t i = 0; i < count; i++) {
        const struct claim *claim = &change->params->claims[i];
        struct consumer *consumer = snapshot_consumer(change->snapshot, claim->consumer);
        apply_claim(consumer, claim);
        generations[i] = (struct consumer_generation){consumer->id, consumer->generation};
    }
    result->consumers = generations;
    result->consumer_count = count;
}

void change_apply(const struct change *change, struct result *result)
{
    apply_providers(change, result);
    apply_deltas(change);
    apply_claims(change, result);
}
