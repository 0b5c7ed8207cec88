/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/consumer.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/output.h"
#include "ctl/request/reply_member.h"
#include "ctl/request/labelled_text.h"
#include "ctl/table.h"

static const struct table_column columns[] = {
    {"PROVIDER", false, false, true},
    {"UUID", false, false, false},
    {"CLASS", false, false, false},
    {"AMOUNT", true, false, false},
};

json_t *consumer_read(struct requests *requests, const char *uuid)
{
    json_t *consumer = request_result(requests, COMMAND_ALLOCATION_GET,
                                      json_pack("{s:s}", "consumer_uuid", uuid), NULL);
    if (consumer == NULL || json_object_size(json_object_get(consumer, "allocations")) > 0)
        return consumer;
    struct error error;
    error_set(&error, "there is no consumer %s: nothing is allocated to it", uuid);
    (void)fail_with(&error);
    return NULL;
}

static void print_mappings(const json_t *mappings)
{
    if (!json_is_object(mappings))
        return;
    char *text = json_dumps(mappings, JSON_COMPACT);
    print_labelled("mappings", text_of(text));
    free(text);
}

static void print_provider(struct table *table, struct text name, const char *uuid,
                           const json_t *allocation)
{
    json_t *resources = json_object_get(allocation, "resources");
    for (void *m = json_object_iter(resources); m != NULL;
         m = json_object_iter_next(resources, m)) {
        table_cell(table, name, TONE_PLAIN);
        table_cell(table, text_of(uuid), TONE_PLAIN);
        table_cell(table, text_of(json_object_iter_key(m)), TONE_PLAIN);
        table_number(table, json_integer_value(json_object_iter_value(m)));
    }
}

void consumer_print(const char *uuid, json_t *consumer, struct provider_names *names,
                    const struct options *options, struct arena *arena)
{
    json_t *allocations = json_object_get(consumer, "allocations");
    struct table *table = table_new(arena, columns, sizeof columns / sizeof columns[0], options);
    print_labelled("consumer", text_of(uuid));
    print_labelled("project", reply_member_text(consumer, "project_id"));
    print_labelled("user", reply_member_text(consumer, "user_id"));
    print_labelled("type", reply_member_text(consumer, "consumer_type"));
    print_labelled_number("generation", reply_member_integer(consumer, "consumer_generation"));
    print_mappings(json_object_get(consumer, "mappings"));
    (void)putchar('\n');
    for (void *m = json_object_iter(allocations); m != NULL;
         m = json_object_iter_next(allocations, m)) {
        const char *provider = json_object_iter_key(m);
        print_provider(table, provider_names_get(names, provider), provider,
                       json_object_iter_value(m));
    }
    table_end(table);
}
