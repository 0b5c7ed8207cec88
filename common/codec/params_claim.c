/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/params.h"

#include "allot/limits.h"
#include "common/codec/json_write.h"
#include "common/codec/resource_class.h"

/* One entry of `allocations`: the amounts on one provider, by class. */
struct provider_entry {
    struct json_place resources;
    struct json_entries classes;
};

static bool read_provider_entry(struct json_reader *reader, const struct json_entry *entry,
                                struct provider_entry *ret_entry, struct named_provider *ret_named)
{
    static const char *const known[] = {"resources", "generation", NULL};
    static const struct json_size size = {1, SIZE_MAX, "must have at least one resource class"};
    if (!json_read_object(reader, &entry->place, known))
        return false;

    /* The places of the classes point to this one as their parent, so it must not move. */
    ret_entry->resources = json_member(&entry->place, "resources");
    if (!json_read_text_keys(reader, &ret_entry->resources, size, params_check_class,
                             &ret_entry->classes))
        return false;

    struct json_place generation = json_member(&entry->place, "generation");
    ret_named->provider = entry->uuid;
    ret_named->has_generation = json_present(&generation);
    return !ret_named->has_generation ||
           json_read_integer(reader, &generation, JSON_ANY_INTEGER, &ret_named->generation);
}

static bool read_amounts(struct json_reader *reader, struct uuid provider,
                         struct json_entries classes, struct allocation *allocations)
{
    static const struct json_range range = {1, AMOUNT_MAX};
    for (size_t i = 0; i < classes.count; i++) {
        const struct json_place *place = &classes.items[i].place;
        allocations[i].provider = provider;
        allocations[i].resource_class = text_copy(reader->arena, place->key);
        if (!json_read_integer(reader, place, range, &allocations[i].amount))
            return false;
    }
    return true;
}

/* Two passes: the first counts the allocations, the second fills the array. */
static bool read_allocations(struct json_reader *reader, const struct json_place *place,
                             struct claim *claim)
{
    struct json_entries entries = {NULL, 0};
    struct json_size any_size = {0, SIZE_MAX, NULL};
    if (!json_read_uuid_keys(reader, place, any_size, &entries))
        return false;
    struct provider_entry *parts =
        ARENA_ARRAY(reader->scratch, struct provider_entry, entries.count);
    struct named_provider *named = ARENA_ARRAY(reader->arena, struct named_provider, entries.count);
    size_t count = 0;
    for (size_t i = 0; i < entries.count; i++) {
        if (!read_provider_entry(reader, &entries.items[i], &parts[i], &named[i]))
            return false;
        count += parts[i].classes.count;
    }

    struct allocation *allocations = ARENA_ARRAY(reader->arena, struct allocation, count);
    size_t filled = 0;
    for (size_t i = 0; i < entries.count; i++) {
        struct json_entries classes = parts[i].classes;
        if (!read_amounts(reader, entries.items[i].uuid, classes, allocations + filled))
            return false;
        filled += classes.count;
    }
    claim->providers = named;
    claim->provider_count = entries.count;
    claim->allocations = allocations;
    claim->allocation_count = count;
    return true;
}

static bool is_mapping_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static const char *check_mapping_key(struct text key)
{
    if (key.length > MAPPING_KEY_MAX)
        return "must have a name of at most 64 characters";
    for (size_t i = 0; i < key.length; i++) {
        if (!is_mapping_char(key.bytes[i]))
            return "must have a name of A-Z, a-z, 0-9, _ and -";
    }
    return NULL;
}

/* Writes one mapping with its UUIDs in canonical form. */
static bool copy_mapping(struct json_reader *reader, const struct json_place *place,
                         struct json_writer *writer)
{
    if (!json_is_array(place->value))
        return json_fail(reader, place, "must be an array");
    size_t count = json_array_size(place->value);
    if (count == 0)
        return json_fail(reader, place, "must not be empty");
    json_write_key(writer, place->key);
    json_write_open(writer, '[');
    for (size_t i = 0; i < count; i++) {
        struct json_place element = {
            .parent = place, .index = i, .value = json_array_get(place->value, i)};
        struct uuid uuid;
        if (!json_read_uuid(reader, &element, &uuid))
            return false;
        json_write_uuid(writer, uuid);
    }
    json_write_close(writer, ']');
    return true;
}

static bool read_mappings(struct json_reader *reader, const struct json_place *place,
                          struct text *ret_mappings)
{
    static const struct json_size size = {1, SIZE_MAX, "must have at least one member"};
    struct json_entries entries = {NULL, 0};
    if (!json_read_text_keys(reader, place, size, check_mapping_key, &entries))
        return false;
    struct json_writer writer = json_writer_new(reader->arena);
    json_write_open(&writer, '{');
    for (size_t i = 0; i < entries.count; i++) {
        if (!copy_mapping(reader, &entries.items[i].place, &writer))
            return false;
    }
    json_write_close(&writer, '}');
    *ret_mappings = json_writer_text(&writer);
    return true;
}

/* The member is required: null says that the consumer must not exist yet. */
static bool read_generation(struct json_reader *reader, const struct json_place *object,
                            struct claim *claim)
{
    struct json_place place = json_member(object, "consumer_generation");
    claim->has_generation = json_given(&place) || !json_present(&place);
    return !claim->has_generation ||
           json_read_integer(reader, &place, JSON_ANY_INTEGER, &claim->generation);
}

static bool read_owner(struct json_reader *reader, const struct json_place *object,
                       struct claim *claim)
{
    struct json_place project_id = json_member(object, "project_id");
    struct json_place user_id = json_member(object, "user_id");
    struct json_place type = json_member(object, "consumer_type");
    if (!json_read_chars(reader, &project_id, OWNER_CHARS_MAX, &claim->project_id) ||
        !json_read_chars(reader, &user_id, OWNER_CHARS_MAX, &claim->user_id) ||
        !json_read_text(reader, &type, &claim->consumer_type))
        return false;
    return consumer_type_valid(claim->consumer_type) ||
           json_fail(reader, &type, "must be a consumer type: A-Z, 0-9 and _");
}

bool params_claim(struct json_reader *reader, const struct json_place *object,
                  struct claim *ret_claim)
{
    struct claim claim = *ret_claim;
    struct json_place allocations = json_member(object, "allocations");
    struct json_place mappings = json_member(object, "mappings");
    if (!read_owner(reader, object, &claim) || !read_generation(reader, object, &claim) ||
        !read_allocations(reader, &allocations, &claim))
        return false;
    if (json_present(&mappings) && !read_mappings(reader, &mappings, &claim.mappings))
        return false;
    *ret_claim = claim;
    return true;
}
