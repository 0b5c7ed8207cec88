/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. read_resource() and read_inventory() each read one argument. resource_groups_read() walks
 * through the items once and puts each resource into the group that `open` points to; what the
 * order of the options means is decided before, by the first item and the number of providers.
 *
 * Ranges that depend on two values (reserved and total, min_unit and max_unit) are left to the
 * worker, whose failure names the place as well.
 */
#include "ctl/request/resource_argument.h"

#include <string.h>

#include "allot/limits.h"
#include "common/codec/resource_class.h"
#include "common/codec/units.h"

#define AMOUNT_WANTED "a whole number from 1 to 2147483647"

enum { RATIO_PLACES = 6 };

struct reader {
    struct arena *arena;
    struct error *error;
    const char *argument; /* that is being read */
};

/* --- one value ------------------------------------------------------------------------------ */

static bool fail(const struct reader *reader, const char *why)
{
    error_set(reader->error, "--resource '%s': %s", reader->argument, why);
    return false;
}

/* Splits a text at the first `separator`. Returns false if it has none. */
static bool split(struct text text, char separator, struct text *ret_before, struct text *ret_after)
{
    const char *at = text.length > 0 ? memchr(text.bytes, separator, text.length) : NULL;
    if (at == NULL)
        return false;
    size_t length = (size_t)(at - text.bytes);
    *ret_before = text_view(text.bytes, length);
    *ret_after = text_view(at + 1, text.length - length - 1);
    return true;
}

static bool read_number(struct text text, int64_t minimum, int64_t *ret_number)
{
    int64_t number = 0;
    if (!units_parse(UNIT_COUNT, text, &number) || number < minimum || number > INT32_MAX)
        return false;
    *ret_number = number;
    return true;
}

/* Reads up to six places behind the point. */
static bool read_places(struct text places, int64_t *ret_millionths)
{
    int64_t millionths = 0;
    if (places.length == 0 || places.length > RATIO_PLACES)
        return false;
    for (size_t i = 0; i < RATIO_PLACES; i++) {
        char digit = i < places.length ? places.bytes[i] : '0';
        if (digit < '0' || digit > '9')
            return false;
        millionths = 10 * millionths + (digit - '0');
    }
    *ret_millionths = millionths;
    return true;
}

static bool read_ratio(struct text text, int64_t *ret_ratio)
{
    struct text whole = text, places = text_of("0");
    int64_t units = 0, millionths = 0;
    (void)split(text, '.', &whole, &places);
    if (!read_number(whole, 0, &units) || !read_places(places, &millionths))
        return false;
    *ret_ratio = units * RATIO_ONE + millionths;
    return *ret_ratio >= RATIO_MIN && *ret_ratio <= RATIO_MAX;
}

static bool check_class(const struct reader *reader, struct text class)
{
    if (resource_class_valid(class))
        return true;
    error_set(reader->error,
              "--resource '%s': unknown resource class '%.*s': expected a standard class, such as "
              "VCPU, or one that begins with CUSTOM_",
              reader->argument, TEXT_ARGS(class));
    return false;
}

/* --- what a consumer gets ------------------------------------------------------------------- */

static bool read_resource(const struct reader *reader, struct resource *ret_resource)
{
    struct text amount;
    ret_resource->argument = reader->argument;
    if (!split(text_of(reader->argument), '=', &ret_resource->resource_class, &amount) ||
        !read_number(amount, 1, &ret_resource->amount))
        return fail(reader, "expected CLASS=AMOUNT, the amount " AMOUNT_WANTED);
    return check_class(reader, ret_resource->resource_class);
}

static bool add_resource(const struct reader *reader, struct resource_group *group)
{
    struct resource resource;
    if (!read_resource(reader, &resource))
        return false;
    for (size_t i = 0; i < group->count; i++) {
        if (text_equal(group->resources[i].resource_class, resource.resource_class))
            return fail(reader, "this class is given twice for the provider");
    }
    group->resources = arena_grown(reader->arena, group->resources, group->count, &group->capacity,
                                   sizeof *group->resources);
    group->resources[group->count++] = resource;
    return true;
}

/* Adds a group that has neither a provider nor resources yet. */
static struct resource_group *open_group(const struct reader *reader,
                                         struct resource_groups *groups)
{
    groups->groups = arena_grown(reader->arena, groups->groups, groups->count, &groups->capacity,
                                 sizeof *groups->groups);
    groups->groups[groups->count] = (struct resource_group){0};
    return &groups->groups[groups->count++];
}

static bool check_group(const struct reader *reader, const struct resource_groups *groups,
                        const struct resource_group *group)
{
    if (group->provider == NULL) {
        error_set(reader->error, "--resource '%s': no --provider belongs to it",
                  group->resources[0].argument);
        return false;
    }
    if (group->count == 0) {
        error_set(reader->error, "--provider '%s': no --resource belongs to it", group->provider);
        return false;
    }
    for (const struct resource_group *other = groups->groups; other < group; other++) {
        if (strcmp(other->provider, group->provider) != 0)
            continue;
        error_set(reader->error, "--provider '%s' is given twice", group->provider);
        return false;
    }
    return true;
}

static size_t count_providers(const struct option_item *items, size_t count)
{
    size_t providers = 0;
    for (size_t i = 0; i < count; i++)
        providers += items[i].id == OPTION_PROVIDER;
    return providers;
}

/* Returns whether an item begins a new group: each provider where providers come first; else what
   follows a provider. */
