/* SPDX-License-Identifier: Apache-2.0 */
/* `allotctl web`: loads settings and policy, and serves the page (web/web.h). */
#include "ctl/commands.h"
#include "ctl/desk/person.h"
#include "ctl/output.h"
#include "ctl/settings.h"
#include "ctl/web/web.h"

/* With --read-only the broker is not used, so its settings may be missing. */
static bool load(const struct options *options, struct arena *arena, struct settings *ret_settings,
                 struct error *error)
{
    return options->read_only ? second_settings_load(options, arena, ret_settings, error)
                              : both_settings_load(options, arena, ret_settings, error);
}

int web_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct policy policy = {0};
    struct error error = {""};
    struct web_options web = {.listen = options->listen, .read_only = options->read_only};
    if (!load(options, arena, &settings, &error))
        return fail_with(&error);
    bool has_policy = policy_load(options, &settings, arena, &policy, &web.policy_name, &error);
    if (!has_policy && options->policy != NULL)
        return fail_with(&error);
    if (!has_policy)
        (void)fprintf(stderr, "allotctl: there will be no dry run: %s\n", error.text);
    web.by = person_name(arena);
    return web_run(&web, &settings, has_policy ? &policy : NULL);
}
