/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inventories and allocations: inventory.set, allocation.* and reshape are one thing here, a set of
 * whole inventories and of whole claims that take effect together. Nothing is changed before every
 * rule has been asked.
 */
#include "common/core/decision.h"

#include "allot/limits.h"
#include "common/core/change.h"
#include "common/core/inventory.h"

/* A change while its rules are asked. */
struct change_check {
    struct decision *decision;
    struct change change;
};

static struct arena *arena_of(const struct change_check *check)
{
    return check->decision->snapshot->arena;
}

/* --- the rules, in the contract's order; each says whether it refused --------------------- */

static bool refuse_limit(struct change_check *check, const char *what, int64_t limit, int64_t given)
{
    if (given <= limit)
        return false;
    verdict_refuse(check->decision->verdict, arena_of(check), VERDICT_LIMIT_EXCEEDED,
                   "%lld %s, of %lld at most", (long long)given, what, (long long)limit);
    verdict_add_integer(check->decision->verdict, "limit", limit);
    verdict_add_integer(check->decision->verdict, "given", given);
    return true;
}

/* The distinct providers of a claim and of what its consumer holds now. */
static int64_t count_pairs(const struct change_check *check, const struct claim *claim)
{
    const struct consumer *stored = change_stored(&check->change, claim);
    int64_t pairs = (int64_t)claim->provider_count;
    size_t named = 0;
    for (size_t i = 0; i < change_held(stored); i++) {
        struct uuid id = stored->allocations[i].provider;
        if (i > 0 && uuid_equal(id, stored->allocations[i - 1].provider))
            continue;
        while (named < claim->provider_count &&
               uuid_compare(claim->providers[named].provider, id) < 0)
            named++;
        pairs +=
            named == claim->provider_count || !uuid_equal(claim->providers[named].provider, id);
    }
    return pairs;
}

static bool refuse_limits(struct change_check *check)
{
    int64_t pairs = 0;
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        if (refuse_limit(check, "providers of one consumer", CONSUMER_PROVIDERS_MAX,
                         (int64_t)claim->provider_count))
            return true;
        pairs += count_pairs(check, claim);
    }
    return refuse_limit(check, "pairs of consumer and provider", PAIRS_MAX, pairs);
}

static void refuse_generation(struct change_check *check, enum verdict_code code, const char *what,
                              struct uuid id)
{
    verdict_refuse(check->decision->verdict, arena_of(check), code,
                   "%s %s is not at the generation given", what, uuid_format(id).chars);
    verdict_add_uuid(check->decision->verdict, what, id);
}

static bool generation_matches(const struct claim *claim, const struct consumer *stored)
{
    if (claim->is_delete)
        return !stored->state.exists || !claim->has_generation ||
               claim->generation == stored->generation;
    if (claim->has_generation != stored->state.exists)
        return false;
    return !claim->has_generation || claim->generation == stored->generation;
}

static bool refuse_consumer_generations(struct change_check *check)
{
    struct verdict *verdict = check->decision->verdict;
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        const struct consumer *stored = change_stored(&check->change, claim);
        if (generation_matches(claim, stored))
            continue;
        refuse_generation(check, VERDICT_CONSUMER_GENERATION_CONFLICT, "consumer", claim->consumer);
        if (claim->has_generation)
            verdict_add_integer(verdict, "given", claim->generation);
        else
            verdict_add_null(verdict, "given");
        if (stored->state.exists)
            verdict_add_integer(verdict, "stored", stored->generation);
        else
            verdict_add_null(verdict, "stored");
        return true;
    }
    return false;
}

static bool refuse_unknown_consumers(struct change_check *check)
{
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        if (!claim->is_delete || change_stored(&check->change, claim)->state.exists)
            continue;
        verdict_refuse(check->decision->verdict, arena_of(check), VERDICT_CONSUMER_NOT_FOUND,
                       "there is no consumer %s", uuid_format(claim->consumer).chars);
        verdict_add_uuid(check->decision->verdict, "consumer", claim->consumer);
        return true;
    }
    return false;
}

/* Involved providers are sorted; those of old allocations exist, so what is missing was named. */
static bool refuse_unknown_providers(struct change_check *check)
{
    struct uuid *missing = ARENA_ARRAY(arena_of(check), struct uuid, check->change.touched_count);
    size_t count = 0;
    for (size_t i = 0; i < check->change.touched_count; i++) {
        if (!check->change.touched[i].provider->state.exists)
            missing[count++] = check->change.touched[i].id;
    }
    if (count == 0)
        return false;
    refuse_providers_missing(check->decision, missing, count);
    return true;
}

