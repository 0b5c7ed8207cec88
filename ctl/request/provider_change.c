/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/host/random.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/request/arguments.h"
#include "ctl/request/reply_member.h"
#include "ctl/request/provider_name.h"

/* --- create --------------------------------------------------------------------------------- */

static void print_created(const json_t *provider)
{
    (void)fputs("created provider ", stdout);
    print_printable(stdout, reply_member_text(provider, "name"));
    (void)fputc(' ', stdout);
    print_printable(stdout, reply_member_text(provider, "uuid"));
    (void)printf(", generation %" PRId64 "\n", reply_member_integer(provider, "generation"));
}

static bool find_parent(struct requests *requests, const struct options *options,
                        struct uuid_text *ret_parent)
{
    struct uuid parent;
    if (options->parent == NULL)
        return true;
    if (!provider_find(requests, options->parent, &parent))
        return false;
    *ret_parent = uuid_format(parent);
    return true;
}

static int create(struct requests *requests, const struct options *options, struct uuid uuid,
                  struct arena *arena)
{
    struct uuid_text parent = {""}, id = uuid_format(uuid);
    const char *repeat =
        options->uuid != NULL ? "" : text_format(arena, "--uuid %s", id.chars).bytes;
    if (!find_parent(requests, options, &parent))
        return EXIT_FAILED;
    json_t *params =
        json_pack("{s:s, s:s, s:s*}", "uuid", id.chars, "name", options->operand,
                  "parent_provider_uuid", options->parent != NULL ? parent.chars : NULL);
    const json_t *result = request_result(requests, COMMAND_PROVIDER_CREATE, params, repeat);
    if (result == NULL)
        return EXIT_FAILED;
    if (options->json)
        print_json(result);
    else
        print_created(result);
    return EXIT_SUCCESS;
}

/* A repetition has to be the same command, and a random UUID is another one each time. */
static bool read_new_uuid(const struct options *options, struct uuid *ret_uuid)
{
    if (options->uuid == NULL && options->key != NULL) {
        (void)fputs("allotctl: --key needs --uuid: with a random UUID, a repetition would be "
                    "another command\n",
                    stderr);
        return false;
    }
    *ret_uuid = random_uuid();
    if (options->uuid == NULL || uuid_parse(text_of(options->uuid), ret_uuid))
        return true;
    struct error error;
    error_set(&error, "invalid value '%s' for --uuid: expected a UUID", options->uuid);
    (void)argument_fail(&error);
    return false;
}

int provider_create_command(const struct options *options, struct arena *arena)
{
    struct uuid uuid;
    if (!argument_given(options, "NAME") || !argument_key_valid(options) ||
        !read_new_uuid(options, &uuid))
        return EXIT_USAGE;
    struct requests *requests = requests_open(options, arena);
    int status = requests != NULL ? create(requests, options, uuid, arena) : EXIT_FAILED;
    requests_close(requests);
    return status;
}

/* --- delete --------------------------------------------------------------------------------- */

static int delete_provider(struct requests *requests, const struct options *options,
                           struct arena *arena)
{
    struct uuid uuid;
    if (!provider_find(requests, options->operand, &uuid))
        return EXIT_FAILED;
    struct uuid_text id = uuid_format(uuid);
    bool is_uuid = uuid_parse(text_of(options->operand), &uuid);
    struct text question =
        text_format(arena, "Delete the provider %s%s%s%s?", id.chars, is_uuid ? "" : " (",
                    is_uuid ? "" : options->operand, is_uuid ? "" : ")");
    if (!argument_confirmed(options, question.bytes))
        return EXIT_FAILED;
    /* Once it is deleted, its name is not found any more. */
    const json_t *result =
        request_result(requests, COMMAND_PROVIDER_DELETE, json_pack("{s:s}", "uuid", id.chars),
                       is_uuid ? "" : NULL);
    if (result == NULL)
        return EXIT_FAILED;
    if (options->json)
        print_json(result);
    else
        (void)printf("deleted provider %s\n", id.chars);
    return EXIT_SUCCESS;
}

int provider_delete_command(const struct options *options, struct arena *arena)
{
    if (!argument_given(options, "PROVIDER") || !argument_key_valid(options))
        return EXIT_USAGE;
    struct requests *requests = requests_open(options, arena);
    int status = requests != NULL ? delete_provider(requests, options, arena) : EXIT_FAILED;
    requests_close(requests);
    return status;
}
