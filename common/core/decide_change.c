/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands that change inventories and allocations: inventory.set, allocation.set, .batch,
 * .delete and reshape. For the planner they are one command: a set of whole inventories and a set
 * of claims, which take effect together or not at all.
 *
 * Structure: the policy's questions; the read set; the rules, in the order of the contract (see
 * decide_change at the end). change.c gathers what the command touches, change_apply.c makes the
 * effect. inventory.c has the arithmetic of one inventory.
 *
 * Guarantees:
 * - The rules see the state after the whole command: consumers of one batch can swap their
 *   allocations on two full providers.
 * - Every touched provider and every consumer of the command is written, even if only its revision
 *   changes. Of two transactions that write one document, the database lets only one commit.
 * - Only this file's commands create and delete consumers.
 */
#include "common/core/command_table.h"

#include "allot/limits.h"
#include "common/core/change.h"
#include "common/core/inventory.h"

/* A change while its rules are checked. */
struct change_check {
    struct decision *decision;
    struct change change;
};

static struct arena *arena_of(const struct change_check *check)
{
    return check->decision->snapshot->arena;
}

/* --- the policy's questions ----------------------------------------------------------------- */

/*
 * Asks for the claim's project, and for the project that the stored consumer belongs to. If the
 * latter is not allowed, the principal learns the consumer's UUID only, which it knew.
 */
static bool ask_projects(struct decision *decision, struct policy_question *question,
                         const struct claim *claim)
{
    if (!claim->is_delete && !policy_ask_project(question, claim->project_id))
        return forbid_text(decision, "project_id", claim->project_id);
    const struct consumer *stored = snapshot_consumer(decision->snapshot, claim->consumer);
    if (stored->state.exists && !policy_ask_project(question, stored->project_id))
        return forbid_uuid(decision, "consumer", claim->consumer);
    return true;
}

/* Asks for the providers of the new allocations, and for those of the old ones. */
static bool ask_providers(struct decision *decision, struct policy_question *question,
                          const struct claim *claim)
{
    for (size_t i = 0; i < claim->provider_count; i++) {
        if (!ask_provider(decision, question, claim->providers[i].provider))
            return false;
    }
    const struct consumer *stored = snapshot_consumer(decision->snapshot, claim->consumer);
    for (size_t i = 0; i < consumer_allocation_count(stored); i++) {
        if (!policy_ask_provider(question, stored->allocations[i].provider))
            return forbid_uuid(decision, "consumer", claim->consumer);
    }
    return true;
}

static bool ask_change(struct decision *decision, struct policy_question *question)
{
    const struct change_params *change = &decision->request->command.params.change;
    for (size_t i = 0; i < change->claim_count; i++) {
        if (!ask_projects(decision, question, &change->claims[i]))
            return false;
    }
    for (size_t i = 0; i < change->inventory_count; i++) {
        if (!ask_provider(decision, question, change->inventories[i].provider))
            return false;
    }
    for (size_t i = 0; i < change->claim_count; i++) {
        if (!ask_providers(decision, question, &change->claims[i]))
            return false;
    }
    /* A command that no rule allows gets here only if it names consumers that do not exist. */
    if (!policy_command_allowed(question))
        return forbid_uuid(decision, "consumer", change->claims[0].consumer);
    return true;
}

/* --- the read set --------------------------------------------------------------------------- */

static void want_change(struct snapshot *snapshot, const struct command *command, size_t index)
{
    const struct change_params *change = &command->params.change;
    (void)index;
    for (size_t i = 0; i < change->inventory_count; i++)
        snapshot_want_provider(snapshot, change->inventories[i].provider);
    for (size_t i = 0; i < change->claim_count; i++) {
        const struct claim *claim = &change->claims[i];
        snapshot_want_consumer(snapshot, claim->consumer);
        for (size_t j = 0; j < claim->provider_count; j++)
            snapshot_want_provider(snapshot, claim->providers[j].provider);
    }
}

/* The usage of the old allocations' providers goes down. */
static void want_old_providers(struct snapshot *snapshot, const struct command *command)
{
    const struct change_params *change = &command->params.change;
    for (size_t i = 0; i < change->claim_count; i++)
        snapshot_want_providers_of(snapshot, change->claims[i].consumer);
}

