/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/settings.h"

#include <string.h>

#include "common/codec/settings_file.h"
#include "common/host/environment.h"
#include "common/host/file.h"

/* The environment variables of one server. */
struct server {
    const char *prefix;
    const char *uri; /* the variable that --uri overrides */
};

struct lookup {
    const struct options *options;
    const struct server *server;
    struct environment environment;
};

static const char *variable(void *context, const char *name)
{
    struct lookup *lookup = context;
    const struct server *server = lookup->server;
    if (strcmp(name, server->uri) == 0 && lookup->options->uri != NULL)
        return lookup->options->uri;
    if (strncmp(name, server->prefix, strlen(server->prefix)) == 0)
        return environment_get(&lookup->environment, name);
    /* settings_read requires these three, as the worker does. A command needs one URI at most. */
    if (strcmp(name, "ALLOT_MONGODB_URI") == 0 || strcmp(name, "ALLOT_AMQP_URI") == 0 ||
        strcmp(name, "ALLOT_POLICY_FILE") == 0)
        return "unused";
    return NULL;
}

static bool load(const struct options *options, const struct server *server, struct arena *arena,
                 struct settings *ret_settings, struct error *error)
{
    struct lookup lookup = {options, server, {.arena = arena}};
    struct text yaml = text_of("");
    if (options->config != NULL && !file_read(options->config, arena, &yaml, error))
        return false;
    bool read = settings_read(yaml, options->config != NULL ? options->config : "--uri", variable,
                              &lookup, arena, ret_settings, error);
    if (!lookup.environment.failed)
        return read;
    *error = lookup.environment.error;
    return false;
}

bool broker_settings_load(const struct options *options, struct arena *arena,
                          struct settings *ret_settings, struct error *error)
{
    static const struct server broker = {"ALLOT_AMQP_", "ALLOT_AMQP_URI"};
    return load(options, &broker, arena, ret_settings, error);
}

bool database_settings_load(const struct options *options, struct arena *arena,
                            struct settings *ret_settings, struct error *error)
{
    static const struct server database = {"ALLOT_MONGODB_", "ALLOT_MONGODB_URI"};
    return load(options, &database, arena, ret_settings, error);
}

struct amqp_tls broker_settings_tls(const struct settings *settings)
{
    return (struct amqp_tls){
        .ca_file = settings->amqp_tls_ca_file,
        .certificate_file = settings->amqp_tls_certificate_file,
        .key_file = settings->amqp_tls_key_file,
    };
}
