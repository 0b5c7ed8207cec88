/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each reader lists the members that it knows, has json_read_object reject all others, and then
 * reads one after another. Objects with UUIDs as keys (consumers, providers) come back sorted,
 * which is the order that the planner relies on.
 *
 * Not here: which command has which reader (command_codec.c), and the parts that are large or used
 * by several readers (params_claim.c, params_inventory.c).
 */
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

/* Reads params whose only member is the UUID `name`. */
static bool read_only_uuid(struct json_reader *reader, const struct json_place *params,
                           const char *name, struct uuid *ret_uuid)
{
    const char *const known[] = {name, NULL};
    return json_read_object(reader, params, known) &&
           read_uuid_member(reader, params, name, ret_uuid);
}

bool params_read_provider_uuid(struct json_reader *reader, const struct json_place *params,
                               struct command *command)
{
    return read_only_uuid(reader, params, "uuid", &command->params.provider.uuid);
}

bool params_read_consumer_uuid(struct json_reader *reader, const struct json_place *params,
                               struct command *command)
{
    return read_only_uuid(reader, params, "consumer_uuid", &command->params.consumer);
}

bool params_read_provider(struct json_reader *reader, const struct json_place *params,
                          struct command *command)
{
    static const char *const known[] = {"uuid", "name", "parent_provider_uuid", NULL};
    struct provider_params *provider = &command->params.provider;
    struct json_place name = json_member(params, "name");
    struct json_place parent = json_member(params, "parent_provider_uuid");
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "uuid", &provider->uuid) ||
        !json_read_chars(reader, &name, NAME_CHARS_MAX, &provider->name))
        return false;
    /* null means "no parent": an update makes the provider a root; a create may say it as well. */
    provider->parent_given = json_present(&parent);
    provider->has_parent = json_given(&parent);
    return !provider->has_parent || json_read_uuid(reader, &parent, &provider->parent);
}

static bool read_limit(struct json_reader *reader, const struct json_place *params,
                       int64_t *ret_limit)
{
    static const struct json_range range = {1, PAGE_ROWS_MAX};
    struct json_place limit = json_member(params, "limit");
    *ret_limit = PAGE_ROWS_MAX;
    return !json_present(&limit) || json_read_integer(reader, &limit, range, ret_limit);
}

bool params_read_page(struct json_reader *reader, const struct json_place *params,
                      struct command *command)
{
    static const char *const known[] = {"uuid", "limit", "after", NULL};
    struct page_params *page = &command->params.page;
    struct json_place after = json_member(params, "after");
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "uuid", &page->provider) ||
        !read_limit(reader, params, &page->limit))
        return false;
    page->has_after = json_present(&after);
    return !page->has_after || json_read_uuid(reader, &after, &page->after);
}

/* Reads an optional text member; it stays absent if the member is missing. */
static bool read_optional_name(struct json_reader *reader, const struct json_place *params,
                               const char *member, struct text *ret_name)
{
    struct json_place place = json_member(params, member);
    *ret_name = TEXT_NONE;
    return !json_present(&place) || json_read_chars(reader, &place, NAME_CHARS_MAX, ret_name);
}

bool params_read_list(struct json_reader *reader, const struct json_place *params,
                      struct command *command)
{
    static const char *const known[] = {"limit", "after", "name_prefix", NULL};
    struct list_params *list = &command->params.list;
    return json_read_object(reader, params, known) && read_limit(reader, params, &list->limit) &&
           read_optional_name(reader, params, "after", &list->after) &&
           read_optional_name(reader, params, "name_prefix", &list->prefix);
}

bool params_read_usage(struct json_reader *reader, const struct json_place *params,
                       struct command *command)
{
    static const char *const known[] = {"project_id", "user_id", "consumer_type", NULL};
    struct usage_params *usage = &command->params.usage;
    struct json_place project_id = json_member(params, "project_id");
    struct json_place user_id = json_member(params, "user_id");
    struct json_place type = json_member(params, "consumer_type");
    if (!json_read_object(reader, params, known) ||
        !json_read_chars(reader, &project_id, OWNER_CHARS_MAX, &usage->project_id))
        return false;
    if (json_present(&user_id) &&
        !json_read_chars(reader, &user_id, OWNER_CHARS_MAX, &usage->user_id))
        return false;
    if (!json_present(&type))
        return true;
    if (!json_read_text(reader, &type, &usage->consumer_type))
        return false;
    return consumer_type_valid(usage->consumer_type) || text_is(usage->consumer_type, "all") ||
           text_is(usage->consumer_type, "unknown") ||
           json_fail(reader, &type,
                     "must be a consumer type (A-Z, 0-9 and _), \"all\" or \"unknown\"");
}

bool params_read_inventory(struct json_reader *reader, const struct json_place *params,
                           struct command *command)
{
    static const char *const known[] = {"uuid", "resource_provider_generation", "inventories",
                                        NULL};
    struct inventory_change *change = ARENA_NEW(reader->arena, struct inventory_change);
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "uuid", &change->provider) ||
        !params_inventory_change(reader, params, change))
        return false;
    command->params.change.inventories = change;
    command->params.change.inventory_count = 1;
    return true;
}

bool params_read_allocation(struct json_reader *reader, const struct json_place *params,
                            struct command *command)
{
    static const char *const known[] = {"consumer_uuid", PARAMS_CLAIM_MEMBERS, NULL};
    struct claim *claim = ARENA_NEW(reader->arena, struct claim);
    if (!json_read_object(reader, params, known) ||
        !read_uuid_member(reader, params, "consumer_uuid", &claim->consumer) ||
        !params_claim(reader, params, claim))
        return false;
    command->params.change.claims = claim;
    command->params.change.claim_count = 1;
    return true;
}

bool params_read_allocation_delete(struct json_reader *reader, const struct json_place *params,
                                   struct command *command)
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
    command->params.change.claims = claim;
    command->params.change.claim_count = 1;
    return true;
}

/*
 * Reads {consumer: claim, ...}, where a claim has the members of allocation.set but
 * `consumer_uuid`.
 */
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

bool params_read_allocation_batch(struct json_reader *reader, const struct json_place *params,
                                  struct command *command)
{
    static const char *const known[] = {"consumers", NULL};
    struct json_place consumers = json_member(params, "consumers");
    return json_read_object(reader, params, known) &&
           read_claims(reader, &consumers, batch_size, &command->params.change);
}

bool params_read_reshape(struct json_reader *reader, const struct json_place *params,
                         struct command *command)
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
    command->params.change.inventories = changes;
    command->params.change.inventory_count = entries.count;
    return read_claims(reader, &allocations, moved_size, &command->params.change);
}
