/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "common/amqp/topology.h"

#define TOPOLOGY_OPTIONS "cu"

static struct topology topology_of(const struct settings *settings)
{
    return (struct topology){
        .exchange = settings->amqp_exchange,
        .queue = settings->amqp_queue,
        .dead_letter_exchange = settings->amqp_dead_letter_exchange,
        .dead_letter_queue = settings->amqp_dead_letter_queue,
    };
}

typedef int (*topology_action)(const struct settings *settings, struct arena *arena);

static int declare(const struct settings *settings, struct arena *arena)
{
    (void)arena;
    struct error error = {""};
    struct amqp_tls tls = broker_settings_tls(settings);
    struct topology topology = topology_of(settings);
    if (topology_declare(settings->amqp_uri, &tls, &topology, &error) != TRANSPORT_OK)
        return fail_with(&error);
    (void)puts("topology is declared");
    return EXIT_SUCCESS;
}

static int check(const struct settings *settings, struct arena *arena)
{
    struct error error = {""};
    struct amqp_tls tls = broker_settings_tls(settings);
    struct topology topology = topology_of(settings);
    struct text differences = TEXT_NONE;
    if (topology_check(settings->amqp_uri, &tls, &topology, arena, &differences, &error) !=
        TRANSPORT_OK)
        return fail_with(&error);
    if (differences.length == 0) {
        (void)puts("topology is as it should be");
        return EXIT_SUCCESS;
    }
    bool ended = differences.bytes[differences.length - 1] == '\n';
    (void)printf("%.*s%s", TEXT_ARGS(differences), ended ? "" : "\n");
    return EXIT_FAILED;
}

static int with_settings(int argc, char **argv, topology_action action)
{
    struct options options = {0};
    if (!options_read(argc, argv, TOPOLOGY_OPTIONS, &options))
        return EXIT_USAGE;
    struct arena *arena = arena_new(0);
    struct settings settings = {0};
    struct error error = {""};
    int status = broker_settings_load(&options, arena, &settings, &error) ? action(&settings, arena)
                                                                          : fail_with(&error);
    arena_free(arena);
    return finish_output(status);
}

int topology_declare_command(int argc, char **argv)
{
    return with_settings(argc, argv, declare);
}

int topology_check_command(int argc, char **argv)
{
    return with_settings(argc, argv, check);
}