static bool begins_group(const struct option_item *items, size_t i)
{
    bool is_provider_first = items[0].id == OPTION_PROVIDER;
    return i == 0 || items[is_provider_first ? i : i - 1].id == OPTION_PROVIDER;
}

/* Puts all items into groups, in their order. */
static bool fill_groups(struct reader *reader, const struct option_item *items, size_t count,
                        struct resource_groups *groups)
{
    bool is_single = count_providers(items, count) == 1;
    struct resource_group *open = NULL;
    for (size_t i = 0; i < count; i++) {
        reader->argument = items[i].value;
        if (open == NULL || (!is_single && begins_group(items, i)))
            open = open_group(reader, groups);
        if (items[i].id == OPTION_PROVIDER)
            open->provider = items[i].value;
        else if (!add_resource(reader, open))
            return false;
    }
    return true;
}

bool resource_groups_read(const struct option_item *items, size_t count, struct arena *arena,
                          struct resource_groups *ret_groups, struct error *error)
{
    struct reader reader = {.arena = arena, .error = error};
    *ret_groups = (struct resource_groups){0};
    if (count == 0) {
        error_set(error, "missing options --resource and --provider");
        return false;
    }
    if (!fill_groups(&reader, items, count, ret_groups))
        return false;
    for (size_t i = 0; i < ret_groups->count; i++) {
        if (!check_group(&reader, ret_groups, &ret_groups->groups[i]))
            return false;
    }
    return true;
}

/* --- what a provider has -------------------------------------------------------------------- */

struct inventory_key {
    const char *name;
    size_t offset; /* in struct inventory */
    int64_t minimum;
};

static const struct inventory_key keys[] = {
    {"reserved", offsetof(struct inventory, reserved), 0},
    {"min_unit", offsetof(struct inventory, min_unit), 1},
    {"max_unit", offsetof(struct inventory, max_unit), 1},
    {"step_size", offsetof(struct inventory, step_size), 1},
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0], RATIO_BIT = KEY_COUNT };

/* Returns the index of a key; RATIO_BIT for the ratio; more if there is no such key. */
static size_t key_index(struct text name)
{
    size_t i = 0;
    if (text_is(name, "allocation_ratio"))
        return RATIO_BIT;
    while (i < KEY_COUNT && !text_is(name, keys[i].name))
        i++;
    return i < KEY_COUNT ? i : RATIO_BIT + 1;
}

static bool read_value(const struct reader *reader, size_t index, struct text value,
                       struct inventory *inventory)
{
    if (index == RATIO_BIT)
        return read_ratio(value, &inventory->ratio) ||
               fail(reader, "allocation_ratio: expected a decimal from 0.000001 to 1000000 with at "
                            "most 6 places");
    void *member = (char *)inventory + keys[index].offset;
    if (read_number(value, keys[index].minimum, member))
        return true;
    error_set(reader->error, "--resource '%s': %s: expected a whole number from %d to 2147483647",
              reader->argument, keys[index].name, (int)keys[index].minimum);
    return false;
}

/* Reads one "KEY=VALUE"; `seen` has a bit for each key before it. */
static bool read_pair(const struct reader *reader, struct text pair, unsigned *seen,
                      struct inventory *inventory)
{
    struct text name, value;
    size_t index = split(pair, '=', &name, &value) ? key_index(name) : RATIO_BIT + 1;
    if (index > RATIO_BIT)
        return fail(reader, "expected CLASS=TOTAL:KEY=VALUE,... with the keys reserved, min_unit, "
                            "max_unit, step_size and allocation_ratio");
    if ((*seen >> index & 1) != 0)
        return fail(reader, "a key is given twice");
    *seen |= 1U << index;
    return read_value(reader, index, value, inventory);
}

static bool read_pairs(const struct reader *reader, struct text pairs, struct inventory *inventory)
{
    unsigned seen = 0;
    struct text pair, rest = pairs;
    while (split(rest, ',', &pair, &rest)) {
        if (!read_pair(reader, pair, &seen, inventory))
            return false;
    }
    return read_pair(reader, rest, &seen, inventory);
}

static bool read_inventory(const struct reader *reader, struct inventory *ret_inventory)
{
    struct text class = TEXT_NONE, value = TEXT_NONE, total, pairs;
    *ret_inventory = (struct inventory){
        .min_unit = 1, .max_unit = INT32_MAX, .step_size = 1, .ratio = RATIO_ONE};
    (void)split(text_of(reader->argument), '=', &class, &value);
    bool has_pairs = split(value, ':', &total, &pairs);
    if (!read_number(has_pairs ? total : value, 1, &ret_inventory->total))
        return fail(reader,
                    "expected CLASS=TOTAL or CLASS=TOTAL:KEY=VALUE,..., the total " AMOUNT_WANTED);
    ret_inventory->resource_class = class;
    return check_class(reader, class) && (!has_pairs || read_pairs(reader, pairs, ret_inventory));
}

bool inventories_read(const struct option_item *items, size_t count, struct arena *arena,
                      struct inventory **ret_inventories, struct error *error)
{
    struct inventory *inventories = ARENA_ARRAY(arena, struct inventory, count);
    for (size_t i = 0; i < count; i++) {
        struct reader reader = {arena, error, items[i].value};
        if (!read_inventory(&reader, &inventories[i]))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (text_equal(inventories[j].resource_class, inventories[i].resource_class))
                return fail(&reader, "this class is given twice");
        }
    }
    *ret_inventories = inventories;
    return true;
}
