/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inventories and allocations: inventory.set, allocation.* and reshape are one thing here, a set of
 * whole inventories and of whole claims that take effect together. Nothing is changed before every
 * rule has been asked.
 */
#include "common/core/judge.h"

#include "allot/limits.h"
#include "common/core/change.h"
#include "common/core/inventory.h"

/* A change while its rules are asked. */
struct weighing {
    struct judge *judge;
    struct change change;
};

static struct arena *arena_of(const struct weighing *weighing)
{
    return weighing->judge->snapshot->arena;
}

/* --- the rules, in the contract's order; each says whether it refused --------------------- */

static bool refuse_limit(struct weighing *weighing, const char *what, int64_t limit, int64_t given)
{
    if (given <= limit)
        return false;
    verdict_refuse(weighing->judge->verdict, arena_of(weighing), VERDICT_LIMIT_EXCEEDED,
                   "%lld %s, of %lld at most", (long long)given, what, (long long)limit);
    verdict_add_integer(weighing->judge->verdict, "limit", limit);
    verdict_add_integer(weighing->judge->verdict, "given", given);
    return true;
}

/* The distinct providers of a claim and of what its consumer holds now. */
static int64_t count_pairs(const struct weighing *weighing, const struct claim *claim)
{
    const struct consumer *stored = change_stored(&weighing->change, claim);
    int64_t pairs = (int64_t)claim->provider_count;
    size_t named = 0;
    for (size_t i = 0; i < change_held(stored); i++) {
        struct uuid id = stored->holdings[i].provider;
        if (i > 0 && uuid_equal(id, stored->holdings[i - 1].provider))
            continue;
        while (named < claim->provider_count &&
               uuid_compare(claim->providers[named].provider, id) < 0)
            named++;
        pairs +=
            named == claim->provider_count || !uuid_equal(claim->providers[named].provider, id);
    }
    return pairs;
}

static bool refuse_limits(struct weighing *weighing)
{
    int64_t pairs = 0;
    for (size_t i = 0; i < weighing->change.params->claim_count; i++) {
        const struct claim *claim = &weighing->change.params->claims[i];
        if (refuse_limit(weighing, "providers of one consumer", CONSUMER_PROVIDERS_MAX,
                         (int64_t)claim->provider_count))
            return true;
        pairs += count_pairs(weighing, claim);
    }
    return refuse_limit(weighing, "pairs of consumer and provider", PAIRS_MAX, pairs);
}

