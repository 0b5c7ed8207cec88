/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/params.h"

#include "allot/limits.h"
#include "common/codec/resource_class.h"

static const struct json_size batch_size = {1, CONSUMERS_MAX, "must name 1 to 1000 consumers"};
static const struct json_size moved_size = {0, CONSUMERS_MAX, "must name at most 1000 consumers"};
static const struct json_size inventories_size = {1, INVENTORIES_MAX,
                                                  "must name 1 to 1000 providers"};

static bool read_uuid_member(struct json_reader *reader, const struct json_place *object,
                             const char *name, struct uuid *ret_uuid)
{
    struct json_place place = json_member(object, name);
    return json_read_uuid(reader, &place, ret_uuid);
}

/* provider.delete, provider.get, and the consumer of allocation.get */
static bool read_only_uuid(struct json_reader *reader, const struct json_place *params,
                           const char *name, struct uuid *ret_uuid)
{
    const char *const known[] = {name, NULL};
    return json_read_object(reader, params, known) &&
           read_uuid_member(reader, params, name, ret_uuid);
}

static bool read_provider(struct json_reader *reader, const struct json_place *params,
                          struct provider_params *ret_provider)
{
    static const char *const known[] = {"uuid", "name", "parent_provider_uuid", NULL};
    struct json_place name = json_member(params, "name");
    struct json_place parent = json_member(params, "parent_provider_uuid");
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "uuid", &ret_provider->uuid) ||
        !json_read_chars(reader, &name, NAME_CHARS_MAX, &ret_provider->name))
        return false;
    /* Null is "none" for an update; a new provider may say the same. */
    ret_provider->parent_given = json_present(&parent);
    ret_provider->has_parent = json_given(&parent);
    return !ret_provider->has_parent || json_read_uuid(reader, &parent, &ret_provider->parent);
}

static bool read_page(struct json_reader *reader, const struct json_place *params,
                      struct page_params *ret_page)
{
    static const char *const known[] = {"uuid", "limit", "after", NULL};
    static const struct json_range range = {1, PAGE_ROWS_MAX};
    struct json_place limit = json_member(params, "limit");
    struct json_place after = json_member(params, "after");
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "uuid", &ret_page->provider))
        return false;
    ret_page->limit = PAGE_ROWS_MAX;
    if (json_present(&limit) && !json_read_integer(reader, &limit, range, &ret_page->limit))
        return false;
    ret_page->has_after = json_present(&after);
    return !ret_page->has_after || json_read_uuid(reader, &after, &ret_page->after);
}

static bool read_usage(struct json_reader *reader, const struct json_place *params,
                       struct usage_params *ret_usage)
{
    static const char *const known[] = {"project_id", "user_id", "consumer_type", NULL};
    struct json_place project_id = json_member(params, "project_id");
    struct json_place user_id = json_member(params, "user_id");
    struct json_place type = json_member(params, "consumer_type");
    if (!json_read_object(reader, params, known) ||
        !json_read_chars(reader, &project_id, OWNER_CHARS_MAX, &ret_usage->project_id))
        return false;
    if (json_present(&user_id) &&
        !json_read_chars(reader, &user_id, OWNER_CHARS_MAX, &ret_usage->user_id))
        return false;
    if (!json_present(&type))
        return true;
    if (!json_read_text(reader, &type, &ret_usage->consumer_type))
        return false;
    return consumer_type_valid(ret_usage->consumer_type) ||
           text_is(ret_usage->consumer_type, "all") ||
           text_is(ret_usage->consumer_type, "unknown") ||
           json_fail(reader, &type, "is not a consumer type, \"all\" or \"unknown\"");
}

static bool read_inventory_set(struct json_reader *reader, const struct json_place *params,
                               struct change_params *ret_change)
{
    static const char *const known[] = {"uuid", "resource_provider_generation", "inventories",
                                        NULL};
    struct inventory_change *change = ARENA_NEW(reader->arena, struct inventory_change);
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "uuid", &change->provider) ||
        !params_inventory_change(reader, params, change))
        return false;
    ret_change->inventories = change;
    ret_change->inventory_count = 1;
    return true;
}

static bool read_allocation_set(struct json_reader *reader, const struct json_place *params,
                                struct change_params *ret_change)
{
    static const char *const known[] = {"consumer_uuid", PARAMS_CLAIM_MEMBERS, NULL};
    struct claim *claim = ARENA_NEW(reader->arena, struct claim);
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "consumer_uuid", &claim->consumer) ||
        !params_claim(reader, params, claim))
        return false;
    ret_change->claims = claim;
    ret_change->claim_count = 1;
    return true;
}

