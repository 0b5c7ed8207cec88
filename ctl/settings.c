/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/settings.h"

#include <string.h>

#include "common/codec/settings_file.h"
#include "common/host/environment.h"
#include "common/host/file.h"

enum { PREFIXES_MAX = 4, OVERRIDES_MAX = 2 };

/* An option that overrides a variable. */
struct override {
    const char *variable;
    const char *value; /* NULL: not given */
};

/* The environment variables that count for a command; NULL ends each list. */
struct scope {
    const char *prefixes[PREFIXES_MAX + 1];
    struct override overrides[OVERRIDES_MAX + 1];
};

struct lookup {
    const struct scope *scope;
    struct environment environment;
};

static const char *overriding(const struct scope *scope, const char *name)
{
    for (const struct override *override = scope->overrides; override->variable != NULL; override++)
        if (strcmp(name, override->variable) == 0)
            return override->value;
    return NULL;
}

static bool is_in(const struct scope *scope, const char *name)
{
    for (const char *const *prefix = scope->prefixes; *prefix != NULL; prefix++)
        if (strncmp(name, *prefix, strlen(*prefix)) == 0)
            return true;
    return false;
}

static const char *variable(void *context, const char *name)
{
    struct lookup *lookup = context;
    const char *value = overriding(lookup->scope, name);
    if (value != NULL)
        return value;
    if (is_in(lookup->scope, name))
        return environment_get(&lookup->environment, name);
    /* settings_read requires these three, as the worker does. No command needs all of them. */
    if (strcmp(name, "ALLOT_MONGODB_URI") == 0 || strcmp(name, "ALLOT_AMQP_URI") == 0 ||
        strcmp(name, "ALLOT_POLICY_FILE") == 0)
        return "unused";
    return NULL;
}

static bool load(const struct options *options, const struct scope *scope, struct arena *arena,
                 struct settings *ret_settings, struct error *error)
{
    struct lookup lookup = {scope, {.arena = arena}};
    struct text yaml = text_of("");
    if (options->config != NULL &&
        !file_read(options->config, FILE_SETTINGS_BYTES_MAX, arena, &yaml, error))
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
    const struct scope broker = {{"ALLOT_AMQP_"}, {{"ALLOT_AMQP_URI", options->uri}}};
    return load(options, &broker, arena, ret_settings, error);
}

bool database_settings_load(const struct options *options, struct arena *arena,
                            struct settings *ret_settings, struct error *error)
{
    const struct scope database = {{"ALLOT_MONGODB_", "ALLOT_LETTERS_"},
                                   {{"ALLOT_MONGODB_URI", options->uri}}};
    return load(options, &database, arena, ret_settings, error);
}

bool import_settings_load(const struct options *options, struct arena *arena,
                          struct settings *ret_settings, struct error *error)
{
    const struct scope both = {
        {"ALLOT_AMQP_", "ALLOT_MONGODB_", "ALLOT_LETTERS_", "ALLOT_SECURITY_"},
        {{"ALLOT_AMQP_URI", options->uri}, {"ALLOT_MONGODB_URI", options->database_uri}}};
    return load(options, &both, arena, ret_settings, error);
}

struct amqp_tls broker_settings_tls(const struct settings *settings)
{
    return (struct amqp_tls){
        .ca_file = settings->amqp_tls_ca_file,
        .certificate_file = settings->amqp_tls_certificate_file,
        .key_file = settings->amqp_tls_key_file,
    };
}