static bool refuse_provider_generation(struct change_check *check, struct uuid id, int64_t given)
{
    int64_t stored = change_touched(&check->change, id)->provider->generation;
    if (given == stored)
        return false;
    refuse_generation(check, VERDICT_PROVIDER_GENERATION_CONFLICT, "provider", id);
    verdict_add_integer(check->decision->verdict, "given", given);
    verdict_add_integer(check->decision->verdict, "stored", stored);
    return true;
}

static bool refuse_provider_generations(struct change_check *check)
{
    for (size_t i = 0; i < check->change.params->inventory_count; i++) {
        const struct inventory_change *one = &check->change.params->inventories[i];
        if (refuse_provider_generation(check, one->provider, one->generation))
            return true;
    }
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        for (size_t j = 0; j < claim->provider_count; j++) {
            const struct named_provider *named = &claim->providers[j];
            if (named->has_generation &&
                refuse_provider_generation(check, named->provider, named->generation))
                return true;
        }
    }
    return false;
}

/* Of this class on this provider: what consumers hold that the command does not concern. */
static int64_t used_by_others(const struct change_check *check, struct uuid provider,
                              const struct inventory_record *record)
{
    const struct usage_delta *delta =
        change_delta(&check->change, provider, record->inventory.resource_class);
    return record->used - (delta != NULL ? delta->before : 0);
}

static bool refuse_classes_in_use(struct change_check *check, const struct inventory_change *one)
{
    const struct provider *provider = change_touched(&check->change, one->provider)->provider;
    struct text *classes = ARENA_ARRAY(arena_of(check), struct text, provider->record_count);
    size_t count = 0;
    for (size_t i = 0; i < provider->record_count; i++) {
        const struct inventory_record *record = &provider->records[i];
        if (change_new_inventory(one, record->inventory.resource_class) == NULL &&
            used_by_others(check, one->provider, record) > 0)
            classes[count++] = record->inventory.resource_class;
    }
    if (count == 0)
        return false;
    verdict_refuse(check->decision->verdict, arena_of(check), VERDICT_INVENTORY_IN_USE,
                   "%.*s of provider %s is in use", TEXT_ARGS(classes[0]),
                   uuid_format(one->provider).chars);
    verdict_add_uuid(check->decision->verdict, "provider", one->provider);
    verdict_add_texts(check->decision->verdict, "resource_classes", classes, count);
    return true;
}

static bool refuse_inventories_in_use(struct change_check *check)
{
    for (size_t i = 0; i < check->change.params->inventory_count; i++) {
        if (refuse_classes_in_use(check, &check->change.params->inventories[i]))
            return true;
    }
    return false;
}

static void refuse_holding(struct change_check *check, const struct allocation *allocation,
                           enum verdict_code code, const char *why)
{
    struct verdict *verdict = check->decision->verdict;
    verdict_refuse(verdict, arena_of(check), code, "%.*s of provider %s: %s",
                   TEXT_ARGS(allocation->resource_class), uuid_format(allocation->provider).chars,
                   why);
    verdict_add_uuid(verdict, "provider", allocation->provider);
    verdict_add_text(verdict, "resource_class", allocation->resource_class);
}

/* A rule of one allocation; says whether it refused. */
typedef bool (*holding_rule)(struct change_check *check, const struct allocation *allocation);

static bool refuse_any_holding(struct change_check *check, holding_rule rule)
{
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        for (size_t j = 0; j < claim->allocation_count; j++) {
            if (rule(check, &claim->allocations[j]))
                return true;
        }
    }
    return false;
}

static bool refuse_no_inventory(struct change_check *check, const struct allocation *allocation)
{
    if (change_end_inventory(&check->change, allocation->provider, allocation->resource_class) !=
        NULL)
        return false;
    refuse_holding(check, allocation, VERDICT_INVENTORY_NOT_FOUND, "there is no inventory of it");
    return true;
}

static bool refuse_unit(struct change_check *check, const struct allocation *allocation)
{
    int64_t value = 0;
    const char *unit = inventory_broken_unit(
        change_end_inventory(&check->change, allocation->provider, allocation->resource_class),
        allocation->amount, &value);
    if (unit == NULL)
        return false;
    refuse_holding(check, allocation, VERDICT_CONSTRAINT_VIOLATION, unit);
    verdict_add_integer(check->decision->verdict, "requested", allocation->amount);
    verdict_add_integer(check->decision->verdict, unit, value);
    return true;
}