static bool read_allocation_delete(struct json_reader *reader, const struct json_place *params,
                                   struct change_params *ret_change)
{
    static const char *const known[] = {"consumer_uuid", "consumer_generation", NULL};
    struct claim *claim = ARENA_NEW(reader->arena, struct claim);
    struct json_place generation = json_member(params, "consumer_generation");
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "consumer_uuid", &claim->consumer))
        return false;
    claim->is_delete = true;
    claim->has_generation = json_present(&generation);
    if (claim->has_generation &&
        !json_read_integer(reader, &generation, JSON_ANY_INTEGER, &claim->generation))
        return false;
    ret_change->claims = claim;
    ret_change->claim_count = 1;
    return true;
}

/* {consumer: the params of allocation.set without consumer_uuid} */
static bool read_claims(struct json_reader *reader, const struct json_place *place,
                        struct json_size size, struct change_params *ret_change)
{
    static const char *const known[] = {PARAMS_CLAIM_MEMBERS, NULL};
    struct json_entries entries = {NULL, 0};
    if (!json_read_uuid_keys(reader, place, size, &entries))
        return false;
    struct claim *claims = ARENA_ARRAY(reader->arena, struct claim, entries.count);
    for (size_t i = 0; i < entries.count; i++) {
        claims[i].consumer = entries.items[i].uuid;
        if (!json_read_object(reader, &entries.items[i].place, known) ||
            !params_claim(reader, &entries.items[i].place, &claims[i]))
            return false;
    }
    ret_change->claims = claims;
    ret_change->claim_count = entries.count;
    return true;
}

static bool read_allocation_batch(struct json_reader *reader, const struct json_place *params,
                                  struct change_params *ret_change)
{
    static const char *const known[] = {"consumers", NULL};
    struct json_place consumers = json_member(params, "consumers");
    return json_read_object(reader, params, known) &&
           read_claims(reader, &consumers, batch_size, ret_change);
}

static bool read_reshape(struct json_reader *reader, const struct json_place *params,
                         struct change_params *ret_change)
{
    static const char *const known[] = {"inventories", "allocations", NULL};
    static const char *const known_inventory[] = {"resource_provider_generation", "inventories",
                                                  NULL};
    struct json_place inventories = json_member(params, "inventories");
    struct json_place allocations = json_member(params, "allocations");
    struct json_entries entries = {NULL, 0};
    if (!json_read_object(reader, params, known) ||
        !json_read_uuid_keys(reader, &inventories, inventories_size, &entries))
        return false;
    struct inventory_change *changes =
        ARENA_ARRAY(reader->arena, struct inventory_change, entries.count);
    for (size_t i = 0; i < entries.count; i++) {
        changes[i].provider = entries.items[i].uuid;
        if (!json_read_object(reader, &entries.items[i].place, known_inventory) ||
            !params_inventory_change(reader, &entries.items[i].place, &changes[i]))
            return false;
    }
    ret_change->inventories = changes;
    ret_change->inventory_count = entries.count;
    return read_claims(reader, &allocations, moved_size, ret_change);
}

bool params_read(struct json_reader *reader, const struct json_place *params,
                 struct command *command)
{
    switch (command->kind) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE: return read_provider(reader, params, &command->params.provider);
    case COMMAND_PROVIDER_DELETE:
    case COMMAND_PROVIDER_GET:
        return read_only_uuid(reader, params, "uuid", &command->params.provider.uuid);
    case COMMAND_PROVIDER_ALLOCATIONS: return read_page(reader, params, &command->params.page);
    case COMMAND_INVENTORY_SET: return read_inventory_set(reader, params, &command->params.change);
    case COMMAND_ALLOCATION_SET:
        return read_allocation_set(reader, params, &command->params.change);
    case COMMAND_ALLOCATION_BATCH:
        return read_allocation_batch(reader, params, &command->params.change);
    case COMMAND_ALLOCATION_DELETE:
        return read_allocation_delete(reader, params, &command->params.change);
    case COMMAND_ALLOCATION_GET:
        return read_only_uuid(reader, params, "consumer_uuid", &command->params.consumer);
    case COMMAND_USAGE_GET: return read_usage(reader, params, &command->params.usage);
    case COMMAND_RESHAPE: return read_reshape(reader, params, &command->params.change);
    }
    return false;
}
