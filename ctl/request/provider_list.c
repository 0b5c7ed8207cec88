/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/request/reply_member.h"
#include "ctl/request/request.h"
#include "ctl/table.h"

enum { PAGE_MAX = 1000 };

static const struct table_column columns[] = {
    {"NAME", false, false, true},       {"UUID", false, false, false},
    {"GENERATION", true, false, false}, {"PARENT", false, false, false},
    {"ROOT", false, true, false},
};

struct list {
    struct requests *requests;
    const struct options *options;
    struct table *table;
    int64_t left; /* of --limit */
};

static void print_provider(struct list *list, const json_t *provider)
{
    if (list->options->json) {
        print_json(provider);
        return;
    }
    table_cell(list->table, reply_member_text(provider, "name"), TONE_PLAIN);
    table_cell(list->table, reply_member_text(provider, "uuid"), TONE_PLAIN);
    table_number(list->table, reply_member_integer(provider, "generation"));
    table_cell(list->table, reply_member_text(provider, "parent_provider_uuid"), TONE_PLAIN);
    table_cell(list->table, reply_member_text(provider, "root_provider_uuid"), TONE_PLAIN);
}

/* Returns the result of one page after the name `after`; NULL: from the beginning. */
static json_t *ask_page(struct list *list, const char *after)
{
    int64_t limit = list->left < PAGE_MAX ? list->left : PAGE_MAX;
    json_t *params = json_pack("{s:I, s:s*, s:s*}", "limit", (json_int_t)limit, "after", after,
                               "name_prefix", list->options->prefix);
    return request_result(list->requests, COMMAND_PROVIDER_LIST, params, NULL);
}

/* Prints the rows of a page. Returns the name that the next page begins after; NULL: none. */
static const char *print_page(struct list *list, const json_t *page)
{
    const json_t *providers = json_object_get(page, "providers");
    for (size_t i = 0; i < json_array_size(providers); i++)
        print_provider(list, json_array_get(providers, i));
    list->left -= (int64_t)json_array_size(providers);
    return json_string_value(json_object_get(page, "next"));
}

static int list_all(struct list *list)
{
    const char *after = NULL;
    do {
        const json_t *page = ask_page(list, after);
        if (page == NULL)
            return EXIT_FAILED;
        after = print_page(list, page);
    } while (after != NULL && list->left > 0);
    table_end(list->table);
    if (after != NULL)
        (void)fputs("allotctl: there are more providers; see --limit\n", stderr);
    return EXIT_SUCCESS;
}

int provider_list_command(const struct options *options, struct arena *arena)
{
    struct list list = {
        .requests = requests_open(options, arena),
        .options = options,
        .table = table_new(arena, columns, sizeof columns / sizeof columns[0], options),
        .left = options->limit,
    };
    int status = list.requests != NULL ? list_all(&list) : EXIT_FAILED;
    requests_close(list.requests);
    return status;
}