/* An over-committed provider may always be relieved: only a usage that rises is refused. */
static bool refuse_capacity(struct change_check *check, const struct allocation *allocation)
{
    const struct inventory *inventory =
        change_end_inventory(&check->change, allocation->provider, allocation->resource_class);
    const struct usage_delta *delta =
        change_delta(&check->change, allocation->provider, allocation->resource_class);
    const struct inventory_record *record = provider_record(
        change_touched(&check->change, allocation->provider)->provider, allocation->resource_class);
    int64_t others = record != NULL ? record->used - delta->before : 0;
    int64_t used = 0;
    bool overflow = __builtin_add_overflow(others, delta->after, &used);
    if (delta->after <= delta->before || (!overflow && inventory_holds(inventory, used)))
        return false;
    refuse_holding(check, allocation, VERDICT_CAPACITY_EXCEEDED, "not enough of it is left");
    verdict_add_integer(check->decision->verdict, "requested", allocation->amount);
    verdict_add_integer(check->decision->verdict, "used", others);
    verdict_add_integer(check->decision->verdict, "capacity", inventory_capacity(inventory));
    return true;
}

/* --- the effect ---------------------------------------------------------------------------- */

static void set_inventory(struct change_check *check, const struct touched_provider *touched)
{
    struct provider *provider = touched->provider;
    const struct inventory_change *one = touched->change;
    struct inventory_record *records =
        ARENA_ARRAY(arena_of(check), struct inventory_record, one->count);
    for (size_t i = 0; i < one->count; i++) {
        const struct inventory_record *old =
            provider_record(provider, one->inventories[i].resource_class);
        records[i] = (struct inventory_record){
            .inventory = one->inventories[i],
            .used = old != NULL ? old->used : 0,
        };
    }
    provider->records = records;
    provider->record_count = one->count;
    provider->records_dirty = true;
}

static void apply_providers(struct change_check *check)
{
    struct provider_generation *generations =
        ARENA_ARRAY(arena_of(check), struct provider_generation, check->change.touched_count);
    for (size_t i = 0; i < check->change.touched_count; i++) {
        const struct touched_provider *touched = &check->change.touched[i];
        if (touched->change != NULL)
            set_inventory(check, touched);
        touched->provider->generation++;
        touched->provider->state.dirty = true;
        generations[i] = (struct provider_generation){touched->id, touched->provider->generation};
    }
    check->decision->verdict->result.providers = generations;
    check->decision->verdict->result.provider_count = check->change.touched_count;
}

static void apply_lines(struct change_check *check)
{
    for (size_t i = 0; i < check->change.delta_count; i++) {
        const struct usage_delta *delta = &check->change.deltas[i];
        struct inventory_record *record = provider_record(
            change_touched(&check->change, delta->provider)->provider, delta->resource_class);
        if (record == NULL || delta->after == delta->before)
            continue; /* a class that went with all that was held of it, or nothing changed */
        record->used += delta->after - delta->before;
        record->dirty = true;
    }
}

static void apply_claim(struct consumer *consumer, const struct claim *claim)
{
    int64_t generation = consumer->state.exists ? consumer->generation + 1 : 1;
    struct slot_state state = consumer->state;
    state.exists = claim->allocation_count > 0;
    state.dirty = true; /* also where there was and is none: the answer rests on its absence */
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

static void apply_claims(struct change_check *check)
{
    size_t count = check->change.params->claim_count;
    struct consumer_generation *generations =
        ARENA_ARRAY(arena_of(check), struct consumer_generation, count);
    for (size_t i = 0; i < count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        struct consumer *consumer = snapshot_consumer(check->decision->snapshot, claim->consumer);
        apply_claim(consumer, claim);
        generations[i] = (struct consumer_generation){consumer->id, consumer->generation};
    }
    check->decision->verdict->result.consumers = generations;
    check->decision->verdict->result.consumer_count = count;
}

/* Later commands of the batch change the slot; the answer shows what it was here. */
static const struct provider *copy_of(struct arena *arena, const struct provider *provider)
{
    struct provider *copy = ARENA_NEW(arena, struct provider);
    *copy = *provider;
    return copy;
}

static void apply(struct change_check *check)
{
    apply_providers(check);
    apply_lines(check);
    apply_claims(check);
    if (check->decision->request->command.kind == COMMAND_INVENTORY_SET)
        check->decision->verdict->result.provider =
            copy_of(arena_of(check), check->change.touched[0].provider);
}

void decide_change(struct decision *decision)
{
    struct change_check check = {.decision = decision,
                                 .change = {.snapshot = decision->snapshot,
                                            .params = &decision->request->command.params.change}};
    if (refuse_limits(&check))
        return;
    if (refuse_consumer_generations(&check) || refuse_unknown_consumers(&check))
        return;
    change_gather(&check.change);
    if (refuse_unknown_providers(&check) || refuse_provider_generations(&check) ||
        refuse_inventories_in_use(&check))
        return;
    if (refuse_any_holding(&check, refuse_no_inventory) ||
        refuse_any_holding(&check, refuse_unit) || refuse_any_holding(&check, refuse_capacity))
        return;
    apply(&check);
}
