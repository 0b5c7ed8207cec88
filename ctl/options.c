/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getopt_long does the parsing. Nothing bigger is needed for two dozen strings, flags and numbers:
 * argp exists in glibc only and exits the process with statuses of its own, and popt would be one
 * more library to install.
 */
#include "ctl/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "common/codec/units.h"
#include "ctl/uri_argument.h"

enum { HELP_COLUMN = 27 };

struct option_row {
    enum option_bit bit;
    const char *name;
    const char *argument; /* its name in the help text; NULL: the option is a flag */
    const char *value;    /* the default, for numbers; NULL: none */
    const char *help;
};

static const struct option_row rows[] = {
    {OPTION_CONFIG, "config", "FILE", NULL, "settings file, the same as for allotd"},
    {OPTION_BROKER_URI, "uri", "URI", NULL,
     "URI of the broker, instead of ALLOT_AMQP_URI or amqp.uri"},
    {OPTION_DATABASE_URI, "uri", "URI", NULL,
     "URI of the database, instead of ALLOT_MONGODB_URI or mongodb.uri"},
    {OPTION_EITHER_URI, "uri", "URI", NULL,
     "URI of the database; with --from-queue, that of the broker"},
    {OPTION_SECOND_URI, "database-uri", "URI", NULL,
     "URI of the database, instead of ALLOT_MONGODB_URI or mongodb.uri"},
    {OPTION_MANAGEMENT_URI, "management-uri", "URI", NULL,
     "http[s]://user:password@host:port of the broker's management API"},
    {OPTION_KEY, "key", "PREFIX", NULL,
     "make message ids of PREFIX and the line's number: PREFIX-1"},
    {OPTION_REPLY_TO, "reply-to", "QUEUE", NULL,
     "receive the replies from QUEUE, not from a temporary queue"},
    {OPTION_TIMEOUT, "timeout", "DURATION", "30s",
     "time to wait for replies after the last command is sent"},
    {OPTION_NO_WAIT, "no-wait", NULL, NULL, "ask for confirms only, not for replies"},
    {OPTION_EXCHANGE, "exchange", "EXCHANGE", NULL, "exchange to publish to, not amqp.exchange"},
    {OPTION_ROUTING_KEY, "routing-key", "KEY", NULL, "routing key, instead of amqp.queue"},
    {OPTION_QUEUE, "queue", "QUEUE", NULL, "queue to look into, instead of amqp.dead_letter_queue"},
    {OPTION_REASON, "reason", "REASON", NULL, "only letters with this latest reason"},
    {OPTION_PRINCIPAL, "principal", "USER", NULL, "only letters of this principal"},
    {OPTION_COMMAND, "command", "COMMAND", NULL, "only letters of this command"},
    {OPTION_PROJECT, "project", "PROJECT", NULL, "only letters of this project"},
    {OPTION_STATE, "state", "STATE", NULL,
     "only letters in this state: open, replayed, resolved, discarded"},
    {OPTION_SINCE, "since", "TIME", NULL, "only letters that were dead-lettered at TIME or later"},
    {OPTION_UNTIL, "until", "TIME", NULL, "only letters that were dead-lettered last before TIME"},
    {OPTION_LIMIT, "limit", "N", "1000", "list at most N letters or dead letters"},
    {OPTION_IMPORT_LIMIT, "limit", "N", NULL,
     "take at most N dead letters, instead of all that are in the queue"},
    {OPTION_JSON, "json", NULL, NULL, "print one JSON object per letter"},
    {OPTION_FROM_QUEUE, "from-queue", NULL, NULL,
     "list the dead letters in the queue, as 'dead list' does"},
    {OPTION_BODY, "body", "FILE|-", NULL,
     "write only the body, byte for byte, to FILE or standard output"},
    {OPTION_DRY_RUN, "dry-run", NULL, NULL,
     "change nothing in the database, and requeue every message"},
    {OPTION_REPAIR, "repair", NULL, NULL, "set wrong usage counters to the sum of allocations"},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

void options_print_help(unsigned accepted)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct option_row *row = &rows[i];
        if ((accepted & row->bit) == 0)
            continue;
        int width = printf("    --%s %s", row->name, row->argument != NULL ? row->argument : "");
        (void)printf("%*s%s", HELP_COLUMN - width, "", row->help);
        if (row->value != NULL)
            (void)printf(" (default %s)", row->value);
        (void)putchar('\n');
    }
}

