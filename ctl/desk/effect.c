/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A line is written into a growing text in the arena: first the consumers, then the
 * providers whose inventories the command sets, in the order of the command. Generations are those
 * of the verdict. The line is bounded: a command may have 10,000 allocations.
 */
#include "ctl/desk/effect.h"

#include "common/core/snapshot.h"

enum {
    NAMED_MAX = 3,  /* consumers, and providers, that are named; the others are counted */
    AMOUNTS_MAX = 8 /* of one consumer, and of one provider */
};

/* --- the parts of a line -------------------------------------------------------------------- */

static void add(struct arena *arena, struct text *line, const char *format, ...) ALLOT_PRINTF(3, 4);

static void add(struct arena *arena, struct text *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct text more = text_vformat(arena, format, arguments);
    va_end(arguments);
    *line = text_format(arena, "%.*s%.*s", TEXT_ARGS(*line), TEXT_ARGS(more));
}

static size_t at_most(size_t count, size_t most)
{
    return count < most ? count : most;
}

static void add_rest(struct arena *arena, struct text *line, size_t count, const char *what)
{
    if (count > NAMED_MAX)
        add(arena, line, "; and %zu more %s", count - NAMED_MAX, what);
}

static void add_rest_of_amounts(struct arena *arena, struct text *line, size_t count)
{
    if (count > AMOUNTS_MAX)
        add(arena, line, ", and %zu more", count - AMOUNTS_MAX);
}

/* Returns 0 for a provider that is not in the result. */
static int64_t listed_generation(const struct result *result, struct uuid id)
{
    for (size_t i = 0; i < result->provider_count; i++) {
        if (uuid_equal(result->providers[i].provider, id))
            return result->providers[i].generation;
    }
    return 0;
}

static int64_t consumer_generation(const struct result *result, struct uuid id)
{
    for (size_t i = 0; i < result->consumer_count; i++) {
        if (uuid_equal(result->consumers[i].consumer, id))
            return result->consumers[i].generation;
    }
    return 0;
}

/* --- consumers ------------------------------------------------------------------------------ */

/* Adds "VCPU=2, DISK_GB=5 on PROVIDER" for each of the claim's providers. */
static void add_allocations(struct arena *arena, struct text *line, const struct claim *claim)
{
    size_t count = at_most(claim->allocation_count, AMOUNTS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct allocation *allocation = &claim->allocations[i];
        bool begins = allocation_begins_provider(claim->allocations, i);
        bool ends = i + 1 == count || allocation_begins_provider(claim->allocations, i + 1);
        add(arena, line, "%s%.*s=%lld",
            i == 0   ? ""
            : begins ? " and "
                     : ", ",
            TEXT_ARGS(allocation->resource_class), (long long)allocation->amount);
        if (ends)
            add(arena, line, " on %s", uuid_format(allocation->provider).chars);
    }
    add_rest_of_amounts(arena, line, claim->allocation_count);
}

static void add_claim(struct arena *arena, struct text *line, const struct claim *claim,
                      const struct result *result)
{
    add(arena, line, "consumer %s: ", uuid_format(claim->consumer).chars);
    if (claim->allocation_count == 0) {
        add(arena, line, "no allocations, so it no longer exists");
        return;
    }
    add_allocations(arena, line, claim);
    add(arena, line, "; generation %lld", (long long)consumer_generation(result, claim->consumer));
}

/* --- providers ------------------------------------------------------------------------------ */

static void add_inventory(struct arena *arena, struct text *line,
                          const struct inventory_change *change, int64_t generation)
{
    add(arena, line, "provider %s: ", uuid_format(change->provider).chars);
    for (size_t i = 0; i < at_most(change->count, AMOUNTS_MAX); i++)
        add(arena, line, "%s%.*s %lld", i == 0 ? "" : ", ",
            TEXT_ARGS(change->inventories[i].resource_class),
            (long long)change->inventories[i].total);
    add_rest_of_amounts(arena, line, change->count);
    add(arena, line, "%s; generation %lld", change->count == 0 ? "no inventories" : "",
        (long long)generation);
}

static int64_t generation_after(const struct result *result, struct uuid id)
{
    if (result->provider != NULL && uuid_equal(result->provider->id, id))
        return result->provider->generation;
    return listed_generation(result, id);
}

static void add_change(struct arena *arena, struct text *line, const struct change_params *params,
                       const struct result *result)
{
    const char *between = "";
    for (size_t i = 0; i < params->claim_count && i < NAMED_MAX; i++, between = "; ") {
        add(arena, line, "%s", between);
        add_claim(arena, line, &params->claims[i], result);
    }
    add_rest(arena, line, params->claim_count, "consumers");
    for (size_t i = 0; i < params->inventory_count && i < NAMED_MAX; i++, between = "; ") {
        add(arena, line, "%s", between);
        add_inventory(arena, line, &params->inventories[i],
                      generation_after(result, params->inventories[i].provider));
    }
    add_rest(arena, line, params->inventory_count, "providers");
}

/* `verb` says what happened to the provider. */
static void add_place(struct arena *arena, struct text *line, const struct provider *provider,
                      const char *verb)
{
    add(arena, line, "provider %s: %s '%.*s', ", uuid_format(provider->id).chars, verb,
        TEXT_ARGS(provider->name));
    if (provider->has_parent)
        add(arena, line, "below %s", uuid_format(provider->parent).chars);
    else
        add(arena, line, "a root");
}

/* --- the line ------------------------------------------------------------------------------- */

struct text effect_text(struct arena *arena, const struct command *command,
                        const struct verdict *verdict)
{
    struct text line = text_of("");
    switch (command->kind) {
    case COMMAND_PROVIDER_CREATE:
        add_place(arena, &line, verdict->result.provider, "created as");
        break;
    case COMMAND_PROVIDER_UPDATE: add_place(arena, &line, verdict->result.provider, "named"); break;
    case COMMAND_PROVIDER_DELETE:
        add(arena, &line, "provider %s: deleted", uuid_format(command->params.provider.uuid).chars);
        break;
    case COMMAND_INVENTORY_SET:
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH:
    case COMMAND_ALLOCATION_DELETE:
    case COMMAND_RESHAPE:
        add_change(arena, &line, &command->params.change, &verdict->result);
        break;
    case COMMAND_PROVIDER_GET:
    case COMMAND_PROVIDER_LIST:
    case COMMAND_PROVIDER_ALLOCATIONS:
    case COMMAND_ALLOCATION_GET:
    case COMMAND_USAGE_GET: line = text_of("nothing changes: the command only reads"); break;
    }
    return line;
}
