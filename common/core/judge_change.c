/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inventories and allocations: inventory.set, allocation.* and reshape are one thing here, a set of
 * whole inventories and of whole claims that take effect together. Nothing is changed before every
 * rule has been asked.
 */
#include "common/core/judge.h"

#include <assert.h>
#include <stdlib.h>

#include "allot/limits.h"
#include "common/core/inventory.h"

/* One class on one provider: what the command's consumers hold of it before and after. */
struct line {
    struct uuid provider;
    struct text resource_class;
    int64_t before;
    int64_t after;
};

/* A provider that is involved, and its new inventory, if the command sets it. */
struct involved {
    struct uuid id;
    struct provider *provider;
    const struct inventory_change *change;
};

struct change {
    struct judge *judge;
    const struct change_params *params;
    struct line *lines; /* by provider, then class */
    size_t line_count;
    struct involved *involved; /* by provider */
    size_t involved_count;
};

static struct arena *arena_of(const struct change *change)
{
    return change->judge->snapshot->arena;
}

static const struct consumer *stored_consumer(const struct change *change,
                                              const struct claim *claim)
{
    return snapshot_consumer(change->judge->snapshot, claim->consumer);
}

/* An ended consumer holds nothing, whatever its slot still says. */
static size_t held(const struct consumer *consumer)
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
        room += claim->holding_count + held(stored_consumer(change, claim));
    }
    struct line *lines = ARENA_ARRAY(arena_of(change), struct line, room);
    size_t count = 0;
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        const struct consumer *stored = stored_consumer(change, claim);
        for (size_t j = 0; j < held(stored); j++) {
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
    struct involved *all = ARENA_ARRAY(arena_of(change), struct involved,
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
        all[kept].provider = snapshot_provider(change->judge->snapshot, all[i].id);
        kept++;
    }
    change->involved = all;
    change->involved_count = kept;
}

static const struct line *find_line(const struct change *change, struct uuid provider,
                                    struct text resource_class)
{
    struct line wanted = {provider, resource_class, 0, 0};
    if (change->line_count == 0)
        return NULL;
    return bsearch(&wanted, change->lines, change->line_count, sizeof wanted, compare_lines);
}

static const struct involved *find_involved(const struct change *change, struct uuid provider)
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