/* --- rules: limits -------------------------------------------------------------------------- */

static bool check_limit(struct change_check *check, const char *what, int64_t limit, int64_t given)
{
    if (given <= limit)
        return true;
    verdict_refuse(check->decision->verdict, arena_of(check), VERDICT_LIMIT_EXCEEDED,
                   "too many %s: %lld (limit %lld)", what, (long long)given, (long long)limit);
    verdict_add_integer(check->decision->verdict, "limit", limit);
    verdict_add_integer(check->decision->verdict, "given", given);
    return false;
}

/* Counts the providers of a claim, and those of its consumer's old allocations that it does not
   name. Both lists are sorted, so one pass over each is enough. */
static int64_t count_pairs(const struct change_check *check, const struct claim *claim)
{
    const struct consumer *stored = change_stored(&check->change, claim);
    int64_t pairs = (int64_t)claim->provider_count;
    size_t named = 0;
    for (size_t i = 0; i < consumer_allocation_count(stored); i++) {
        struct uuid id = stored->allocations[i].provider;
        if (!allocation_begins_provider(stored->allocations, i))
            continue;
        while (named < claim->provider_count &&
               uuid_compare(claim->providers[named].provider, id) < 0)
            named++;
        pairs +=
            named == claim->provider_count || !uuid_equal(claim->providers[named].provider, id);
    }
    return pairs;
}

static bool check_limits(struct change_check *check)
{
    int64_t pairs = 0;
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        if (!check_limit(check, "providers for one consumer", CONSUMER_PROVIDERS_MAX,
                         (int64_t)claim->provider_count))
            return false;
        pairs += count_pairs(check, claim);
    }
    return check_limit(check, "pairs of consumer and provider", PAIRS_MAX, pairs);
}

/* --- rules: consumers ----------------------------------------------------------------------- */

/* A generation in a message or in `details`; a consumer that does not exist has none. */
struct generation {
    bool present;
    int64_t value;
};

static struct text format_generation(struct arena *arena, struct generation generation)
{
    return generation.present ? text_format(arena, "%lld", (long long)generation.value)
                              : text_of("null");
}

static void add_generation(struct verdict *verdict, const char *member,
                           struct generation generation)
{
    if (generation.present)
        verdict_add_integer(verdict, member, generation.value);
    else
        verdict_add_null(verdict, member);
}

/* `what`: "consumer" or "provider". Always returns false. */
static bool refuse_generation(struct change_check *check, enum verdict_code code, const char *what,
                              struct uuid id, struct generation given, struct generation stored)
{
    struct verdict *verdict = check->decision->verdict;
    verdict_refuse(verdict, arena_of(check), code,
                   "generation conflict on %s %s: given %.*s, stored %.*s", what,
                   uuid_format(id).chars, TEXT_ARGS(format_generation(arena_of(check), given)),
                   TEXT_ARGS(format_generation(arena_of(check), stored)));
    verdict_add_uuid(verdict, what, id);
    add_generation(verdict, "given", given);
    add_generation(verdict, "stored", stored);
    return false;
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

static bool check_consumer_generations(struct change_check *check)
{
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        const struct consumer *stored = change_stored(&check->change, claim);
        if (!generation_matches(claim, stored))
            return refuse_generation(check, VERDICT_CONSUMER_GENERATION_CONFLICT, "consumer",
                                     claim->consumer,
                                     (struct generation){claim->has_generation, claim->generation},
                                     (struct generation){stored->state.exists, stored->generation});
    }
    return true;
}

/* Only allocation.delete needs a consumer that exists. */
static bool check_consumers_exist(struct change_check *check)
{
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        if (!claim->is_delete || change_stored(&check->change, claim)->state.exists)
            continue;
        verdict_refuse(check->decision->verdict, arena_of(check), VERDICT_CONSUMER_NOT_FOUND,
                       "consumer %s not found", uuid_format(claim->consumer).chars);
        verdict_add_uuid(check->decision->verdict, "consumer", claim->consumer);
        return false;
    }
    return true;
}

/* --- rules: providers ----------------------------------------------------------------------- */

