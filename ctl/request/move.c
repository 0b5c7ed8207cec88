/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The new allocations are those that allocation.get returns, in which everything of one
 * provider now stands under another; amounts of a class that the consumer has on both are added.
 * They are set at the generation that was read, so a change of somebody else in between is a
 * conflict, and nothing is lost. Mappings that name the old provider name the new one then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/request/arguments.h"
#include "ctl/request/claim.h"
#include "ctl/request/consumer.h"
#include "ctl/request/provider_name.h"

static bool fail(const char *format, const char *value)
{
    struct error error;
    error_set(&error, format, value);
    (void)fail_with(&error);
    return false;
}

/* --- from where to where -------------------------------------------------------------------- */

/* Sets the provider of a consumer that has only one. */
static bool only_provider(const json_t *consumer, const char *to, struct uuid_text *ret_from)
{
    json_t *allocations = json_object_get(consumer, "allocations");
    if (json_object_size(allocations) > 1)
        return fail("the consumer has allocations on more than one provider: say with --from which "
                    "of them move to '%s'",
                    to);
    const char *uuid = json_object_iter_key(json_object_iter(allocations));
    struct uuid parsed;
    if (!uuid_parse(text_of(uuid), &parsed))
        return fail("the reply has no UUID of a provider: '%s'", uuid);
    *ret_from = uuid_format(parsed);
    return true;
}

static bool find_from(struct requests *requests, const struct options *options,
                      const json_t *consumer, struct uuid_text *ret_from)
{
    struct uuid from;
    if (options->from == NULL)
        return only_provider(consumer, options->to, ret_from);
    if (!provider_find(requests, options->from, &from))
        return false;
    *ret_from = uuid_format(from);
    return json_object_get(json_object_get(consumer, "allocations"), ret_from->chars) != NULL ||
           fail("the consumer has no allocations on the provider '%s'; nothing is moved",
                options->from);
}

/* --- the new allocations -------------------------------------------------------------------- */

/* Adds the amounts of one provider to those in `resources`. */
static void add_resources(json_t *resources, json_t *more)
{
    for (void *m = json_object_iter(more); m != NULL; m = json_object_iter_next(more, m)) {
        const char *class = json_object_iter_key(m);
        json_int_t amount = json_integer_value(json_object_iter_value(m));
        amount += json_integer_value(json_object_get(resources, class));
        (void)json_object_set_new(resources, class, json_integer(amount));
    }
}

static json_t *moved_allocations(json_t *allocations, const char *from, const char *to)
{
    json_t *moved = json_object();
    for (void *m = json_object_iter(allocations); m != NULL;
         m = json_object_iter_next(allocations, m)) {
        const char *provider = json_object_iter_key(m);
        const char *target = strcmp(provider, from) == 0 ? to : provider;
        json_t *group = json_object_get(moved, target);
        if (group == NULL) {
            group = json_pack("{s:{}}", "resources");
            (void)json_object_set_new(moved, target, group);
        }
        add_resources(json_object_get(group, "resources"),
                      json_object_get(json_object_iter_value(m), "resources"));
    }
    return moved;
}

static bool has_text(const json_t *list, struct text text)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (text_equal(text_of(json_string_value(json_array_get(list, i))), text))
            return true;
    }
    return false;
}

static json_t *moved_list(const json_t *list, const char *from, const char *to)
{
    json_t *moved = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct text provider = text_of(json_string_value(json_array_get(list, i)));
        struct text target = text_is(provider, from) ? text_of(to) : provider;
        if (!has_text(moved, target))
            (void)json_array_append_new(moved, json_stringn(target.bytes, target.length));
    }
    return moved;
}

static json_t *moved_mappings(json_t *mappings, const char *from, const char *to)
{
    json_t *moved = json_object();
    for (void *m = json_object_iter(mappings); m != NULL; m = json_object_iter_next(mappings, m))
        (void)json_object_set_new(moved, json_object_iter_key(m),
                                  moved_list(json_object_iter_value(m), from, to));
    return moved;
}

static json_t *moved_claim(const json_t *consumer, const char *uuid, const char *from,
                           const char *to)
{
    json_t *params = json_pack("{s:s, s:O, s:O, s:O, s:O}", "consumer_uuid", uuid, "project_id",
                               json_object_get(consumer, "project_id"), "user_id",
                               json_object_get(consumer, "user_id"), "consumer_generation",
                               json_object_get(consumer, "consumer_generation"), "consumer_type",
                               json_object_get(consumer, "consumer_type"));
    json_t *mappings = json_object_get(consumer, "mappings");
    (void)json_object_set_new(
        params, "allocations",
        moved_allocations(json_object_get(consumer, "allocations"), from, to));
    if (json_is_object(mappings))
        (void)json_object_set_new(params, "mappings", moved_mappings(mappings, from, to));
    return params;
}

/* --- the command ---------------------------------------------------------------------------- */

static int move(struct requests *requests, const char *consumer, const struct options *options,
                struct arena *arena)
{
    struct uuid target;
    struct uuid_text from = {""};
    if (!provider_find(requests, options->to, &target))
        return EXIT_FAILED;
    struct uuid_text to = uuid_format(target);
    const json_t *stored = consumer_read(requests, consumer);
    if (stored == NULL || !find_from(requests, options, stored, &from))
        return EXIT_FAILED;
    if (strcmp(from.chars, to.chars) == 0) {
        (void)fail("the allocations are on the provider '%s' already; nothing is moved",
                   options->to);
        return EXIT_FAILED;
    }
    /* After it was moved, the same arguments do not make the same command. */
    return claim_send(requests, moved_claim(stored, consumer, from.chars, to.chars), NULL, options,
                      arena);
}

int move_command(const struct options *options, struct arena *arena)
{
    struct uuid uuid;
    if (!argument_uuid(options, "CONSUMER", &uuid) || !argument_key_valid(options) ||
        !argument_option_given(options->to, "to"))
        return EXIT_USAGE;
    struct requests *requests = requests_open(options, arena);
    int status =
        requests != NULL ? move(requests, uuid_format(uuid).chars, options, arena) : EXIT_FAILED;
    requests_close(requests);
    return status;
}
