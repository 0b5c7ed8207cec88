/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random commands. Sections: generations (read from the database, wrong in one case of ten);
 * bodies, one function for each command; `kinds`, which gives each command its weight in percent;
 * messages: principal, key, reply_to, deadline and repetitions.
 *
 * A new command needs a function that returns its body and a row in `kinds`; the weights have to
 * add up to 100. All choices come from world_random, so a run depends on the seed alone.
 */
#include "tests/support/generator.h"

#include <assert.h>
#include <stdio.h>

const char *generator_provider(struct arena *arena, size_t index)
{
    return text_format(arena, "00000000-0000-4000-8000-%012zx", 0x100 + index).bytes;
}

const char *generator_consumer(struct arena *arena, size_t index)
{
    return text_format(arena, "cccccccc-0000-4000-8000-%012zx", 0x200 + index).bytes;
}

static const char *some_provider(struct world *world)
{
    return generator_provider(world->arena, world_random(world, GENERATOR_PROVIDERS));
}

static const char *some_consumer(struct world *world)
{
    return generator_consumer(world->arena, world_random(world, GENERATOR_CONSUMERS));
}

static bool chance(struct world *world, uint64_t percent)
{
    return world_random(world, 100) < percent;
}

/* --- generations ---------------------------------------------------------------------------- */

struct wanted {
    struct uuid id;
    int64_t generation; /* -1: no such provider or consumer */
};

static void see_provider(void *context, const struct provider *provider)
{
    struct wanted *wanted = context;
    if (uuid_equal(wanted->id, provider->id))
        wanted->generation = provider->generation;
}

static void see_consumer(void *context, const struct consumer *consumer)
{
    struct wanted *wanted = context;
    if (uuid_equal(wanted->id, consumer->id))
        wanted->generation = consumer->generation;
}

static int64_t generation_of(struct world *world, const char *uuid)
{
    struct wanted wanted = {.generation = -1};
    struct memory_visitor visitor = {
        .context = &wanted, .provider = see_provider, .consumer = see_consumer};
    bool parsed = uuid_parse(text_of(uuid), &wanted.id);
    assert(parsed);
    (void)parsed;
    memory_database_visit(world->database, &visitor);
    if (chance(world, 10))
        wanted.generation += (int64_t)world_random(world, 3) - 1;
    return wanted.generation;
}

/* Returns the generation as JSON; null where there is no such consumer. */
static const char *generation(struct world *world, const char *uuid)
{
    int64_t number = generation_of(world, uuid);
    return number < 0 ? "null" : text_format(world->arena, "%lld", (long long)number).bytes;
}

static const char *provider_generation(struct world *world, const char *uuid)
{
    int64_t number = generation_of(world, uuid);
    return text_format(world->arena, "%lld", (long long)(number < 0 ? 0 : number)).bytes;
}

/* --- bodies --------------------------------------------------------------------------------- */

#define BODY(world, name, format, ...)                                                             \
    text_format((world)->arena,                                                                    \
                "{\"version\":1,\"command\":\"" name "\",\"params\":{" format "}}", __VA_ARGS__)

static const char *inventories(struct world *world)
{
    if (chance(world, 10))
        return "{}";
    unsigned long long total = 10 + world_random(world, 40);
    if (chance(world, 30))
        return text_format(world->arena, "{\"VCPU\":{\"total\":%llu}}", total).bytes;
    return text_format(world->arena,
                       "{\"VCPU\":{\"total\":%llu,\"allocation_ratio\":1.5},"
                       "\"MEMORY_MB\":{\"total\":%llu,\"reserved\":1,\"max_unit\":12}}",
                       total, total)
        .bytes;
}

static struct text provider_create(struct world *world)
{
    const char *uuid = some_provider(world);
    unsigned long long name = world_random(world, 8);
    if (chance(world, 50))
        return BODY(world, "provider.create", "\"uuid\":\"%s\",\"name\":\"n%llu\"", uuid, name);
    return BODY(world, "provider.create",
                "\"uuid\":\"%s\",\"name\":\"n%llu\",\"parent_provider_uuid\":\"%s\"", uuid, name,
                some_provider(world));
}

