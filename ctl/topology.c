/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/settings.h"

static struct topology topology_of(const struct settings *settings, struct arena *arena)
{
    return (struct topology){
        .exchange = settings->amqp_exchange,
        .queue = settings->amqp_queue,
        .dead_letter_exchange = settings->amqp_dead_letter_exchange,
        .dead_letter_queue = settings->amqp_dead_letter_queue,
        .desk_queue = topology_desk_queue(arena, settings->amqp_dead_letter_queue),
    };
}

static void print_warning(const struct error *warning)
{
    if (warning->text[0] != '\0')
        (void)fprintf(stderr, "allotctl: warning: %s\n", warning->text);
}

int topology_declare_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    if (!broker_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    struct amqp_tls tls = broker_settings_tls(&settings);
    struct topology topology = topology_of(&settings, arena);
    struct error warning = {""};
    if (topology_declare(settings.amqp_uri, &tls, &topology, &warning, &error) != TRANSPORT_OK)
        return fail_with(&error);
    print_warning(&warning);
    (void)puts("topology declared");
    return EXIT_SUCCESS;
}

static void print_lines(struct text lines)
{
    while (lines.length > 0) {
        const char *end = memchr(lines.bytes, '\n', lines.length);
        size_t length = end != NULL ? (size_t)(end - lines.bytes) : lines.length;
        print_printable_line(stdout, text_view(lines.bytes, length));
        length += end != NULL;
        lines = text_view(lines.bytes + length, lines.length - length);
    }
}

int topology_check_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    if (!broker_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    struct amqp_tls tls = broker_settings_tls(&settings);
    struct topology topology = topology_of(&settings, arena);
    struct text differences = TEXT_NONE;
    struct error warning = {""};
    if (topology_check(settings.amqp_uri, &tls, &topology, arena, &differences, &warning, &error) !=
        TRANSPORT_OK)
        return fail_with(&error);
    print_warning(&warning);
    if (differences.length == 0) {
        (void)puts("topology OK");
        return EXIT_SUCCESS;
    }
    print_lines(differences);
    return EXIT_FAILED;
}
