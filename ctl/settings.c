/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. settings_read() asks for the value of each variable, as it does for the worker.
 * variable() answers: first from an option, then from the environment or the context (a context
 * that was chosen on the command line comes first), then with a placeholder for what is required of
 * a worker and not of the command.
 *
 * Guarantees. A source that cannot be read is an error, and never makes another source count: the
 * first failure is kept, and nothing is read after it. A variable without the prefixes of the
 * command's scope is ignored, so that a wrong setting of the other server does no harm.
 */
#include "ctl/settings.h"

#include <string.h>

#include "common/codec/policy_file.h"
#include "common/codec/settings_file.h"
#include "common/host/environment.h"
#include "common/host/file.h"
#include "ctl/context.h"
#include "ctl/secret_file.h"

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
    bool is_complete;               /* a placeholder stands for all that is required and missing */
};

static const char *read_value_file(struct lookup *lookup, const char *path)
{
    struct text content;
    struct environment *environment = &lookup->environment;
    if (!environment_file_read(path, environment->arena, &content, &environment->error)) {
        environment->failed = true;
        return NULL;
    }
    secret_file_check(path, content, environment->arena);
    return content.bytes;
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

/* settings_read requires these three, as the worker does. No command needs all of them. */
static bool is_required(const char *name)
{
    return strcmp(name, "ALLOT_MONGODB_URI") == 0 || strcmp(name, "ALLOT_AMQP_URI") == 0 ||
           strcmp(name, "ALLOT_POLICY_FILE") == 0;
}

/* After a failure nothing more is read, so that its error stays. */
static const char *variable(void *context, const char *name)
{
    struct lookup *lookup = context;
    bool counts = is_in(lookup->scope, name);
    if (lookup->environment.failed)
        return NULL;
    const char *value = overriding(lookup, name);
    if (value == NULL && counts && !lookup->environment.failed)
        value = given(lookup, name);
    if (value != NULL || lookup->environment.failed || !is_required(name))
        return value;
    return counts && !lookup->is_complete ? NULL : PLACEHOLDER;
}

static const char *settings_file(const struct options *options, const struct context *context)
{
    return options->config != NULL ? options->config : context->values[CONTEXT_CONFIG].bytes;
}

/* Reads the settings file, if there is one. */
static bool read_file(const char *file, struct arena *arena, struct text *ret_yaml,
                      struct error *error)
{
    *ret_yaml = text_of("");
    return file == NULL || file_read(file, FILE_SETTINGS_BYTES_MAX, arena, ret_yaml, error);
}

/* Reads the settings. Where nothing but a URI is missing, the error also names the ways to give it
   that the worker does not have. */
static bool read_settings(struct lookup *lookup, struct text yaml, const char *file,
                          struct settings *ret_settings, struct error *error)
{
    struct arena *arena = lookup->environment.arena;
    struct settings ignored = {0};
    const char *name = file != NULL ? file : "the environment";
    bool read = settings_read(yaml, name, variable, lookup, arena, ret_settings, error);
    if (lookup->environment.failed)
        *error = lookup->environment.error;
    if (read || lookup->environment.failed)
        return read && !lookup->environment.failed;
    lookup->is_complete = true;
    if (!settings_read(yaml, name, variable, lookup, arena, &ignored, NULL))
        return false;
    const struct error missing = *error;
    error_set(error, "%s, or give --context, or a file that has it (see --help)", missing.text);
    return false;
}

static bool load(const struct options *options, const struct scope *scope, struct arena *arena,
                 struct settings *ret_settings, struct error *error)
{
    struct lookup lookup = {.scope = scope, .environment = {.arena = arena}};
    struct text yaml;
    if (!context_choose(options->context, arena, &lookup.context, error))
        return false;
    const char *file = settings_file(options, &lookup.context);
    return read_file(file, arena, &yaml, error) &&
           read_settings(&lookup, yaml, file, ret_settings, error);
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

static const struct scope policy_scope = {.prefixes = {"ALLOT_POLICY_"}};

/* Sets the name that the settings file has, or NULL. Other settings of the file have to be valid,
   and may be missing. */
static bool find_policy_in(const char *file, struct arena *arena, const char **ret_name,
                           struct error *error)
{
    static const struct scope nothing = {.prefixes = {NULL}};
    struct lookup lookup = {.scope = &nothing, .environment = {.arena = arena}};
    struct settings settings = {0};
    struct text yaml;
    if (!read_file(file, arena, &yaml, error) ||
        !settings_read(yaml, file, variable, &lookup, arena, &settings, error))
        return false;
    /* Now without a placeholder for the policy, which would override the file. */
    lookup.scope = &policy_scope;
    if (settings_read(yaml, file, variable, &lookup, arena, &settings, NULL))
        *ret_name = text_copy(arena, settings.policy_file).bytes;
    return true;
}

/* Sets the name of the policy's file; NULL: none is known. */
static bool find_policy(const struct options *options, struct arena *arena, const char **ret_name,
                        struct error *error)
{
    struct lookup lookup = {.scope = &policy_scope, .environment = {.arena = arena}};
    *ret_name = options->policy;
    if (options->policy != NULL)
        return true;
    if (!context_choose(options->context, arena, &lookup.context, error))
        return false;
    *ret_name = given(&lookup, "ALLOT_POLICY_FILE");
    if (lookup.environment.failed) {
        *error = lookup.environment.error;
        return false;
    }
    const char *file = settings_file(options, &lookup.context);
    return *ret_name != NULL || file == NULL || find_policy_in(file, arena, ret_name, error);
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
        error_set(error, "no policy is known: give --policy, ALLOT_POLICY_FILE, or a context or "
                         "settings file that names it");
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
