/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file begins with the helpers that write one member. Each result has one public function,
 * result_write_...; before it are the static functions that write its parts, such as inventories,
 * or the resources of one consumer on one provider. Members are in the order of docs/protocol.md.
 *
 * The writers read struct result and nothing else. So the same result always gives the same bytes,
 * which are the recorded outcome.
 */
#include "common/codec/result_encode.h"

#include <assert.h>
#include <stdlib.h>

#include "common/codec/ratio.h"
#include "common/core/snapshot.h"

static void key(struct json_writer *writer, const char *name)
{
    json_write_key(writer, text_of(name));
}

static void write_integer(struct json_writer *writer, const char *name, int64_t value)
{
    key(writer, name);
    json_write_integer(writer, value);
}

static void write_text(struct json_writer *writer, const char *name, struct text value)
{
    key(writer, name);
    json_write_text(writer, value);
}

static void write_uuid(struct json_writer *writer, const char *name, struct uuid value)
{
    key(writer, name);
    json_write_uuid(writer, value);
}

/* Generation 0 marks a consumer that has no allocations left; others start at 1. */
static void write_consumer_generation(struct json_writer *writer, int64_t generation)
{
    key(writer, "consumer_generation");
    if (generation == 0)
        json_write_null(writer);
    else
        json_write_integer(writer, generation);
}

static void write_place(struct json_writer *writer, const struct provider *provider)
{
    write_uuid(writer, "uuid", provider->id);
    write_text(writer, "name", provider->name);
    key(writer, "parent_provider_uuid");
    if (provider->has_parent)
        json_write_uuid(writer, provider->parent);
    else
        json_write_null(writer);
    write_uuid(writer, "root_provider_uuid", provider->root);
    write_integer(writer, "generation", provider->generation);
}

void result_write_provider_place(struct json_writer *writer, const struct result *result)
{
    write_place(writer, result->provider);
}

static void write_inventory(struct json_writer *writer, const struct inventory *inventory)
{
    json_write_key(writer, inventory->resource_class);
    json_write_open(writer, '{');
    write_integer(writer, "total", inventory->total);
    write_integer(writer, "reserved", inventory->reserved);
    write_integer(writer, "min_unit", inventory->min_unit);
    write_integer(writer, "max_unit", inventory->max_unit);
    write_integer(writer, "step_size", inventory->step_size);
    struct ratio_text ratio = ratio_format(inventory->ratio);
    key(writer, "allocation_ratio");
    json_write_raw(writer, text_of(ratio.chars));
    json_write_close(writer, '}');
}

static void write_inventories(struct json_writer *writer, const struct provider *provider)
{
    key(writer, "inventories");
    json_write_open(writer, '{');
    for (size_t i = 0; i < provider->record_count; i++)
        write_inventory(writer, &provider->records[i].inventory);
    json_write_close(writer, '}');
}

static void write_usages(struct json_writer *writer, const struct provider *provider)
{
    key(writer, "usages");
    json_write_open(writer, '{');
    for (size_t i = 0; i < provider->record_count; i++) {
        json_write_key(writer, provider->records[i].inventory.resource_class);
        json_write_integer(writer, provider->records[i].used);
    }
    json_write_close(writer, '}');
}

void result_write_provider(struct json_writer *writer, const struct result *result)
{
    result_write_provider_place(writer, result);
    write_inventories(writer, result->provider);
    write_usages(writer, result->provider);
}

void result_write_inventory(struct json_writer *writer, const struct result *result)
{
    write_integer(writer, "resource_provider_generation", result->provider->generation);
    write_inventories(writer, result->provider);
}

/* Writes what `consumer` has on `provider`; its allocations on other providers are left out. */
static void write_resources(struct json_writer *writer, const struct consumer *consumer,
                            struct uuid provider)
{
    key(writer, "resources");
    json_write_open(writer, '{');
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        const struct allocation *allocation = &consumer->allocations[i];
        if (!uuid_equal(allocation->provider, provider))
            continue;
        json_write_key(writer, allocation->resource_class);
        json_write_integer(writer, allocation->amount);
    }
    json_write_close(writer, '}');
}

void result_write_list(struct json_writer *writer, const struct result *result)
{
    const struct provider_page *page = result->list;
    key(writer, "providers");
    json_write_open(writer, '[');
    for (size_t i = 0; i < page->count; i++) {
        json_write_open(writer, '{');
        write_place(writer, &page->rows[i]);
        json_write_close(writer, '}');
    }
    json_write_close(writer, ']');
    key(writer, "next");
    if (page->more)
        json_write_text(writer, page->rows[page->count - 1].name);
    else
        json_write_null(writer);
}

