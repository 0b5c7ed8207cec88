/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. settings_read() asks for the value of each variable, as it does for the worker.
 * variable() answers: first from an option, then from the environment or the context (a context
 * that was chosen on the command line comes first), then with a placeholder for what is required of
 * a worker and not of the command.
 */
#include "ctl/settings.h"

#include <string.h>

#include "common/codec/policy_file.h"
#include "common/codec/settings_file.h"
#include "common/host/environment.h"
#include "common/host/file.h"
#include "ctl/context.h"

#define PLACEHOLDER "unused"

enum { PREFIXES_MAX = 8, OVERRIDES_MAX = 3 };

/* Options that override a variable: the value, or a file that has it. */
struct override {
    const char *variable;
    const char *value; /* NULL: not given */
    const char *file;  /* NULL: not given */
};

/* The environment variables that count for a command; NULL ends each list. */
struct scope {
    const char *prefixes[PREFIXES_MAX + 1];
    struct override overrides[OVERRIDES_MAX + 1];
};

struct lookup {
    const struct scope *scope;
    struct context context;
    struct environment environment; /* with the first failure of any source */
};

static const char *read_value_file(struct lookup *lookup, const char *path)
{
    struct text content;
    if (environment_file_read(path, lookup->environment.arena, &content,
                              &lookup->environment.error))
        return content.bytes;
    lookup->environment.failed = true;
    return NULL;
}

static const char *overriding(struct lookup *lookup, const char *name)
{
    for (const struct override *override = lookup->scope->overrides; override->variable != NULL;
         override++) {
        if (strcmp(name, override->variable) != 0)
            continue;
        return override->file != NULL ? read_value_file(lookup, override->file) : override->value;
    }
    return NULL;
}

static bool is_in(const struct scope *scope, const char *name)
{
    for (const char *const *prefix = scope->prefixes; *prefix != NULL; prefix++)
        if (strncmp(name, *prefix, strlen(*prefix)) == 0)
            return true;
    return false;
}

static const char *of_context(struct lookup *lookup, const char *name)
{
    struct environment *environment = &lookup->environment;
    const char *value = NULL;
    if (!context_variable(&lookup->context, name, environment->arena, &value, &environment->error))
        environment->failed = true;
    return value;
}

static const char *given(struct lookup *lookup, const char *name)
{
    const char *value = lookup->context.is_option ? of_context(lookup, name) : NULL;
    if (value == NULL && !lookup->environment.failed)
        value = environment_get(&lookup->environment, name);
    if (value == NULL && !lookup->environment.failed && !lookup->context.is_option)
        value = of_context(lookup, name);
    return value;
}

/* After a failure nothing more is read, so that its error stays. */
static const char *variable(void *context, const char *name)
{
    struct lookup *lookup = context;
    if (lookup->environment.failed)
        return NULL;
    const char *value = overriding(lookup, name);
    if (value == NULL && is_in(lookup->scope, name) && !lookup->environment.failed)
        value = given(lookup, name);
    if (value != NULL || lookup->environment.failed || is_in(lookup->scope, name))
        return value;
    /* settings_read requires these three, as the worker does. No command needs all of them. */
    if (strcmp(name, "ALLOT_MONGODB_URI") == 0 || strcmp(name, "ALLOT_AMQP_URI") == 0 ||
        strcmp(name, "ALLOT_POLICY_FILE") == 0)
        return PLACEHOLDER;
    return NULL;
}

static bool check_pair(const char *option, const char *value, const char *file, struct error *error)
{
    if (value == NULL || file == NULL)
        return true;
    error_set(error, "--%s and --%s-file say the same; give one of them", option, option);
    return false;
}

static const char *settings_file(const struct options *options, const struct context *context)
{
    return options->config != NULL ? options->config : context->values[CONTEXT_CONFIG].bytes;
}

static bool load(const struct options *options, const struct scope *scope, struct arena *arena,
                 struct settings *ret_settings, struct error *error)
{
    struct lookup lookup = {.scope = scope, .environment = {.arena = arena}};
    struct text yaml = text_of("");
    if (!check_pair("uri", options->uri, options->uri_file, error) ||
        !check_pair("database-uri", options->database_uri, options->database_uri_file, error) ||
        !context_choose(options->context, arena, &lookup.context, error))
        return false;
    const char *file = settings_file(options, &lookup.context);
    if (file != NULL && !file_read(file, FILE_SETTINGS_BYTES_MAX, arena, &yaml, error))
        return false;
    bool read = settings_read(yaml, file != NULL ? file : "--uri", variable, &lookup, arena,
                              ret_settings, error);
    if (!lookup.environment.failed)
        return read;
    *error = lookup.environment.error;
    return false;
}

bool broker_settings_load(const struct options *options, struct arena *arena,
                          struct settings *ret_settings, struct error *error)
{
    const struct scope broker = {{"ALLOT_AMQP_"},
                                 {{"ALLOT_AMQP_URI", options->uri, options->uri_file}}};
    return load(options, &broker, arena, ret_settings, error);
}

