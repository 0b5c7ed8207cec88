/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/policy.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/send_input.h"
#include "ctl/send_session.h"
#include "ctl/settings.h"

static bool read_input(const struct options *options, struct arena *arena,
                       struct send_input *ret_input, struct error *error)
{
    const char *name = options->operand;
    if (name == NULL || strcmp(name, "-") == 0)
        return send_input_read(stdin, "(standard input)", options->key_prefix, arena, ret_input,
                               error);
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        error_set(error, "cannot open %s: %s", name, strerror(errno));
        return false;
    }
    bool done = send_input_read(file, name, options->key_prefix, arena, ret_input, error);
    (void)fclose(file);
    return done;
}

static struct text text_or(const char *given, struct text fallback)
{
    return given != NULL ? text_of(given) : fallback;
}

/* `send` consumes from the queue of --reply-to. From a queue of the service it would take the
   messages of others. */
static bool check_reply_to(const struct options *options, const struct settings *settings,
                           struct error *error)
{
    struct service_queues queues = {settings->amqp_queue, settings->amqp_dead_letter_queue};
    if (options->reply_to == NULL || !service_queues_have(&queues, text_of(options->reply_to)))
        return true;
    error_set(error, "--reply-to: '%s' is a queue of the service", options->reply_to);
    return false;
}

int send_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct send_input input = {0};
    struct error error = {""};
    if (!broker_settings_load(options, arena, &settings, &error) ||
        !read_input(options, arena, &input, &error))
        return fail_with(&error);
    if (!check_reply_to(options, &settings, &error))
        return fail_with(&error);
    struct amqp_tls tls = broker_settings_tls(&settings);
    struct client *client = client_open(settings.amqp_uri, &tls, &error);
    if (client == NULL)
        return fail_with(&error);
    struct send_options send = {
        .exchange = text_or(options->exchange, settings.amqp_exchange),
        .routing_key = text_or(options->routing_key, settings.amqp_queue),
        .reply_to = options->reply_to,
        .wait = !options->no_wait,
        .timeout_ms = (int)options->timeout_ms,
    };
    bool all_succeeded = false;
    bool done = send_session_run(client, &send, &input, arena, &all_succeeded, &error);
    client_close(client);
    if (!done)
        return fail_with(&error);
    return all_succeeded ? EXIT_SUCCESS : EXIT_FAILED;
}
