/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/request/arguments.h"
#include "ctl/request/reply_member.h"
#include "ctl/request/request.h"
#include "ctl/table.h"

static const struct table_column columns[] = {
    {"TYPE", false, false, false},
    {"CONSUMERS", true, false, false},
    {"CLASS", false, false, false},
    {"AMOUNT", true, false, false},
};

/* A group has its classes as members, beside consumer_count. */
static void print_group(struct table *table, const char *type, json_t *group)
{
    for (void *m = json_object_iter(group); m != NULL; m = json_object_iter_next(group, m)) {
        if (strcmp(json_object_iter_key(m), "consumer_count") == 0)
            continue;
        table_cell(table, text_of(type), TONE_PLAIN);
        table_number(table, reply_member_integer(group, "consumer_count"));
        table_cell(table, text_of(json_object_iter_key(m)), TONE_PLAIN);
        table_number(table, json_integer_value(json_object_iter_value(m)));
    }
}

static void print_usages(json_t *usages, const struct options *options, struct arena *arena)
{
    struct table *table = table_new(arena, columns, sizeof columns / sizeof columns[0], options);
    for (void *m = json_object_iter(usages); m != NULL; m = json_object_iter_next(usages, m))
        print_group(table, json_object_iter_key(m), json_object_iter_value(m));
    table_end(table);
}

static int show_usage(struct requests *requests, const struct options *options, struct arena *arena)
{
    json_t *params = json_pack("{s:s, s:s*, s:s*}", "project_id", options->operand, "user_id",
                               options->user, "consumer_type", options->type);
    json_t *result = request_result(requests, COMMAND_USAGE_GET, params, NULL);
    if (result == NULL)
        return EXIT_FAILED;
    if (options->json)
        print_json(result);
    else
        print_usages(json_object_get(result, "usages"), options, arena);
    return EXIT_SUCCESS;
}

int usage_command(const struct options *options, struct arena *arena)
{
    if (!argument_given(options, "PROJECT"))
        return EXIT_USAGE;
    struct requests *requests = requests_open(options, arena);
    int status = requests != NULL ? show_usage(requests, options, arena) : EXIT_FAILED;
    requests_close(requests);
    return status;
}
