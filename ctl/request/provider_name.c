/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/provider_name.h"

#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/output.h"

static bool fail(const char *format, const char *name)
{
    struct error error;
    error_set(&error, format, name);
    (void)fail_with(&error);
    return false;
}

static bool fail_to_list(const struct requests *requests, const struct answer *answer,
                         const char *name)
{
    if (answer->kind == ANSWER_NONE)
        return false;
    (void)answer_fail(requests, answer);
    if (answer->code == VERDICT_FORBIDDEN)
        (void)fail("the name '%s' cannot be looked up, since that lists providers; give the "
                   "provider's UUID",
                   name);
    return false;
}

/* The list is in order of the name, so a provider with the name itself is the first that begins
   with it. */
bool provider_find(struct requests *requests, const char *name_or_uuid, struct uuid *ret_uuid)
{
    if (uuid_parse(text_of(name_or_uuid), ret_uuid))
        return true;
    json_t *params = json_pack("{s:s, s:i}", "name_prefix", name_or_uuid, "limit", 1);
    struct answer answer = request_send(requests, COMMAND_PROVIDER_LIST, params, NULL);
    if (answer.kind != ANSWER_SUCCESS)
        return fail_to_list(requests, &answer, name_or_uuid);
    const json_t *first = json_array_get(json_object_get(answer.result, "providers"), 0);
    const char *name = json_string_value(json_object_get(first, "name"));
    if (name == NULL || strcmp(name, name_or_uuid) != 0)
        return fail("no provider has the name '%s'", name_or_uuid);
    return uuid_parse(text_of(json_string_value(json_object_get(first, "uuid"))), ret_uuid) ||
           fail("the reply has no UUID of the provider '%s'", name_or_uuid);
}

struct text provider_names_get(struct provider_names *names, const char *uuid)
{
    if (names->stopped)
        return TEXT_NONE;
    struct answer answer =
        request_send(names->requests, COMMAND_PROVIDER_GET, json_pack("{s:s}", "uuid", uuid), NULL);
    names->stopped = answer.kind != ANSWER_SUCCESS;
    return text_of(json_string_value(json_object_get(answer.result, "name")));
}