void result_write_page(struct json_writer *writer, const struct result *result)
{
    const struct consumer_page *page = result->page;
    write_integer(writer, "resource_provider_generation", result->provider->generation);
    key(writer, "allocations");
    json_write_open(writer, '{');
    for (size_t i = 0; i < page->count; i++) {
        json_write_uuid_key(writer, page->rows[i].id);
        json_write_open(writer, '{');
        write_resources(writer, &page->rows[i], result->provider->id);
        write_consumer_generation(writer, page->rows[i].generation);
        json_write_close(writer, '}');
    }
    json_write_close(writer, '}');
    key(writer, "next");
    if (page->more && page->count > 0)
        json_write_uuid(writer, page->rows[page->count - 1].id);
    else
        json_write_null(writer);
}

static void write_provider_generations(struct json_writer *writer, const struct result *result)
{
    key(writer, "resource_provider_generations");
    json_write_open(writer, '{');
    for (size_t i = 0; i < result->provider_count; i++) {
        json_write_uuid_key(writer, result->providers[i].provider);
        json_write_integer(writer, result->providers[i].generation);
    }
    json_write_close(writer, '}');
}

void result_write_allocation(struct json_writer *writer, const struct result *result)
{
    assert(result->consumer_count == 1);
    write_uuid(writer, "consumer_uuid", result->consumers[0].consumer);
    write_consumer_generation(writer, result->consumers[0].generation);
    write_provider_generations(writer, result);
}

void result_write_consumers(struct json_writer *writer, const struct result *result)
{
    key(writer, "consumers");
    json_write_open(writer, '{');
    for (size_t i = 0; i < result->consumer_count; i++) {
        json_write_uuid_key(writer, result->consumers[i].consumer);
        json_write_open(writer, '{');
        write_consumer_generation(writer, result->consumers[i].generation);
        json_write_close(writer, '}');
    }
    json_write_close(writer, '}');
    write_provider_generations(writer, result);
}

static int compare_with_provider(const void *sought, const void *element)
{
    const struct uuid *uuid = sought;
    const struct provider_generation *provider = element;
    return uuid_compare(*uuid, provider->provider);
}

static int64_t generation_of(const struct result *result, struct uuid provider)
{
    const struct provider_generation *found =
        result->provider_count == 0 ? NULL
                                    : bsearch(&provider, result->providers, result->provider_count,
                                              sizeof *result->providers, compare_with_provider);
    assert(found != NULL); /* the result has the generation of every provider of the consumer */
    return found->generation;
}

/* Returns the index behind the allocations, from `start` on, that are on the same provider. */
static size_t end_of_provider(const struct consumer *consumer, size_t start)
{
    size_t end = start + 1;
    while (end < consumer->allocation_count &&
           uuid_equal(consumer->allocations[end].provider, consumer->allocations[start].provider))
        end++;
    return end;
}

static void write_allocations(struct json_writer *writer, const struct result *result)
{
    const struct consumer *consumer = result->consumer;
    size_t count = consumer != NULL ? consumer->allocation_count : 0;
    key(writer, "allocations");
    json_write_open(writer, '{');
    for (size_t i = 0; i < count;) {
        struct uuid provider = consumer->allocations[i].provider;
        size_t end = end_of_provider(consumer, i);
        struct consumer part = {.allocations = consumer->allocations + i,
                                .allocation_count = end - i};
        json_write_uuid_key(writer, provider);
        json_write_open(writer, '{');
        write_integer(writer, "generation", generation_of(result, provider));
        write_resources(writer, &part, provider);
        json_write_close(writer, '}');
        i = end;
    }
    json_write_close(writer, '}');
}

void result_write_consumer(struct json_writer *writer, const struct result *result)
{
    const struct consumer *consumer = result->consumer;
    write_allocations(writer, result);
    if (consumer == NULL)
        return;
    write_text(writer, "project_id", consumer->project_id);
    write_text(writer, "user_id", consumer->user_id);
    write_consumer_generation(writer, consumer->generation);
    write_text(writer, "consumer_type", consumer->consumer_type);
    key(writer, "mappings");
    if (text_present(consumer->mappings))
        json_write_raw(writer, consumer->mappings);
    else
        json_write_null(writer);
}

void result_write_usages(struct json_writer *writer, const struct result *result)
{
    key(writer, "usages");
    json_write_open(writer, '{');
    for (size_t i = 0; i < result->group_count; i++) {
        const struct usage_group *group = &result->groups[i];
        json_write_key(writer, group->consumer_type);
        json_write_open(writer, '{');
        write_integer(writer, "consumer_count", group->consumer_count);
        for (size_t j = 0; j < group->count; j++) {
            json_write_key(writer, group->amounts[j].resource_class);
            json_write_integer(writer, group->amounts[j].amount);
        }
        json_write_close(writer, '}');
    }
    json_write_close(writer, '}');
}

void result_write_nothing(struct json_writer *writer, const struct result *result)
{
    (void)writer;
    (void)result;
}
