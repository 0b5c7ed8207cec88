/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/send_session.h"
#include "ctl/send_input.h"

#define SEND_OPTIONS "cukreotn-"

static bool read_input(const struct options *options, struct arena *arena, struct input *ret_input,
                       struct error *error)
{
    const char *name = options->operand;
    if (name == NULL || strcmp(name, "-") == 0)
        return input_read(stdin, "(standard input)", options->key_prefix, arena, ret_input, error);
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        error_set(error, "%s: %s", name, strerror(errno));
        return false;
    }
    bool good = input_read(file, name, options->key_prefix, arena, ret_input, error);
    (void)fclose(file);
    return good;
}

static struct text given_or(const char *given, struct text otherwise)
{
    return given != NULL ? text_of(given) : otherwise;
}

static int send_input(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct input input = {0};
    struct error error = {""};
    if (!broker_settings_load(options, arena, &settings, &error) ||
        !read_input(options, arena, &input, &error))
        return fail_with(&error);
    struct amqp_tls tls = broker_settings_tls(&settings);
    struct client *client = client_open(settings.amqp_uri, &tls, &error);
    if (client == NULL)
        return fail_with(&error);
    struct exchange_plan plan = {
        .exchange = given_or(options->exchange, settings.amqp_exchange),
        .routing_key = given_or(options->routing_key, settings.amqp_queue),
        .reply_to = options->reply_to,
        .wait = !options->no_wait,
        .timeout_ms = options->timeout_ms,
    };
    bool all_succeeded = false;
    bool good = exchange_run(client, &plan, &input, arena, &all_succeeded, &error);
    client_close(client);
    if (!good)
        return fail_with(&error);
    return all_succeeded ? EXIT_SUCCESS : EXIT_FAILED;
}

int send_command(int argc, char **argv)
{
    struct options options = {0};
    if (!options_read(argc, argv, SEND_OPTIONS, &options))
        return EXIT_USAGE;
    struct arena *arena = arena_new(0);
    int status = send_input(&options, arena);
    arena_free(arena);
    return finish_output(status);
}
