/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/request/arguments.h"
#include "ctl/request/claim.h"
#include "ctl/request/consumer.h"
#include "ctl/request/reply_member.h"
#include "ctl/request/provider_name.h"
#include "ctl/request/resource_argument.h"

/* --- what is asked for ---------------------------------------------------------------------- */

static json_t *resources_json(const struct resource_group *group)
{
    json_t *resources = json_object();
    for (size_t i = 0; i < group->count; i++) {
        const struct resource *resource = &group->resources[i];
        (void)json_object_setn_new(resources, resource->resource_class.bytes,
                                   resource->resource_class.length,
                                   json_integer((json_int_t)resource->amount));
    }
    return resources;
}

/* Finds the provider of a group and adds its resources. */
static bool add_group(struct requests *requests, const struct resource_group *group,
                      json_t *allocations)
{
    struct uuid uuid;
    if (!provider_find(requests, group->provider, &uuid))
        return false;
    struct uuid_text id = uuid_format(uuid);
    if (json_object_get(allocations, id.chars) == NULL) {
        (void)json_object_set_new(allocations, id.chars,
                                  json_pack("{s:o}", "resources", resources_json(group)));
        return true;
    }
    struct error error;
    error_set(&error, "--provider '%s': this provider is given twice, by name and by UUID",
              group->provider);
    (void)fail_with(&error);
    return false;
}

static bool add_groups(struct requests *requests, const struct resource_groups *groups,
                       json_t *allocations)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (!add_group(requests, &groups->groups[i], allocations))
            return false;
    }
    return true;
}

/* --- whose it is ---------------------------------------------------------------------------- */

static bool has_owner(const struct options *options)
{
    return options->project != NULL && options->user != NULL && options->type != NULL;
}

/* Without --generation the consumer is a new one, and nothing else says whose it is. */
static bool check_owner(const struct options *options)
{
    return options->generation_given || (argument_option_given(options->project, "project") &&
                                         argument_option_given(options->user, "user") &&
                                         argument_option_given(options->type, "type"));
}

static const char *owner_member(const char *given, const json_t *stored, const char *name)
{
    return given != NULL ? given : reply_member_text(stored, name).bytes;
}

/* Returns the params, but for the allocations. Of a consumer that exists, what is not given stays.
   NULL after an error has been printed. */
static json_t *claim_json(struct requests *requests, const struct options *options,
                          const char *consumer)
{
    json_t *stored = NULL;
    if (!has_owner(options) && (stored = consumer_read(requests, consumer)) == NULL)
        return NULL;
    json_t *generation =
        options->generation_given ? json_integer((json_int_t)options->generation) : json_null();
    json_t *params =
        json_pack("{s:s, s:s, s:s, s:o, s:s}", "consumer_uuid", consumer, "project_id",
                  owner_member(options->project, stored, "project_id"), "user_id",
                  owner_member(options->user, stored, "user_id"), "consumer_generation", generation,
                  "consumer_type", owner_member(options->type, stored, "consumer_type"));
    if (params == NULL)
        request_fail_encoding();
    return params;
}

static int allocate(struct requests *requests, const struct options *options, const char *consumer,
                    const struct resource_groups *groups, struct arena *arena)
{
    json_t *allocations = json_object();
    json_t *params = NULL;
    if (add_groups(requests, groups, allocations))
        params = claim_json(requests, options, consumer);
    if (params == NULL) {
        json_decref(allocations);
        return EXIT_FAILED;
    }
    (void)json_object_set_new(params, "allocations", allocations);
    return claim_send(requests, params, "", options, arena);
}

int allocate_command(const struct options *options, struct arena *arena)
{
    struct error error = {""};
    struct resource_groups groups;
    struct uuid uuid;
    if (!argument_uuid(options, "CONSUMER", &uuid) || !argument_key_valid(options) ||
        !check_owner(options))
        return EXIT_USAGE;
    if (!resource_groups_read(options->items, options->item_count, arena, &groups, &error))
        return argument_fail(&error);
    struct requests *requests = requests_open(options, arena);
    int status = requests != NULL
                     ? allocate(requests, options, uuid_format(uuid).chars, &groups, arena)
                     : EXIT_FAILED;
    requests_close(requests);
    return status;
}
