/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/ratio.h"
#include "ctl/commands.h"
#include "ctl/request/arguments.h"
#include "ctl/request/inventory_json.h"
#include "ctl/request/reply_member.h"
#include "ctl/request/labelled_text.h"
#include "ctl/request/provider_name.h"
#include "ctl/table.h"

enum { PAGE_MAX = 1000 };

static const struct table_column inventory_columns[] = {
    {"CLASS", false, false, false},   {"TOTAL", true, false, false},
    {"RESERVED", true, false, false}, {"RATIO", true, false, false},
    {"USED", true, false, false},     {"FREE", true, false, false},
    {"MIN_UNIT", true, true, false},  {"MAX_UNIT", true, true, false},
    {"STEP_SIZE", true, true, false},
};

static const struct table_column consumer_columns[] = {
    {"CONSUMER", false, false, false},
    {"GENERATION", true, false, false},
    {"CLASS", false, false, false},
    {"AMOUNT", true, false, false},
};

struct show {
    struct requests *requests;
    const struct options *options;
    struct arena *arena;
    const char *uuid;
    int64_t left; /* of --limit */
};

/* --- the provider --------------------------------------------------------------------------- */

static void print_head(const json_t *provider)
{
    print_labelled("name", reply_member_text(provider, "name"));
    print_labelled("uuid", reply_member_text(provider, "uuid"));
    print_labelled("parent", reply_member_text(provider, "parent_provider_uuid"));
    print_labelled("root", reply_member_text(provider, "root_provider_uuid"));
    print_labelled_number("generation", reply_member_integer(provider, "generation"));
}

static void print_inventory(struct table *table, const struct inventory *inventory, int64_t used)
{
    int64_t free_amount = inventory_capacity(inventory) - used;
    table_cell(table, inventory->resource_class, TONE_PLAIN);
    table_number(table, inventory->total);
    table_number(table, inventory->reserved);
    table_cell(table, text_of(ratio_format(inventory->ratio).chars), TONE_PLAIN);
    table_number(table, used);
    table_number(table, free_amount);
    table_number(table, inventory->min_unit);
    table_number(table, inventory->max_unit);
    table_number(table, inventory->step_size);
}

static void print_inventories(const struct show *show, json_t *provider)
{
    json_t *inventories = json_object_get(provider, "inventories");
    const json_t *usages = json_object_get(provider, "usages");
    struct table *table =
        table_new(show->arena, inventory_columns,
                  sizeof inventory_columns / sizeof inventory_columns[0], show->options);
    if (json_object_size(inventories) > 0)
        (void)putchar('\n');
    for (void *m = json_object_iter(inventories); m != NULL;
         m = json_object_iter_next(inventories, m)) {
        const char *class = json_object_iter_key(m);
        struct inventory inventory = inventory_of_json(class, json_object_iter_value(m));
        print_inventory(table, &inventory, reply_member_integer(usages, class));
    }
    table_end(table);
}

/* --- its consumers -------------------------------------------------------------------------- */

static void print_consumer(struct table *table, const char *consumer, const json_t *allocation)
{
    json_t *resources = json_object_get(allocation, "resources");
    for (void *m = json_object_iter(resources); m != NULL;
         m = json_object_iter_next(resources, m)) {
        table_cell(table, text_of(consumer), TONE_PLAIN);
        table_number(table, reply_member_integer(allocation, "consumer_generation"));
        table_cell(table, text_of(json_object_iter_key(m)), TONE_PLAIN);
        table_number(table, json_integer_value(json_object_iter_value(m)));
    }
}

static json_t *ask_page(const struct show *show, const char *after)
{
    int64_t limit = show->left < PAGE_MAX ? show->left : PAGE_MAX;
    json_t *params = json_pack("{s:s, s:I, s:s*}", "uuid", show->uuid, "limit", (json_int_t)limit,
                               "after", after);
    return request_result(show->requests, COMMAND_PROVIDER_ALLOCATIONS, params, NULL);
}

/* Prints the rows of a page. Returns the UUID that the next page begins after; NULL: none. */
static const char *print_page(struct show *show, struct table *table, const json_t *page)
{
    json_t *consumers = json_object_get(page, "allocations");
    for (void *m = json_object_iter(consumers); m != NULL; m = json_object_iter_next(consumers, m))
        print_consumer(table, json_object_iter_key(m), json_object_iter_value(m));
    show->left -= (int64_t)json_object_size(consumers);
    return json_string_value(json_object_get(page, "next"));
}

static int print_consumers(struct show *show)
{
    const char *after = NULL;
    struct table *table =
        table_new(show->arena, consumer_columns,
                  sizeof consumer_columns / sizeof consumer_columns[0], show->options);
    (void)putchar('\n');
    do {
        const json_t *page = ask_page(show, after);
        if (page == NULL)
            return EXIT_FAILED;
        after = print_page(show, table, page);
    } while (after != NULL && show->left > 0);
    table_end(table);
    if (after != NULL)
        (void)fputs("allotctl: there are more consumers; see --limit\n", stderr);
    return EXIT_SUCCESS;
}

static int show_provider(struct show *show)
{
    json_t *provider = request_result(show->requests, COMMAND_PROVIDER_GET,
                                      json_pack("{s:s}", "uuid", show->uuid), NULL);
    if (provider == NULL)
        return EXIT_FAILED;
    if (show->options->json) {
        print_json(provider);
        return EXIT_SUCCESS;
    }
    print_head(provider);
    print_inventories(show, provider);
    return show->options->form == OUTPUT_WIDE ? print_consumers(show) : EXIT_SUCCESS;
}

int provider_show_command(const struct options *options, struct arena *arena)
{
    struct uuid uuid;
    if (!argument_given(options, "PROVIDER"))
        return EXIT_USAGE;
    struct requests *requests = requests_open(options, arena);
    int status = EXIT_FAILED;
    if (requests != NULL && provider_find(requests, options->operand, &uuid)) {
        struct uuid_text text = uuid_format(uuid);
        struct show show = {requests, options, arena, text.chars, options->limit};
        status = show_provider(&show);
    }
    requests_close(requests);
    return status;
}