static bool load_database(const struct options *options, const char *uri, const char *uri_file,
                          struct arena *arena, struct settings *ret_settings, struct error *error)
{
    const struct scope database = {{"ALLOT_MONGODB_", "ALLOT_LETTERS_", "ALLOT_IDEMPOTENCY_",
                                    "ALLOT_SECURITY_", "ALLOT_AMQP_QUEUE", "ALLOT_AMQP_EXCHANGE",
                                    "ALLOT_AMQP_DEAD_LETTER_"},
                                   {{"ALLOT_MONGODB_URI", uri, uri_file}}};
    return load(options, &database, arena, ret_settings, error);
}

bool database_settings_load(const struct options *options, struct arena *arena,
                            struct settings *ret_settings, struct error *error)
{
    return load_database(options, options->uri, options->uri_file, arena, ret_settings, error);
}

bool second_settings_load(const struct options *options, struct arena *arena,
                          struct settings *ret_settings, struct error *error)
{
    return load_database(options, options->database_uri, options->database_uri_file, arena,
                         ret_settings, error);
}

bool both_settings_load(const struct options *options, struct arena *arena,
                        struct settings *ret_settings, struct error *error)
{
    const struct scope both = {
        {"ALLOT_AMQP_", "ALLOT_MONGODB_", "ALLOT_LETTERS_", "ALLOT_SECURITY_", "ALLOT_IDEMPOTENCY_",
         "ALLOT_DELIVERY_"},
        {{"ALLOT_AMQP_URI", options->uri, options->uri_file},
         {"ALLOT_MONGODB_URI", options->database_uri, options->database_uri_file}}};
    return load(options, &both, arena, ret_settings, error);
}

bool queue_names_load(const struct options *options, struct arena *arena,
                      struct settings *ret_settings, struct error *error)
{
    const struct scope queues = {{"ALLOT_AMQP_QUEUE", "ALLOT_AMQP_DEAD_LETTER_QUEUE"},
                                 {{NULL, NULL, NULL}}};
    return load(options, &queues, arena, ret_settings, error);
}

/* --- the policy ----------------------------------------------------------------------------- */

/* Sets the name of the policy's file; NULL: none is known. */
static bool find_policy(const struct options *options, struct arena *arena, const char **ret_name,
                        struct error *error)
{
    static const struct scope policy = {{"ALLOT_POLICY_"}, {{NULL, NULL, NULL}}};
    struct lookup lookup = {.scope = &policy, .environment = {.arena = arena}};
    struct settings settings = {0};
    struct text yaml = text_of("");
    *ret_name = options->policy;
    if (options->policy != NULL)
        return true;
    if (!context_choose(options->context, arena, &lookup.context, error))
        return false;
    *ret_name = given(&lookup, "ALLOT_POLICY_FILE");
    const char *file = settings_file(options, &lookup.context);
    if (*ret_name != NULL || file == NULL)
        return true;
    lookup.scope = &(struct scope){.overrides = {{NULL, NULL, NULL}}};
    if (!file_read(file, FILE_SETTINGS_BYTES_MAX, arena, &yaml, error) ||
        !settings_read(yaml, file, variable, &lookup, arena, &settings, error))
        return false;
    if (!text_is(settings.policy_file, PLACEHOLDER))
        *ret_name = text_copy(arena, settings.policy_file).bytes;
    return true;
}

bool policy_load(const struct options *options, const struct settings *settings,
                 struct arena *arena, struct policy *ret_policy, struct text *ret_name,
                 struct error *error)
{
    struct text yaml;
    const char *name = NULL;
    if (!find_policy(options, arena, &name, error))
        return false;
    if (name == NULL) {
        error_set(error, "no policy is known: give --policy FILE, or ALLOT_POLICY_FILE");
        return false;
    }
    if (!file_read(name, FILE_POLICY_BYTES_MAX, arena, &yaml, error) ||
        !policy_read(yaml, name, arena, ret_policy, error))
        return false;
    ret_policy->service_queues =
        (struct service_queues){settings->amqp_queue, settings->amqp_dead_letter_queue};
    *ret_name = text_copy(arena, text_of(name));
    return true;
}

bool management_uri_find(const struct options *options, struct arena *arena, const char **ret_uri,
                         struct error *error)
{
    struct lookup lookup = {.environment = {.arena = arena}};
    *ret_uri = options->management_uri;
    if (options->management_uri != NULL)
        return true;
    if (!context_choose(options->context, arena, &lookup.context, error))
        return false;
    *ret_uri = given(&lookup, "ALLOT_MANAGEMENT_URI");
    if (lookup.environment.failed)
        *error = lookup.environment.error;
    return !lookup.environment.failed;
}

struct amqp_tls broker_settings_tls(const struct settings *settings)
{
    return (struct amqp_tls){
        .ca_file = settings->amqp_tls_ca_file,
        .certificate_file = settings->amqp_tls_certificate_file,
        .key_file = settings->amqp_tls_key_file,
    };
}
