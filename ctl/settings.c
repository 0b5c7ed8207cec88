/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/codec/settings_file.h"
#include "ctl/commands.h"
#include "common/host/environment.h"
#include "common/host/file.h"

/* Which settings concern a command: those of one server. */
struct concern {
    const char *prefix; /* of their variables */
    const char *uri;    /* the variable that --uri stands for */
};

struct lookup {
    const struct options *options;
    const struct concern *concern;
    struct environment environment;
};

static const char *variable(void *context, const char *name)
{
    struct lookup *lookup = context;
    const struct concern *concern = lookup->concern;
    if (strcmp(name, concern->uri) == 0 && lookup->options->uri != NULL)
        return lookup->options->uri;
    if (strncmp(name, concern->prefix, strlen(concern->prefix)) == 0)
        return environment_get(&lookup->environment, name);
    /* Required of the worker; a producer or an operator may have none, nor is it our business. */
    if (strcmp(name, "ALLOT_MONGODB_URI") == 0 || strcmp(name, "ALLOT_AMQP_URI") == 0 ||
        strcmp(name, "ALLOT_POLICY_FILE") == 0)
        return "unused";
    return NULL;
}

static bool load(const struct options *options, const struct concern *concern, struct arena *arena,
                 struct settings *ret_settings, struct error *error)
{
    struct lookup lookup = {options, concern, {.arena = arena}};
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
    static const struct concern broker = {"ALLOT_AMQP_", "ALLOT_AMQP_URI"};
    return load(options, &broker, arena, ret_settings, error);
}

bool storage_settings_load(const struct options *options, struct arena *arena,
                           struct settings *ret_settings, struct error *error)
{
    static const struct concern storage = {"ALLOT_MONGODB_", "ALLOT_MONGODB_URI"};
    return load(options, &storage, arena, ret_settings, error);
}

struct amqp_tls broker_settings_tls(const struct settings *settings)
{
    return (struct amqp_tls){
        .ca_file = settings->amqp_tls_ca_file,
        .certificate_file = settings->amqp_tls_certificate_file,
        .key_file = settings->amqp_tls_key_file,
    };
}

int fail_with(const struct error *error)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "allotctl: %s\n", error->text);
    return EXIT_FAILED;
}

int finish_output(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    (void)fprintf(stderr, "allotctl: standard output: %s\n", strerror(errno));
    return EXIT_FAILED;
}