static struct text provider_update(struct world *world)
{
    const char *uuid = some_provider(world);
    unsigned long long name = world_random(world, 8);
    if (chance(world, 20))
        return BODY(world, "provider.update", "\"uuid\":\"%s\",\"name\":\"n%llu\"", uuid, name);
    if (chance(world, 40))
        return BODY(world, "provider.update",
                    "\"uuid\":\"%s\",\"name\":\"n%llu\",\"parent_provider_uuid\":null", uuid, name);
    return BODY(world, "provider.update",
                "\"uuid\":\"%s\",\"name\":\"n%llu\",\"parent_provider_uuid\":\"%s\"", uuid, name,
                some_provider(world));
}

static struct text provider_delete(struct world *world)
{
    return BODY(world, "provider.delete", "\"uuid\":\"%s\"", some_provider(world));
}

static struct text provider_get(struct world *world)
{
    return BODY(world, "provider.get", "\"uuid\":\"%s\"", some_provider(world));
}

static struct text provider_list(struct world *world)
{
    return BODY(world, "provider.list", "\"limit\":%llu,\"name_prefix\":\"n\"",
                (unsigned long long)(1 + world_random(world, 4)));
}

static struct text provider_allocations(struct world *world)
{
    return BODY(world, "provider.allocations", "\"uuid\":\"%s\",\"limit\":3", some_provider(world));
}

static struct text inventory_set(struct world *world)
{
    const char *uuid = some_provider(world);
    return BODY(world, "inventory.set",
                "\"uuid\":\"%s\",\"resource_provider_generation\":%s,\"inventories\":%s", uuid,
                provider_generation(world, uuid), inventories(world));
}

static const char *resources(struct world *world)
{
    unsigned long long amount = 1 + world_random(world, chance(world, 15) ? 60 : 12);
    return world_random(world, 2)
               ? text_format(world->arena, "{\"VCPU\":%llu}", amount).bytes
               : text_format(world->arena, "{\"VCPU\":%llu,\"MEMORY_MB\":%llu}", amount, amount)
                     .bytes;
}

static const char *allocations(struct world *world)
{
    if (chance(world, 20))
        return "{}";
    size_t first = world_random(world, GENERATOR_PROVIDERS);
    const char *one = generator_provider(world->arena, first);
    if (chance(world, 50))
        return text_format(world->arena, "{\"%s\":{\"resources\":%s}}", one, resources(world))
            .bytes;
    const char *other = generator_provider(world->arena, (first + 1) % GENERATOR_PROVIDERS);
    return text_format(world->arena,
                       "{\"%s\":{\"resources\":%s},\"%s\":{\"resources\":%s,\"generation\":%s}}",
                       one, resources(world), other, resources(world),
                       provider_generation(world, other))
        .bytes;
}

/* Returns the members of a claim without the consumer's UUID. */
static const char *claim(struct world *world, const char *consumer)
{
    return text_format(world->arena,
                       "\"project_id\":\"%s-1\",\"user_id\":\"u\",\"consumer_generation\":%s,"
                       "\"consumer_type\":\"INSTANCE\",\"allocations\":%s",
                       chance(world, 70) ? "blue" : "red", generation(world, consumer),
                       allocations(world))
        .bytes;
}

static struct text allocation_set(struct world *world)
{
    const char *consumer = some_consumer(world);
    return BODY(world, "allocation.set", "\"consumer_uuid\":\"%s\",%s", consumer,
                claim(world, consumer));
}

static const char *claims(struct world *world)
{
    size_t first = world_random(world, GENERATOR_CONSUMERS);
    const char *one = generator_consumer(world->arena, first);
    const char *other = generator_consumer(world->arena, (first + 1) % GENERATOR_CONSUMERS);
    return text_format(world->arena, "{\"%s\":{%s},\"%s\":{%s}}", one, claim(world, one), other,
                       claim(world, other))
        .bytes;
}

static struct text allocation_batch(struct world *world)
{
    return BODY(world, "allocation.batch", "\"consumers\":%s", claims(world));
}

static struct text allocation_delete(struct world *world)
{
    return BODY(world, "allocation.delete", "\"consumer_uuid\":\"%s\"", some_consumer(world));
}

static struct text allocation_get(struct world *world)
{
    return BODY(world, "allocation.get", "\"consumer_uuid\":\"%s\"", some_consumer(world));
}

static struct text usage_get(struct world *world)
{
    return BODY(world, "usage.get", "\"project_id\":\"%s-1\"", chance(world, 70) ? "blue" : "red");
}

static struct text reshape(struct world *world)
{
    const char *uuid = some_provider(world);
    return BODY(world, "reshape",
                "\"inventories\":{\"%s\":{\"resource_provider_generation\":%s,"
                "\"inventories\":%s}},\"allocations\":%s",
                uuid, provider_generation(world, uuid), inventories(world), claims(world));
}