/* Providers of old allocations exist, so a missing one was named by the command. */
static bool check_providers_exist(struct change_check *check)
{
    struct uuid *missing = ARENA_ARRAY(arena_of(check), struct uuid, check->change.touched_count);
    size_t count = 0;
    for (size_t i = 0; i < check->change.touched_count; i++) {
        if (!check->change.touched[i].provider->state.exists)
            missing[count++] = check->change.touched[i].id;
    }
    if (count == 0)
        return true;
    refuse_missing_providers(check->decision, missing, count);
    return false;
}

static bool check_provider_generation(struct change_check *check, struct uuid id, int64_t given)
{
    int64_t stored = change_touched(&check->change, id)->provider->generation;
    return given == stored ||
           refuse_generation(check, VERDICT_PROVIDER_GENERATION_CONFLICT, "provider", id,
                             (struct generation){true, given}, (struct generation){true, stored});
}

static bool check_provider_generations(struct change_check *check)
{
    for (size_t i = 0; i < check->change.params->inventory_count; i++) {
        const struct inventory_change *one = &check->change.params->inventories[i];
        if (!check_provider_generation(check, one->provider, one->generation))
            return false;
    }
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        for (size_t j = 0; j < claim->provider_count; j++) {
            const struct named_provider *named = &claim->providers[j];
            if (named->has_generation &&
                !check_provider_generation(check, named->provider, named->generation))
                return false;
        }
    }
    return true;
}

/* Returns how much of the class is used by consumers that the command does not name. */
static int64_t used_by_others(const struct change_check *check, struct uuid provider,
                              const struct inventory_record *record)
{
    const struct usage_delta *delta =
        change_delta(&check->change, provider, record->inventory.resource_class);
    return record->used - (delta != NULL ? delta->before : 0);
}

static bool check_removed_classes(struct change_check *check, const struct inventory_change *one)
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
        return true;
    verdict_refuse(check->decision->verdict, arena_of(check), VERDICT_INVENTORY_IN_USE,
                   "cannot remove the inventory of %.*s from provider %s: it is in use",
                   TEXT_ARGS(classes[0]), uuid_format(one->provider).chars);
    verdict_add_uuid(check->decision->verdict, "provider", one->provider);
    verdict_add_texts(check->decision->verdict, "resource_classes", classes, count);
    return false;
}

static bool check_inventories_in_use(struct change_check *check)
{
    for (size_t i = 0; i < check->change.params->inventory_count; i++) {
        if (!check_removed_classes(check, &check->change.params->inventories[i]))
            return false;
    }
    return true;
}

/* --- rules: allocations --------------------------------------------------------------------- */

static const struct inventory *inventory_of(const struct change_check *check,
                                            const struct allocation *allocation)
{
    return change_end_inventory(&check->change, allocation->provider, allocation->resource_class);
}

static void add_allocation(struct verdict *verdict, const struct allocation *allocation)
{
    verdict_add_uuid(verdict, "provider", allocation->provider);
    verdict_add_text(verdict, "resource_class", allocation->resource_class);
}

static bool check_inventory_exists(struct change_check *check, const struct allocation *allocation)
{
    if (inventory_of(check, allocation) != NULL)
        return true;
    verdict_refuse(check->decision->verdict, arena_of(check), VERDICT_INVENTORY_NOT_FOUND,
                   "provider %s has no inventory of %.*s", uuid_format(allocation->provider).chars,
                   TEXT_ARGS(allocation->resource_class));
    add_allocation(check->decision->verdict, allocation);
    return false;
}

static bool check_unit(struct change_check *check, const struct allocation *allocation)
{
    int64_t value = 0;
    const char *unit =
        inventory_broken_unit(inventory_of(check, allocation), allocation->amount, &value);
    if (unit == NULL)
        return true;
    verdict_refuse(check->decision->verdict, arena_of(check), VERDICT_CONSTRAINT_VIOLATION,
                   "amount %lld of %.*s on provider %s violates %s %lld",
                   (long long)allocation->amount, TEXT_ARGS(allocation->resource_class),
                   uuid_format(allocation->provider).chars, unit, (long long)value);
    add_allocation(check->decision->verdict, allocation);
    verdict_add_integer(check->decision->verdict, "requested", allocation->amount);
    verdict_add_integer(check->decision->verdict, unit, value);
    return false;
}