static void refuse_generation(struct weighing *weighing, enum verdict_code code, const char *what,
                              struct uuid id)
{
    verdict_refuse(weighing->judge->verdict, arena_of(weighing), code,
                   "%s %s is not at the generation given", what, uuid_format(id).chars);
    verdict_add_uuid(weighing->judge->verdict, what, id);
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

static bool refuse_consumer_generations(struct weighing *weighing)
{
    struct verdict *verdict = weighing->judge->verdict;
    for (size_t i = 0; i < weighing->change.params->claim_count; i++) {
        const struct claim *claim = &weighing->change.params->claims[i];
        const struct consumer *stored = change_stored(&weighing->change, claim);
        if (generation_matches(claim, stored))
            continue;
        refuse_generation(weighing, VERDICT_CONSUMER_GENERATION_CONFLICT, "consumer",
                          claim->consumer);
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

static bool refuse_unknown_consumers(struct weighing *weighing)
{
    for (size_t i = 0; i < weighing->change.params->claim_count; i++) {
        const struct claim *claim = &weighing->change.params->claims[i];
        if (!claim->is_delete || change_stored(&weighing->change, claim)->state.exists)
            continue;
        verdict_refuse(weighing->judge->verdict, arena_of(weighing), VERDICT_CONSUMER_NOT_FOUND,
                       "there is no consumer %s", uuid_format(claim->consumer).chars);
        verdict_add_uuid(weighing->judge->verdict, "consumer", claim->consumer);
        return true;
    }
    return false;
}

/* Involved providers are sorted; those of old allocations exist, so what is missing was named. */
static bool refuse_unknown_providers(struct weighing *weighing)
{
    struct uuid *missing =
        ARENA_ARRAY(arena_of(weighing), struct uuid, weighing->change.involved_count);
    size_t count = 0;
    for (size_t i = 0; i < weighing->change.involved_count; i++) {
        if (!weighing->change.involved[i].provider->state.exists)
            missing[count++] = weighing->change.involved[i].id;
    }
    if (count == 0)
        return false;
    refuse_providers_missing(weighing->judge, missing, count);
    return true;
}

static bool refuse_provider_generation(struct weighing *weighing, struct uuid id, int64_t given)
{
    int64_t stored = change_involved(&weighing->change, id)->provider->generation;
    if (given == stored)
        return false;
    refuse_generation(weighing, VERDICT_PROVIDER_GENERATION_CONFLICT, "provider", id);
    verdict_add_integer(weighing->judge->verdict, "given", given);
    verdict_add_integer(weighing->judge->verdict, "stored", stored);
    return true;
}

static bool refuse_provider_generations(struct weighing *weighing)
{
    for (size_t i = 0; i < weighing->change.params->inventory_count; i++) {
        const struct inventory_change *one = &weighing->change.params->inventories[i];
        if (refuse_provider_generation(weighing, one->provider, one->generation))
            return true;
    }
    for (size_t i = 0; i < weighing->change.params->claim_count; i++) {
        const struct claim *claim = &weighing->change.params->claims[i];
        for (size_t j = 0; j < claim->provider_count; j++) {
            const struct named_provider *named = &claim->providers[j];
            if (named->has_generation &&
                refuse_provider_generation(weighing, named->provider, named->generation))
                return true;
        }
    }
    return false;
}

/* Of this class on this provider: what consumers hold that the command does not concern. */
static int64_t used_by_others(const struct weighing *weighing, struct uuid provider,
                              const struct stock *stock)
{
    const struct line *line =
        change_line(&weighing->change, provider, stock->inventory.resource_class);
    return stock->used - (line != NULL ? line->before : 0);
}

static bool refuse_classes_in_use(struct weighing *weighing, const struct inventory_change *one)
{
    const struct provider *provider = change_involved(&weighing->change, one->provider)->provider;
    struct text *classes = ARENA_ARRAY(arena_of(weighing), struct text, provider->stock_count);
    size_t count = 0;
    for (size_t i = 0; i < provider->stock_count; i++) {
        const struct stock *stock = &provider->stocks[i];
        if (change_new_inventory(one, stock->inventory.resource_class) == NULL &&
            used_by_others(weighing, one->provider, stock) > 0)
            classes[count++] = stock->inventory.resource_class;
    }
    if (count == 0)
        return false;
    verdict_refuse(weighing->judge->verdict, arena_of(weighing), VERDICT_INVENTORY_IN_USE,
                   "%.*s of provider %s is in use", TEXT_ARGS(classes[0]),
                   uuid_format(one->provider).chars);
    verdict_add_uuid(weighing->judge->verdict, "provider", one->provider);
    verdict_add_texts(weighing->judge->verdict, "resource_classes", classes, count);
    return true;
}

static bool refuse_inventories_in_use(struct weighing *weighing)
{
    for (size_t i = 0; i < weighing->change.params->inventory_count; i++) {
        if (refuse_classes_in_use(weighing, &weighing->change.params->inventories[i]))
            return true;
    }
    return false;
}

static void refuse_holding(struct weighing *weighing, const struct holding *holding,
                           enum verdict_code code, const char *why)
{
    struct verdict *verdict = weighing->judge->verdict;
    verdict_refuse(verdict, arena_of(weighing), code, "%.*s of provider %s: %s",
                   TEXT_ARGS(holding->resource_class), uuid_format(holding->provider).chars, why);
    verdict_add_uuid(verdict, "provider", holding->provider);
    verdict_add_text(verdict, "resource_class", holding->resource_class);
}

/* A rule of one holding; says whether it refused. */
typedef bool (*holding_rule)(struct weighing *weighing, const struct holding *holding);

static bool refuse_any_holding(struct weighing *weighing, holding_rule rule)
{
    for (size_t i = 0; i < weighing->change.params->claim_count; i++) {
        const struct claim *claim = &weighing->change.params->claims[i];
        for (size_t j = 0; j < claim->holding_count; j++) {
            if (rule(weighing, &claim->holdings[j]))
                return true;
        }
    }
    return false;
}

static bool refuse_no_inventory(struct weighing *weighing, const struct holding *holding)
{
    if (change_end_inventory(&weighing->change, holding->provider, holding->resource_class) != NULL)
        return false;
    refuse_holding(weighing, holding, VERDICT_INVENTORY_NOT_FOUND, "there is no inventory of it");
    return true;
}

static bool refuse_unit(struct weighing *weighing, const struct holding *holding)
{
    int64_t value = 0;
    const char *unit = inventory_broken_unit(
        change_end_inventory(&weighing->change, holding->provider, holding->resource_class),
        holding->amount, &value);
    if (unit == NULL)
        return false;
    refuse_holding(weighing, holding, VERDICT_CONSTRAINT_VIOLATION, unit);
    verdict_add_integer(weighing->judge->verdict, "requested", holding->amount);
    verdict_add_integer(weighing->judge->verdict, unit, value);
    return true;
}

/* An over-committed provider may always be relieved: only a usage that rises is refused. */
static bool refuse_capacity(struct weighing *weighing, const struct holding *holding)
{
    const struct inventory *inventory =
        change_end_inventory(&weighing->change, holding->provider, holding->resource_class);
    const struct line *line =
        change_line(&weighing->change, holding->provider, holding->resource_class);
    const struct stock *stock = provider_stock(
        change_involved(&weighing->change, holding->provider)->provider, holding->resource_class);
    int64_t others = stock != NULL ? stock->used - line->before : 0;
    int64_t used = 0;
    bool overflow = __builtin_add_overflow(others, line->after, &used);
    if (line->after <= line->before || (!overflow && inventory_holds(inventory, used)))
        return false;
    refuse_holding(weighing, holding, VERDICT_CAPACITY_EXCEEDED, "not enough of it is left");
    verdict_add_integer(weighing->judge->verdict, "requested", holding->amount);
    verdict_add_integer(weighing->judge->verdict, "used", others);
    verdict_add_integer(weighing->judge->verdict, "capacity", inventory_capacity(inventory));
    return true;
}

/* --- the effect ---------------------------------------------------------------------------- */

static void set_inventory(struct weighing *weighing, const struct involved *involved)
{
    struct provider *provider = involved->provider;
    const struct inventory_change *one = involved->change;
    struct stock *stocks = ARENA_ARRAY(arena_of(weighing), struct stock, one->count);
    for (size_t i = 0; i < one->count; i++) {
        const struct stock *old = provider_stock(provider, one->inventories[i].resource_class);
        stocks[i] = (struct stock){
            .inventory = one->inventories[i],
            .used = old != NULL ? old->used : 0,
        };
    }
    provider->stocks = stocks;
    provider->stock_count = one->count;
    provider->stocks_dirty = true;
}

static void apply_providers(struct weighing *weighing)
{
    struct provider_generation *generations = ARENA_ARRAY(
        arena_of(weighing), struct provider_generation, weighing->change.involved_count);
    for (size_t i = 0; i < weighing->change.involved_count; i++) {
        const struct involved *involved = &weighing->change.involved[i];
        if (involved->change != NULL)
            set_inventory(weighing, involved);
        involved->provider->generation++;
        involved->provider->state.dirty = true;
        generations[i] = (struct provider_generation){involved->id, involved->provider->generation};
    }
    weighing->judge->verdict->result.providers = generations;
    weighing->judge->verdict->result.provider_count = weighing->change.involved_count;
}

static void apply_lines(struct weighing *weighing)
{
    for (size_t i = 0; i < weighing->change.line_count; i++) {
        const struct line *line = &weighing->change.lines[i];
        struct stock *stock = provider_stock(
            change_involved(&weighing->change, line->provider)->provider, line->resource_class);
        if (stock == NULL || line->after == line->before)
            continue; /* a class that went with all that was held of it, or nothing changed */
        stock->used += line->after - line->before;
        stock->dirty = true;
    }
}

static void apply_claim(struct consumer *consumer, const struct claim *claim)
{
    int64_t generation = consumer->state.exists ? consumer->generation + 1 : 1;
    struct slot_state state = consumer->state;
    state.exists = claim->holding_count > 0;
    state.dirty = true; /* also where there was and is none: the answer rests on its absence */
    *consumer = (struct consumer){
        .id = consumer->id,
        .state = state,
        .project_id = claim->project_id,
        .user_id = claim->user_id,
        .consumer_type = claim->consumer_type,
        .mappings = claim->mappings,
        .generation = state.exists ? generation : 0,
        .holdings = claim->holdings,
        .holding_count = claim->holding_count,
    };
}

static void apply_claims(struct weighing *weighing)
{
    size_t count = weighing->change.params->claim_count;
    struct consumer_generation *generations =
        ARENA_ARRAY(arena_of(weighing), struct consumer_generation, count);
    for (size_t i = 0; i < count; i++) {
        const struct claim *claim = &weighing->change.params->claims[i];
        struct consumer *consumer = snapshot_consumer(weighing->judge->snapshot, claim->consumer);
        apply_claim(consumer, claim);
        generations[i] = (struct consumer_generation){consumer->id, consumer->generation};
    }
    weighing->judge->verdict->result.consumers = generations;
    weighing->judge->verdict->result.consumer_count = count;
}

/* Later commands of the batch change the slot; the answer shows what it was here. */
static const struct provider *copy_of(struct arena *arena, const struct provider *provider)
{
    struct provider *copy = ARENA_NEW(arena, struct provider);
    *copy = *provider;
    return copy;
}

static void apply(struct weighing *weighing)
{
    apply_providers(weighing);
    apply_lines(weighing);
    apply_claims(weighing);
    if (weighing->judge->request->command.kind == COMMAND_INVENTORY_SET)
        weighing->judge->verdict->result.provider =
            copy_of(arena_of(weighing), weighing->change.involved[0].provider);
}

void judge_change(struct judge *judge)
{
    struct weighing weighing = {
        .judge = judge,
        .change = {.snapshot = judge->snapshot, .params = &judge->request->command.params.change}};
    if (refuse_limits(&weighing))
        return;
    if (refuse_consumer_generations(&weighing) || refuse_unknown_consumers(&weighing))
        return;
    change_gather(&weighing.change);
    if (refuse_unknown_providers(&weighing) || refuse_provider_generations(&weighing) ||
        refuse_inventories_in_use(&weighing))
        return;
    if (refuse_any_holding(&weighing, refuse_no_inventory) ||
        refuse_any_holding(&weighing, refuse_unit) ||
        refuse_any_holding(&weighing, refuse_capacity))
        return;
    apply(&weighing);
}
