/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/params.h"

#include "allot/limits.h"
#include "common/codec/ratio.h"
#include "common/codec/resource_class.h"

static const struct json_range unit_range = {1, AMOUNT_MAX};

const char *params_check_class(struct text name)
{
    return resource_class_valid(name) ? NULL : "is an unknown resource class";
}

/* Reads an optional integer. If it is missing, `ret_integer` keeps its value. */
static bool read_optional(struct json_reader *reader, const struct json_place *record,
                          const char *name, struct json_range range, int64_t *ret_integer)
{
    struct json_place place = json_member(record, name);
    return !json_present(&place) || json_read_integer(reader, &place, range, ret_integer);
}

static bool read_ratio(struct json_reader *reader, const struct json_place *record,
                       int64_t *ret_ratio)
{
    struct json_place place = json_member(record, "allocation_ratio");
    if (!json_present(&place))
        return true;
    if (!json_is_number(place.value))
        return json_fail(reader, &place, "must be a number");
    bool valid = json_is_integer(place.value)
                     ? ratio_from_integer(json_integer_value(place.value), ret_ratio)
                     : ratio_from_double(json_real_value(place.value), ret_ratio);
    return valid ||
           json_fail(reader, &place, "must be from 0.000001 to 1000000, with at most 6 decimals");
}

/* `min_unit` is in the record if this fails, since its default is not above any max_unit. */
static bool check_units(struct json_reader *reader, const struct json_place *record,
                        const struct inventory *inventory)
{
    if (inventory->min_unit <= inventory->max_unit)
        return true;
    struct json_place place = json_member(record, "min_unit");
    struct text reason =
        text_format(reader->arena, "is greater than max_unit: %lld (max_unit: %lld)",
                    (long long)inventory->min_unit, (long long)inventory->max_unit);
    return json_fail(reader, &place, reason.bytes);
}

static bool read_record(struct json_reader *reader, const struct json_place *record,
                        struct inventory *ret_inventory)
{
    static const char *const known[] = {"total",     "reserved",         "min_unit", "max_unit",
                                        "step_size", "allocation_ratio", NULL};
    struct inventory inventory = {
        .min_unit = 1,
        .max_unit = AMOUNT_MAX,
        .step_size = 1,
        .ratio = RATIO_ONE,
    };
    if (!json_read_object(reader, record, known))
        return false;
    struct json_place total = json_member(record, "total");
    if (!json_read_integer(reader, &total, unit_range, &inventory.total))
        return false;
    struct json_range reserved_range = {0, inventory.total};
    if (!read_optional(reader, record, "reserved", reserved_range, &inventory.reserved) ||
        !read_optional(reader, record, "min_unit", unit_range, &inventory.min_unit) ||
        !read_optional(reader, record, "max_unit", unit_range, &inventory.max_unit) ||
        !check_units(reader, record, &inventory) ||
        !read_optional(reader, record, "step_size", unit_range, &inventory.step_size) ||
        !read_ratio(reader, record, &inventory.ratio))
        return false;
    inventory.resource_class = text_copy(reader->arena, record->key);
    *ret_inventory = inventory;
    return true;
}

bool params_inventory_change(struct json_reader *reader, const struct json_place *object,
                             struct inventory_change *ret_change)
{
    struct inventory_change change = *ret_change;
    struct json_place generation = json_member(object, "resource_provider_generation");
    if (!json_read_integer(reader, &generation, JSON_ANY_INTEGER, &change.generation))
        return false;

    struct json_entries entries = {NULL, 0};
    struct json_place place = json_member(object, "inventories");
    struct json_size any_size = {0, SIZE_MAX, NULL};
    if (!json_read_text_keys(reader, &place, any_size, params_check_class, &entries))
        return false;
    struct inventory *inventories = ARENA_ARRAY(reader->arena, struct inventory, entries.count);
    for (size_t i = 0; i < entries.count; i++) {
        if (!read_record(reader, &entries.items[i].place, &inventories[i]))
            return false;
    }
    change.inventories = inventories;
    change.count = entries.count;
    *ret_change = change;
    return true;
}