static const struct inventory *find_inventory(const struct inventory_change *change,
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
static const struct inventory *end_inventory(const struct change *change, struct uuid provider,
                                             struct text resource_class)
{
    const struct involved *involved = find_involved(change, provider);
    assert(involved != NULL);
    if (involved->change != NULL)
        return find_inventory(involved->change, resource_class);
    const struct stock *stock = provider_stock(involved->provider, resource_class);
    return stock != NULL ? &stock->inventory : NULL;
}

/* --- the rules, in the contract's order; each says whether it refused --------------------- */

static bool refuse_limit(struct change *change, const char *what, int64_t limit, int64_t given)
{
    if (given <= limit)
        return false;
    verdict_refuse(change->judge->verdict, arena_of(change), VERDICT_LIMIT_EXCEEDED,
                   "%lld %s, of %lld at most", (long long)given, what, (long long)limit);
    verdict_add_integer(change->judge->verdict, "limit", limit);
    verdict_add_integer(change->judge->verdict, "given", given);
    return true;
}

/* The distinct providers of a claim and of what its consumer holds now. */
static int64_t count_pairs(const struct change *change, const struct claim *claim)
{
    const struct consumer *stored = stored_consumer(change, claim);
    int64_t pairs = (int64_t)claim->provider_count;
    size_t named = 0;
    for (size_t i = 0; i < held(stored); i++) {
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

static bool refuse_limits(struct change *change)
{
    int64_t pairs = 0;
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        if (refuse_limit(change, "providers of one consumer", CONSUMER_PROVIDERS_MAX,
                         (int64_t)claim->provider_count))
            return true;
        pairs += count_pairs(change, claim);
    }
    return refuse_limit(change, "pairs of consumer and provider", PAIRS_MAX, pairs);
}

static void refuse_generation(struct change *change, enum verdict_code code, const char *what,
                              struct uuid id)
{
    verdict_refuse(change->judge->verdict, arena_of(change), code,
                   "%s %s is not at the generation given", what, uuid_format(id).chars);
    verdict_add_uuid(change->judge->verdict, what, id);
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

static bool refuse_consumer_generations(struct change *change)
{
    struct verdict *verdict = change->judge->verdict;
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        const struct consumer *stored = stored_consumer(change, claim);
        if (generation_matches(claim, stored))
            continue;
        refuse_generation(change, VERDICT_CONSUMER_GENERATION_CONFLICT, "consumer",
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

static bool refuse_unknown_consumers(struct change *change)
{
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        if (!claim->is_delete || stored_consumer(change, claim)->state.exists)
            continue;
        verdict_refuse(change->judge->verdict, arena_of(change), VERDICT_CONSUMER_NOT_FOUND,
                       "there is no consumer %s", uuid_format(claim->consumer).chars);
        verdict_add_uuid(change->judge->verdict, "consumer", claim->consumer);
        return true;
    }
    return false;
}

/* Involved providers are sorted; those of old allocations exist, so what is missing was named. */
static bool refuse_unknown_providers(struct change *change)
{
    struct uuid *missing = ARENA_ARRAY(arena_of(change), struct uuid, change->involved_count);
    size_t count = 0;
    for (size_t i = 0; i < change->involved_count; i++) {
        if (!change->involved[i].provider->state.exists)
            missing[count++] = change->involved[i].id;
    }
    if (count == 0)
        return false;
    refuse_providers_missing(change->judge, missing, count);
    return true;
}

static bool refuse_provider_generation(struct change *change, struct uuid id, int64_t given)
{
    int64_t stored = find_involved(change, id)->provider->generation;
    if (given == stored)
        return false;
    refuse_generation(change, VERDICT_PROVIDER_GENERATION_CONFLICT, "provider", id);
    verdict_add_integer(change->judge->verdict, "given", given);
    verdict_add_integer(change->judge->verdict, "stored", stored);
    return true;
}

static bool refuse_provider_generations(struct change *change)
{
    for (size_t i = 0; i < change->params->inventory_count; i++) {
        const struct inventory_change *one = &change->params->inventories[i];
        if (refuse_provider_generation(change, one->provider, one->generation))
            return true;
    }
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        for (size_t j = 0; j < claim->provider_count; j++) {
            const struct named_provider *named = &claim->providers[j];
            if (named->has_generation &&
                refuse_provider_generation(change, named->provider, named->generation))
                return true;
        }
    }
    return false;
}

/* Of this class on this provider: what consumers hold that the command does not concern. */
static int64_t used_by_others(const struct change *change, struct uuid provider,
                              const struct stock *stock)
{
    const struct line *line = find_line(change, provider, stock->inventory.resource_class);
    return stock->used - (line != NULL ? line->before : 0);
}

static bool refuse_classes_in_use(struct change *change, const struct inventory_change *one)
{
    const struct provider *provider = find_involved(change, one->provider)->provider;
    struct text *classes = ARENA_ARRAY(arena_of(change), struct text, provider->stock_count);
    size_t count = 0;
    for (size_t i = 0; i < provider->stock_count; i++) {
        const struct stock *stock = &provider->stocks[i];
        if (find_inventory(one, stock->inventory.resource_class) == NULL &&
            used_by_others(change, one->provider, stock) > 0)
            classes[count++] = stock->inventory.resource_class;
    }
    if (count == 0)
        return false;
    verdict_refuse(change->judge->verdict, arena_of(change), VERDICT_INVENTORY_IN_USE,
                   "%.*s of provider %s is in use", TEXT_ARGS(classes[0]),
                   uuid_format(one->provider).chars);
    verdict_add_uuid(change->judge->verdict, "provider", one->provider);
    verdict_add_texts(change->judge->verdict, "resource_classes", classes, count);
    return true;
}

static bool refuse_inventories_in_use(struct change *change)
{
    for (size_t i = 0; i < change->params->inventory_count; i++) {
        if (refuse_classes_in_use(change, &change->params->inventories[i]))
            return true;
    }
    return false;
}

static void refuse_holding(struct change *change, const struct holding *holding,
                           enum verdict_code code, const char *why)
{
    struct verdict *verdict = change->judge->verdict;
    verdict_refuse(verdict, arena_of(change), code, "%.*s of provider %s: %s",
                   TEXT_ARGS(holding->resource_class), uuid_format(holding->provider).chars, why);
    verdict_add_uuid(verdict, "provider", holding->provider);
    verdict_add_text(verdict, "resource_class", holding->resource_class);
}

/* A rule of one holding; says whether it refused. */
typedef bool (*holding_rule)(struct change *change, const struct holding *holding);

static bool refuse_any_holding(struct change *change, holding_rule rule)
{
    for (size_t i = 0; i < change->params->claim_count; i++) {
        const struct claim *claim = &change->params->claims[i];
        for (size_t j = 0; j < claim->holding_count; j++) {
            if (rule(change, &claim->holdings[j]))
                return true;
        }
    }
    return false;
}

static bool refuse_no_inventory(struct change *change, const struct holding *holding)
{
    if (end_inventory(change, holding->provider, holding->resource_class) != NULL)
        return false;
    refuse_holding(change, holding, VERDICT_INVENTORY_NOT_FOUND, "there is no inventory of it");
    return true;
}

static bool refuse_unit(struct change *change, const struct holding *holding)
{
    int64_t value = 0;
    const char *unit = inventory_broken_unit(
        end_inventory(change, holding->provider, holding->resource_class), holding->amount, &value);
    if (unit == NULL)
        return false;
    refuse_holding(change, holding, VERDICT_CONSTRAINT_VIOLATION, unit);
    verdict_add_integer(change->judge->verdict, "requested", holding->amount);
    verdict_add_integer(change->judge->verdict, unit, value);
    return true;
}

/* An over-committed provider may always be relieved: only a usage that rises is refused. */
static bool refuse_capacity(struct change *change, const struct holding *holding)
{
    const struct inventory *inventory =
        end_inventory(change, holding->provider, holding->resource_class);
    const struct line *line = find_line(change, holding->provider, holding->resource_class);
    const struct stock *stock =
        provider_stock(find_involved(change, holding->provider)->provider, holding->resource_class);
    int64_t others = stock != NULL ? stock->used - line->before : 0;
    int64_t used = 0;
    bool overflow = __builtin_add_overflow(others, line->after, &used);
    if (line->after <= line->before || (!overflow && inventory_holds(inventory, used)))
        return false;
    refuse_holding(change, holding, VERDICT_CAPACITY_EXCEEDED, "not enough of it is left");
    verdict_add_integer(change->judge->verdict, "requested", holding->amount);
    verdict_add_integer(change->judge->verdict, "used", others);
    verdict_add_integer(change->judge->verdict, "capacity", inventory_capacity(inventory));
    return true;
}

/* --- the effect ---------------------------------------------------------------------------- */

static void set_inventory(struct change *change, const struct involved *involved)
{
    struct provider *provider = involved->provider;
    const struct inventory_change *one = involved->change;
    struct stock *stocks = ARENA_ARRAY(arena_of(change), struct stock, one->count);
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

static void apply_providers(struct change *change)
{
    struct provider_generation *generations =
        ARENA_ARRAY(arena_of(change), struct provider_generation, change->involved_count);
    for (size_t i = 0; i < change->involved_count; i++) {
        const struct involved *involved = &change->involved[i];
        if (involved->change != NULL)
            set_inventory(change, involved);
        involved->provider->generation++;
        involved->provider->state.dirty = true;
        generations[i] = (struct provider_generation){involved->id, involved->provider->generation};
    }
    change->judge->verdict->result.providers = generations;
    change->judge->verdict->result.provider_count = change->involved_count;
}

static void apply_lines(struct change *change)
{
    for (size_t i = 0; i < change->line_count; i++) {
        const struct line *line = &change->lines[i];
        struct stock *stock =
            provider_stock(find_involved(change, line->provider)->provider, line->resource_class);
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

static void apply_claims(struct change *change)
{
    size_t count = change->params->claim_count;
    struct consumer_generation *generations =
        ARENA_ARRAY(arena_of(change), struct consumer_generation, count);
    for (size_t i = 0; i < count; i++) {
        const struct claim *claim = &change->params->claims[i];
        struct consumer *consumer = snapshot_consumer(change->judge->snapshot, claim->consumer);
        apply_claim(consumer, claim);
        generations[i] = (struct consumer_generation){consumer->id, consumer->generation};
    }
    change->judge->verdict->result.consumers = generations;
    change->judge->verdict->result.consumer_count = count;
}

static void apply(struct change *change)
{
    apply_providers(change);
    apply_lines(change);
    apply_claims(change);
    if (change->judge->request->command.kind == COMMAND_INVENTORY_SET)
        change->judge->verdict->result.provider = change->involved[0].provider;
}

void judge_change(struct judge *judge)
{
    struct change change = {.judge = judge, .params = &judge->request->command.params.change};
    if (refuse_limits(&change))
        return;
    if (refuse_consumer_generations(&change) || refuse_unknown_consumers(&change))
        return;
    gather_lines(&change);
    gather_involved(&change);
    if (refuse_unknown_providers(&change) || refuse_provider_generations(&change) ||
        refuse_inventories_in_use(&change))
        return;
    if (refuse_any_holding(&change, refuse_no_inventory) ||
        refuse_any_holding(&change, refuse_unit) || refuse_any_holding(&change, refuse_capacity))
        return;
    apply(&change);
}