static bool read_number(const char *name, const char *value, enum unit_kind kind, int64_t maximum,
                        int64_t *ret_number)
{
    int64_t number = 0;
    if (!units_parse(kind, text_of(value), &number)) {
        (void)fprintf(stderr, "allotctl: invalid value '%s' for --%s: expected %s\n", value, name,
                      units_wanted(kind));
        return false;
    }
    if (number < 1 || number > maximum) {
        (void)fprintf(stderr, "allotctl: invalid value '%s' for --%s: expected %s to %s\n", value,
                      name, units_format(kind, 1).chars, units_format(kind, maximum).chars);
        return false;
    }
    *ret_number = number;
    return true;
}

static bool set_option(const struct option_row *row, const char *value, struct arena *arena,
                       struct options *options)
{
    int64_t number = 0;
    switch (row->bit) {
    case OPTION_CONFIG: options->config = value; return true;
    case OPTION_BROKER_URI:
    case OPTION_DATABASE_URI:
    case OPTION_EITHER_URI: options->uri = uri_argument_take(value, row->name, arena); return true;
    case OPTION_SECOND_URI:
        options->database_uri = uri_argument_take(value, row->name, arena);
        return true;
    case OPTION_MANAGEMENT_URI:
        options->management_uri = uri_argument_take(value, row->name, arena);
        return true;
    case OPTION_KEY: options->key_prefix = value; return true;
    case OPTION_REPLY_TO: options->reply_to = value; return true;
    case OPTION_EXCHANGE: options->exchange = value; return true;
    case OPTION_ROUTING_KEY: options->routing_key = value; return true;
    case OPTION_QUEUE: options->queue = value; return true;
    case OPTION_REASON: options->reason = value; return true;
    case OPTION_PRINCIPAL: options->principal = value; return true;
    case OPTION_COMMAND: options->command = value; return true;
    case OPTION_PROJECT: options->project = value; return true;
    case OPTION_STATE: options->state = value; return true;
    case OPTION_SINCE: options->since = value; return true;
    case OPTION_UNTIL: options->until = value; return true;
    case OPTION_BODY: options->body = value; return true;
    case OPTION_FROM_QUEUE: options->from_queue = true; return true;
    case OPTION_DRY_RUN: options->dry_run = true; return true;
    case OPTION_NO_WAIT: options->no_wait = true; return true;
    case OPTION_JSON: options->json = true; return true;
    case OPTION_REPAIR: options->repair = true; return true;
    case OPTION_LIMIT: return read_number(row->name, value, UNIT_COUNT, INT32_MAX, &options->limit);
    case OPTION_IMPORT_LIMIT:
        return read_number(row->name, value, UNIT_COUNT, INT32_MAX, &options->import_limit);
    case OPTION_TIMEOUT:
        if (!read_number(row->name, value, UNIT_DURATION, INT_MAX, &number))
            return false;
        options->timeout_ms = (int)number;
        return true;
    }
    return false;
}

/* getopt_long returns an option's `val`: its row's index, counted from FIRST_VAL. */
enum { FIRST_VAL = 256 }; /* above every character, thus never '?', getopt's mark of an error */

/* Writes the accepted options and the end mark in the form of getopt_long. */
static void select_options(unsigned accepted, struct option ret_options[ROW_COUNT + 1])
{
    size_t count = 0;
    for (int i = 0; i < ROW_COUNT; i++) {
        int has_argument = rows[i].argument != NULL ? required_argument : no_argument;
        if ((accepted & rows[i].bit) != 0)
            ret_options[count++] = (struct option){rows[i].name, has_argument, NULL, FIRST_VAL + i};
    }
    ret_options[count] = (struct option){NULL, 0, NULL, 0};
}

static bool set_defaults(struct arena *arena, struct options *options)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].value != NULL && !set_option(&rows[i], rows[i].value, arena, options))
            return false;
    }
    return true;
}

bool options_read(int argc, char **argv, unsigned accepted, bool has_operand, struct arena *arena,
                  struct options *ret_options)
{
    struct option long_options[ROW_COUNT + 1];
    struct options options = {0};
    if (!set_defaults(arena, &options))
        return false;
    select_options(accepted, long_options);
    for (int val; (val = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        /* For an unknown option or a missing argument getopt_long has printed the error. */
        if (val < FIRST_VAL || !set_option(&rows[val - FIRST_VAL], optarg, arena, &options))
            return false;
    }
    if (optind < argc && has_operand)
        options.operand = argv[optind++];
    if (optind < argc) {
        (void)fprintf(stderr, "allotctl: unexpected argument '%s'\n", argv[optind]);
        return false;
    }
    *ret_options = options;
    return true;
}