/* An over-committed provider accepts a usage that stays or goes down, so that it can be emptied. */
static bool check_capacity(struct change_check *check, const struct allocation *allocation)
{
    struct verdict *verdict = check->decision->verdict;
    const struct inventory *inventory = inventory_of(check, allocation);
    const struct usage_delta *delta =
        change_delta(&check->change, allocation->provider, allocation->resource_class);
    const struct inventory_record *record = provider_record(
        change_touched(&check->change, allocation->provider)->provider, allocation->resource_class);
    int64_t others = record != NULL ? record->used - delta->before : 0;
    int64_t used = 0;
    bool overflow = __builtin_add_overflow(others, delta->after, &used);
    if (delta->after <= delta->before || (!overflow && inventory_fits(inventory, used)))
        return true;
    int64_t capacity = inventory_capacity(inventory);
    verdict_refuse(
        verdict, arena_of(check), VERDICT_CAPACITY_EXCEEDED,
        "insufficient capacity of %.*s on provider %s: the command requests %lld, free %lld",
        TEXT_ARGS(allocation->resource_class), uuid_format(allocation->provider).chars,
        (long long)delta->after, (long long)(others < capacity ? capacity - others : 0));
    add_allocation(verdict, allocation);
    verdict_add_integer(verdict, "requested", allocation->amount);
    verdict_add_integer(verdict, "used", others);
    verdict_add_integer(verdict, "capacity", capacity);
    return false;
}

typedef bool (*allocation_rule)(struct change_check *check, const struct allocation *allocation);

static bool check_each_allocation(struct change_check *check, allocation_rule rule)
{
    for (size_t i = 0; i < check->change.params->claim_count; i++) {
        const struct claim *claim = &check->change.params->claims[i];
        for (size_t j = 0; j < claim->allocation_count; j++) {
            if (!rule(check, &claim->allocations[j]))
                return false;
        }
    }
    return true;
}

/* --- the decision --------------------------------------------------------------------------- */

/* The order is that of docs/protocol.md, "Which failure, when several apply". */
static bool check_rules(struct change_check *check)
{
    if (!check_limits(check))
        return false;
    if (!check_consumer_generations(check) || !check_consumers_exist(check))
        return false;
    change_gather(&check->change);
    return check_providers_exist(check) && check_provider_generations(check) &&
           check_inventories_in_use(check) &&
           check_each_allocation(check, check_inventory_exists) &&
           check_each_allocation(check, check_unit) && check_each_allocation(check, check_capacity);
}

static void decide_change(struct decision *decision)
{
    struct change_check check = {.decision = decision,
                                 .change = {.snapshot = decision->snapshot,
                                            .params = &decision->request->command.params.change}};
    if (check_rules(&check))
        change_apply(&check.change, &decision->verdict->result);
}

/* Its result shows the provider. It is a copy, because later commands of the batch change it. */
static void decide_inventory_set(struct decision *decision)
{
    decide_change(decision);
    if (decision->verdict->code != VERDICT_SUCCESS)
        return;
    struct uuid id = decision->request->command.params.change.inventories[0].provider;
    struct provider *copy = ARENA_NEW(decision->snapshot->arena, struct provider);
    *copy = *snapshot_provider(decision->snapshot, id);
    decision->verdict->result.provider = copy;
}

/* All but inventory.set: the decoder makes the same parameters of them. */
#define ALLOCATION_FUNCTIONS                                                                       \
    {                                                                                              \
        .policy = ask_change,                                                                      \
        .want_first = want_change,                                                                 \
        .want_second = want_old_providers,                                                         \
        .decide = decide_change,                                                                   \
    }

COMMAND_FUNCTIONS(ALLOCATION_SET) = ALLOCATION_FUNCTIONS;
COMMAND_FUNCTIONS(ALLOCATION_BATCH) = ALLOCATION_FUNCTIONS;
COMMAND_FUNCTIONS(ALLOCATION_DELETE) = ALLOCATION_FUNCTIONS;
COMMAND_FUNCTIONS(RESHAPE) = ALLOCATION_FUNCTIONS;

COMMAND_FUNCTIONS(INVENTORY_SET) = {
    .policy = ask_change,
    .want_first = want_change,
    .want_second = NOTHING_MORE, /* it has no claims */
    .decide = decide_inventory_set,
};
