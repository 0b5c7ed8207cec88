/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/ratio.h"
#include "ctl/commands.h"
#include "ctl/request/arguments.h"
#include "ctl/request/inventory_json.h"
#include "ctl/request/reply_member.h"
#include "ctl/request/provider_name.h"
#include "ctl/request/resource_argument.h"
#include "ctl/table.h"

static const struct table_column columns[] = {
    {"CLASS", false, false, false},  {"CHANGE", false, false, false},
    {"TOTAL", true, false, false},   {"RESERVED", true, false, false},
    {"RATIO", true, false, false},   {"MIN_UNIT", true, true, false},
    {"MAX_UNIT", true, true, false}, {"STEP_SIZE", true, true, false},
};

struct change {
    struct requests *requests;
    const struct options *options;
    struct arena *arena;
    struct uuid_text provider;
    int64_t generation;
    json_t *before; /* the inventories before; NULL: unknown, since the generation was given */
};

/* --- what has changed ----------------------------------------------------------------------- */

static void print_row(struct table *table, const struct inventory *inventory, const char *change)
{
    table_cell(table, inventory->resource_class, TONE_PLAIN);
    table_cell(table, text_of(change), TONE_PLAIN);
    table_number(table, inventory->total);
    table_number(table, inventory->reserved);
    table_cell(table, text_of(ratio_format(inventory->ratio).chars), TONE_PLAIN);
    table_number(table, inventory->min_unit);
    table_number(table, inventory->max_unit);
    table_number(table, inventory->step_size);
}

static const char *change_of(const struct change *change, const char *class,
                             const struct inventory *after)
{
    if (change->before == NULL)
        return "set";
    const json_t *record = json_object_get(change->before, class);
    if (record == NULL)
        return "added";
    struct inventory before = inventory_of_json(class, record);
    return inventory_equal(&before, after) ? "same" : "changed";
}

static void print_changes(const struct change *change, const json_t *result)
{
    json_t *after = json_object_get(result, "inventories");
    struct table *table =
        table_new(change->arena, columns, sizeof columns / sizeof columns[0], change->options);
    (void)printf("provider %s, generation %" PRId64 "\n", change->provider.chars,
                 reply_member_integer(result, "resource_provider_generation"));
    for (void *m = json_object_iter(after); m != NULL; m = json_object_iter_next(after, m)) {
        const char *class = json_object_iter_key(m);
        struct inventory inventory = inventory_of_json(class, json_object_iter_value(m));
        print_row(table, &inventory, change_of(change, class, &inventory));
    }
    for (void *m = json_object_iter(change->before); m != NULL;
         m = json_object_iter_next(change->before, m)) {
        const char *class = json_object_iter_key(m);
        struct inventory inventory = inventory_of_json(class, json_object_iter_value(m));
        if (json_object_get(after, class) == NULL)
            print_row(table, &inventory, "removed");
    }
    table_end(table);
}

/* --- the command ---------------------------------------------------------------------------- */

/* Reads the generation, unless it is given, and with it the inventory that is replaced. */
static bool read_before(struct change *change)
{
    change->generation = change->options->generation;
    if (change->options->generation_given)
        return true;
    json_t *provider = request_result(change->requests, COMMAND_PROVIDER_GET,
                                      json_pack("{s:s}", "uuid", change->provider.chars), NULL);
    change->generation = reply_member_integer(provider, "generation");
    change->before = json_object_get(provider, "inventories");
    return provider != NULL;
}

static json_t *params_of(const struct change *change, const struct inventory *inventories)
{
    json_t *list = json_object();
    for (size_t i = 0; i < change->options->item_count; i++)
        (void)json_object_setn_new(list, inventories[i].resource_class.bytes,
                                   inventories[i].resource_class.length,
                                   inventory_to_json(&inventories[i]));
    return json_pack("{s:s, s:I, s:o}", "uuid", change->provider.chars,
                     "resource_provider_generation", (json_int_t)change->generation, "inventories",
                     list);
}

static int set_inventory(struct change *change, const struct inventory *inventories)
{
    struct uuid uuid;
    if (!provider_find(change->requests, change->options->operand, &uuid))
        return EXIT_FAILED;
    change->provider = uuid_format(uuid);
    if (!read_before(change))
        return EXIT_FAILED;
    struct text repeat = text_format(change->arena, "--generation %" PRId64, change->generation);
    const json_t *result =
        request_result(change->requests, COMMAND_INVENTORY_SET, params_of(change, inventories),
                       change->options->generation_given ? "" : repeat.bytes);
    if (result == NULL)
        return EXIT_FAILED;
    if (change->options->json)
        print_json(result);
    else
        print_changes(change, result);
    return EXIT_SUCCESS;
}

int provider_set_inventory_command(const struct options *options, struct arena *arena)
{
    struct error error = {""};
    struct inventory *inventories = NULL;
    if (!argument_given(options, "PROVIDER") || !argument_key_valid(options))
        return EXIT_USAGE;
    if (!inventories_read(options->items, options->item_count, arena, &inventories, &error))
        return argument_fail(&error);
    if (options->item_count == 0 &&
        !argument_confirmed(options, "Without --resource the inventory becomes empty. Go on?"))
        return EXIT_FAILED;
    struct change change = {requests_open(options, arena), options, arena, {""}, 0, NULL};
    int status = change.requests != NULL ? set_inventory(&change, inventories) : EXIT_FAILED;
    requests_close(change.requests);
    return status;
}