static struct text garbage(struct world *world)
{
    static const char *const bodies[] = {
        "{not json", "", "{\"version\":2,\"command\":\"allocation.set\",\"params\":{}}",
        "{\"version\":1,\"command\":\"unknown\",\"params\":{}}",
        "{\"version\":1,\"command\":\"allocation.set\",\"params\":{\"allocations\":{}}}"};
    return text_of(bodies[world_random(world, sizeof bodies / sizeof bodies[0])]);
}

static const struct {
    unsigned weight;
    struct text (*make)(struct world *world);
} kinds[] = {
    {30, allocation_set}, {10, allocation_batch}, {10, allocation_delete},
    {10, inventory_set},  {6, provider_create},   {5, provider_update},
    {3, provider_delete}, {6, reshape},           {4, allocation_get},
    {4, usage_get},       {2, provider_get},      {4, provider_allocations},
    {2, provider_list},   {4, garbage},
};

static struct text some_body(struct world *world)
{
    uint64_t ticket = world_random(world, 100);
    size_t i = 0;
    while (ticket >= kinds[i].weight)
        ticket -= kinds[i++].weight;
    return kinds[i].make(world);
}

struct text generator_write(struct world *world, bool of_providers)
{
    static struct text (*const of_provider[])(struct world *) = {
        provider_create, provider_create, provider_update, provider_update, provider_delete};
    static struct text (*const of_any[])(struct world *) = {
        allocation_set,    allocation_set, allocation_set, allocation_batch,
        allocation_delete, inventory_set,  inventory_set,  reshape};
    if (of_providers)
        return of_provider[world_random(world, sizeof of_provider / sizeof of_provider[0])](world);
    return of_any[world_random(world, sizeof of_any / sizeof of_any[0])](world);
}

/* --- messages ------------------------------------------------------------------------------- */

/*
 * Sends a message with key and principal of an earlier one, with the same body or with the body of
 * another command. The recorded command then tells which of the two was first.
 */
static bool repeat(struct world *world)
{
    if (world->journal.count == 0)
        return false;
    struct sent again = world->journal.sent[world_random(world, world->journal.count)];
    if (chance(world, 30) && text_present(again.key))
        again.body =
            BODY(world, "provider.delete", "\"uuid\":\"%s\"", generator_provider(world->arena, 99));
    world_send(world, &again);
    return true;
}

static const char *some_principal(struct world *world)
{
    uint64_t ticket = world_random(world, 100);
    if (ticket < 60)
        return "admin";
    if (ticket < 85)
        return "blue";
    return ticket < 97 ? "red" : "ghost";
}

void generator_send(struct world *world)
{
    if (chance(world, 12) && repeat(world))
        return;
    struct sent sent = {.principal = text_of(some_principal(world)),
                        .reply_to = text_of("replies"),
                        .key = text_format(world->arena, "k%zu", world->journal.count),
                        .body = some_body(world)};
    if (chance(world, 2))
        sent.key = TEXT_NONE;
    if (chance(world, 8))
        sent.reply_to = chance(world, 50) ? TEXT_NONE : text_of("nowhere");
    if (chance(world, 5))
        sent.deadline_ms = world->clock.wall_ms + (int64_t)world_random(world, 4000) - 1000;
    world_send(world, &sent);
}

void generator_seed_data(struct world *world)
{
    for (size_t i = 0; i + 1 < GENERATOR_PROVIDERS; i++) {
        const char *uuid = generator_provider(world->arena, i);
        const char *key = text_format(world->arena, "f%zu", i).bytes;
        world_ask(
            world, "admin", key,
            BODY(world, "provider.create", "\"uuid\":\"%s\",\"name\":\"f%zu\"", uuid, i).bytes);
    }
    bool idle = world_run_until_idle(world);
    for (size_t i = 0; i + 1 < GENERATOR_PROVIDERS; i++) {
        const char *uuid = generator_provider(world->arena, i);
        const char *key = text_format(world->arena, "i%zu", i).bytes;
        world_ask(world, "admin", key,
                  BODY(world, "inventory.set",
                       "\"uuid\":\"%s\",\"resource_provider_generation\":0,\"inventories\":"
                       "{\"VCPU\":{\"total\":40},\"MEMORY_MB\":{\"total\":40}}",
                       uuid)
                      .bytes);
    }
    idle = world_run_until_idle(world) && idle;
    assert(idle);
    (void)idle;
}
