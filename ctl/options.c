/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. `rows` is the table of all options: name, kind, and the member of struct options that
 * gets the value. getopt_long does the parsing. Nothing bigger is needed: argp exists in glibc only
 * and exits the process with statuses of its own, and popt would be one more library to install.
 *
 * Guarantee. Only the options that the command accepts are read, and only they get their defaults.
 * Two options may have one name and mean different things, but not to one command.
 *
 * Not here: what a value means (the command checks that), and which command accepts what
 * (command_table.c).
 */
#include "ctl/options.h"

#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/codec/units.h"
#include "ctl/uri_argument.h"

enum option_kind {
    KIND_TEXT,
    KIND_URI,
    KIND_FLAG,
    KIND_COUNT,    /* from 1 on */
    KIND_NUMBER,   /* from 0 on */
    KIND_DURATION, /* in ms */
    KIND_ITEM      /* may be repeated: added to `items` */
};

struct option_row {
    enum option_id id;
    const char *name;
    const char *argument; /* its name in the help text; NULL: the option is a flag */
    enum option_kind kind;
    size_t offset;     /* of the member; unused for items */
    const char *value; /* the default, for numbers; NULL: none */
    const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct option_row rows[] = {
    {OPTION_CONFIG, "config", "FILE", KIND_TEXT, AT(config), NULL,
     "settings file, the same as for allotd"},
    {OPTION_CONTEXT, "context", "NAME", KIND_TEXT, AT(context), NULL,
     "servers of this name in ~/.config/allot/allotctl.yaml"},
    {OPTION_BROKER_URI, "uri", "URI", KIND_URI, AT(uri), NULL,
     "URI of the broker, instead of ALLOT_AMQP_URI or amqp.uri"},
    {OPTION_DATABASE_URI, "uri", "URI", KIND_URI, AT(uri), NULL,
     "URI of the database, instead of ALLOT_MONGODB_URI or mongodb.uri"},
    {OPTION_EITHER_URI, "uri", "URI", KIND_URI, AT(uri), NULL,
     "URI of the database; with --from-queue, that of the broker"},
    {OPTION_URI_FILE, "uri-file", "FILE", KIND_TEXT, AT(uri_file), NULL,
     "file with the URI that --uri would give"},
    {OPTION_SECOND_URI, "database-uri", "URI", KIND_URI, AT(database_uri), NULL,
     "URI of the database, instead of ALLOT_MONGODB_URI or mongodb.uri"},
    {OPTION_SECOND_URI_FILE, "database-uri-file", "FILE", KIND_TEXT, AT(database_uri_file), NULL,
     "file with the URI of the database"},
    {OPTION_MANAGEMENT_URI, "management-uri", "URI", KIND_URI, AT(management_uri), NULL,
     "http[s]://user:password@host:port of the broker's management API"},
    {OPTION_POLICY, "policy", "FILE", KIND_TEXT, AT(policy), NULL,
     "access policy, instead of ALLOT_POLICY_FILE or policy.file"},
    {OPTION_REASON, "reason", "REASON", KIND_TEXT, AT(reason), NULL,
     "only letters with this latest reason"},
    {OPTION_PRINCIPAL, "principal", "USER", KIND_TEXT, AT(principal), NULL,
     "only letters of this principal"},
    {OPTION_COMMAND, "command", "COMMAND", KIND_TEXT, AT(command), NULL,
     "only letters of this command"},
    {OPTION_PROJECT, "project", "PROJECT", KIND_TEXT, AT(project), NULL,
     "only letters of this project"},
    {OPTION_LETTER_PROVIDER, "provider", "UUID", KIND_TEXT, AT(provider), NULL,
     "only letters whose command names this provider"},
    {OPTION_GROUP, "group", "ID", KIND_TEXT, AT(group), NULL,
     "only letters of the group that the letter ID belongs to"},
    {OPTION_STATE, "state", "STATE", KIND_TEXT, AT(state), NULL,
     "only letters in this state: open, replayed, resolved, discarded"},
    {OPTION_SINCE, "since", "TIME", KIND_TEXT, AT(since), NULL,
     "only letters that were dead-lettered at TIME or later"},
    {OPTION_UNTIL, "until", "TIME", KIND_TEXT, AT(until), NULL,
     "only letters that were dead-lettered last before TIME"},
    {OPTION_TEXT, "text", "TEXT", KIND_TEXT, AT(text), NULL,
     "of these, only letters that have TEXT in their detail or body"},
    {OPTION_ALL, "all", NULL, KIND_FLAG, AT(all), NULL, "all open letters"},
    {OPTION_LIMIT, "limit", "N", KIND_COUNT, AT(limit), "1000",
     "list at most N letters or dead letters"},
    {OPTION_GROUP_LIMIT, "limit", "N", KIND_COUNT, AT(limit), "1000", "list at most N groups"},
    {OPTION_IMPORT_LIMIT, "limit", "N", KIND_COUNT, AT(limit), NULL,
     "take at most N dead letters, instead of all that are in the queue"},
    {OPTION_FROM_QUEUE, "from-queue", NULL, KIND_FLAG, AT(from_queue), NULL,
     "look at the dead letters in the queue instead"},
    {OPTION_QUEUE, "queue", "QUEUE", KIND_TEXT, AT(queue), NULL,
     "queue to look into, instead of amqp.dead_letter_queue"},
    {OPTION_BODY, "body", "FILE|-", KIND_TEXT, AT(body), NULL,
     "write only the body, byte for byte, to FILE or standard output"},
    {OPTION_EDITED_BODY, "body", "FILE", KIND_TEXT, AT(body), NULL,
     "send the body that is in FILE, and start no editor"},
    {OPTION_DRY_RUN, "dry-run", NULL, KIND_FLAG, AT(dry_run), NULL,
     "say for each letter what would happen now; change and send nothing"},
    {OPTION_IMPORT_DRY_RUN, "dry-run", NULL, KIND_FLAG, AT(dry_run), NULL,
     "change nothing in the database, and requeue every message"},
    {OPTION_YES, "yes", NULL, KIND_FLAG, AT(yes), NULL, "do not ask"},
    {OPTION_NOTE, "note", "TEXT", KIND_TEXT, AT(note), NULL, "why, for the history of the letters"},
    {OPTION_KEEP_DEADLINE, "keep-deadline", NULL, KIND_FLAG, AT(keep_deadline), NULL,
     "send the original's x-allot-deadline"},
    {OPTION_KEEP_EXPIRATION, "keep-expiration", NULL, KIND_FLAG, AT(keep_expiration), NULL,
     "send the original's expiration"},
    {OPTION_KEEP_REPLY_TO, "keep-reply-to", NULL, KIND_FLAG, AT(keep_reply_to), NULL,
     "send the original's reply_to, so that its producer gets the answer"},
    {OPTION_NEW_KEY, "new-key", NULL, KIND_FLAG, AT(new_key), NULL,
     "give letters without a valid key, or with an expired one, a new key"},
    {OPTION_CONTINUE, "continue", "RUN", KIND_TEXT, AT(run), NULL,
     "send what an interrupted run has left"},
    {OPTION_RATE, "rate", "N", KIND_COUNT, AT(rate), "50", "send at most N commands a second"},
    {OPTION_STOP_AT_FAILURES, "stop-at-failures", "N", KIND_COUNT, AT(stop_at_failures), NULL,
     "send no more after N commands have failed"},
    {OPTION_KEY_PREFIX, "key", "PREFIX", KIND_TEXT, AT(key_prefix), NULL,
     "make message ids of PREFIX and the line's number: PREFIX-1"},
    {OPTION_KEY, "key", "KEY", KIND_TEXT, AT(key), NULL,
     "idempotency key of the command, instead of a random UUID"},
    {OPTION_REPLY_TO, "reply-to", "QUEUE", KIND_TEXT, AT(reply_to), NULL,
     "receive the replies from QUEUE, not from a temporary queue"},
    {OPTION_TIMEOUT, "timeout", "DURATION", KIND_DURATION, AT(timeout_ms), "30s",
     "time to wait for replies after the last command is sent"},
    {OPTION_REPLY_TIMEOUT, "timeout", "DURATION", KIND_DURATION, AT(timeout_ms), "30s",
     "time to wait for the reply"},
    {OPTION_NO_WAIT, "no-wait", NULL, KIND_FLAG, AT(no_wait), NULL,
     "ask for confirms only, not for replies"},
    {OPTION_EXCHANGE, "exchange", "EXCHANGE", KIND_TEXT, AT(exchange), NULL,
     "exchange to publish to, not amqp.exchange"},
    {OPTION_ROUTING_KEY, "routing-key", "KEY", KIND_TEXT, AT(routing_key), NULL,
     "routing key, instead of amqp.queue"},
    {OPTION_RESOURCE, "resource", "CLASS=AMOUNT", KIND_ITEM, 0, NULL,
     "a resource class with its amount; may be repeated"},
    {OPTION_INVENTORY, "resource", "CLASS=TOTAL[:KEY=VALUE,...]", KIND_ITEM, 0, NULL,
     "a resource class with its inventory; may be repeated"},
    {OPTION_PROVIDER, "provider", "NAME|UUID", KIND_ITEM, 0, NULL,
     "provider of the resources; may be repeated"},
    {OPTION_CLAIM_PROJECT, "project", "PROJECT", KIND_TEXT, AT(project), NULL,
     "project of the consumer"},
    {OPTION_USER, "user", "USER", KIND_TEXT, AT(user), NULL, "user of the consumer"},
    {OPTION_TYPE, "type", "TYPE", KIND_TEXT, AT(type), NULL, "consumer type, such as INSTANCE"},
    {OPTION_USAGE_USER, "user", "USER", KIND_TEXT, AT(user), NULL, "only consumers of this user"},
    {OPTION_USAGE_TYPE, "type", "TYPE", KIND_TEXT, AT(type), NULL,
     "only consumers of this type; 'all' adds all types up"},
    {OPTION_GENERATION, "generation", "N", KIND_NUMBER, AT(generation), NULL,
     "generation that it must have now"},
    {OPTION_UUID, "uuid", "UUID", KIND_TEXT, AT(uuid), NULL,
     "UUID of the provider, instead of a random one"},
    {OPTION_PARENT, "parent", "NAME|UUID", KIND_TEXT, AT(parent), NULL,
     "provider below which it is"},
    {OPTION_PREFIX, "prefix", "TEXT", KIND_TEXT, AT(prefix), NULL,
     "only providers whose names begin with TEXT"},
    {OPTION_FROM, "from", "NAME|UUID", KIND_TEXT, AT(from), NULL,
     "provider that the allocations leave"},
    {OPTION_TO, "to", "NAME|UUID", KIND_TEXT, AT(to), NULL, "provider that gets them"},
    {OPTION_PROVIDER_LIMIT, "limit", "N", KIND_COUNT, AT(limit), "1000",
     "list at most N providers"},
    {OPTION_CONSUMER_LIMIT, "limit", "N", KIND_COUNT, AT(limit), "1000",
     "with --output wide, list at most N consumers"},
    {OPTION_ASKED_PRINCIPAL, "principal", "USER", KIND_TEXT, AT(principal), NULL,
     "who would send the command"},
    {OPTION_OUTCOME_PRINCIPAL, "principal", "USER", KIND_TEXT, AT(principal), NULL,
     "who has sent the command"},
    {OPTION_ASKED_COMMAND, "command", "COMMAND", KIND_TEXT, AT(command), NULL,
     "the command, such as allocation.set"},
    {OPTION_ASKED_PROJECT, "project", "PROJECT", KIND_ITEM, 0, NULL,
     "project of the command or of the stored consumer; may be repeated"},
    {OPTION_ASKED_PROVIDER, "provider", "UUID", KIND_ITEM, 0, NULL,
     "provider of the command or of the stored consumer; may be repeated"},
    {OPTION_ASKED_REPLY_TO, "reply-to", "QUEUE", KIND_TEXT, AT(reply_to), NULL,
     "queue for the reply of the command"},
    {OPTION_OUTPUT, "output", "FORM", KIND_TEXT, AT(output), NULL,
     "form of the results: table, wide (with more columns) or json (default table)"},
    {OPTION_JSON, "json", NULL, KIND_FLAG, AT(json), NULL,
     "print one JSON object per line, the same as --output json"},
    {OPTION_NO_PAGER, "no-pager", NULL, KIND_FLAG, AT(no_pager), NULL,
     "do not start $PAGER on a terminal"},
    {OPTION_REPAIR, "repair", NULL, KIND_FLAG, AT(repair), NULL,
     "set wrong usage counters to the sum of allocations"},
    {OPTION_LISTEN, "listen", "ADDRESS:PORT", KIND_TEXT, AT(listen), NULL,
     "address to listen on (default 127.0.0.1 and a free port)"},
    {OPTION_READ_ONLY, "read-only", NULL, KIND_FLAG, AT(read_only), NULL,
     "show everything, change and send nothing"},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const struct option_row *row_of(enum option_id id)
{
    const struct option_row *row = rows;
    while (row->id != id)
        row++;
    return row;
}

struct option_description option_describe(enum option_id id)
{
    const struct option_row *row = row_of(id);
    return (struct option_description){row->name, row->argument, row->value, row->help,
                                       row->kind == KIND_ITEM};
}

/* --- values --------------------------------------------------------------------------------- */

/* What options_read() fills. */
struct reader {
    struct arena *arena;
    struct options options;
    struct option_item *items;
    size_t item_capacity;
};

static bool read_number(const struct option_row *row, const char *value, int64_t minimum,
                        int64_t maximum, int64_t *ret_number)
{
    enum unit_kind kind = row->kind == KIND_DURATION ? UNIT_DURATION : UNIT_COUNT;
    int64_t number = 0;
    if (!units_parse(kind, text_of(value), &number)) {
        (void)fprintf(stderr, "allotctl: invalid value '%s' for --%s: expected %s\n", value,
                      row->name, units_wanted(kind));
        return false;
    }
    if (number < minimum || number > maximum) {
        (void)fprintf(stderr, "allotctl: invalid value '%s' for --%s: expected %s to %s\n", value,
                      row->name, units_format(kind, minimum).chars,
                      units_format(kind, maximum).chars);
        return false;
    }
    *ret_number = number;
    return true;
}

static void add_item(struct reader *reader, enum option_id id, const char *value)
{
    struct options *options = &reader->options;
    reader->items = arena_grown(reader->arena, reader->items, options->item_count,
                                &reader->item_capacity, sizeof *reader->items);
    reader->items[options->item_count++] = (struct option_item){id, value};
    options->items = reader->items;
}

static bool set_option(struct reader *reader, const struct option_row *row, const char *value)
{
    void *member = (char *)&reader->options + row->offset;
    switch (row->kind) {
    case KIND_TEXT: *(const char **)member = value; return true;
    case KIND_URI:
        *(const char **)member = uri_argument_take(value, row->name, reader->arena);
        return true;
    case KIND_FLAG: *(bool *)member = true; return true;
    case KIND_COUNT: return read_number(row, value, 1, INT32_MAX, member);
    case KIND_DURATION: return read_number(row, value, 1, INT_MAX, member);
    case KIND_NUMBER:
        reader->options.generation_given = true;
        return read_number(row, value, 0, INT64_MAX, member);
    case KIND_ITEM: add_item(reader, row->id, value); return true;
    }
    return false;
}

/* --- the arguments -------------------------------------------------------------------------- */

/* getopt_long returns an option's `val`: its row's index, counted from FIRST_VAL. */
enum { FIRST_VAL = 256 }; /* above every character, thus never '?', getopt's mark of an error */

/* Writes the accepted options and the end mark in the form of getopt_long. */
static void select_options(const enum option_id *accepted, struct option ret_options[ROW_COUNT + 1])
{
    size_t count = 0;
    for (; *accepted != OPTION_NONE; accepted++) {
        const struct option_row *row = row_of(*accepted);
        int has_argument = row->argument != NULL ? required_argument : no_argument;
        ret_options[count++] =
            (struct option){row->name, has_argument, NULL, FIRST_VAL + (int)(row - rows)};
    }
    ret_options[count] = (struct option){NULL, 0, NULL, 0};
}

static bool set_defaults(struct reader *reader, const enum option_id *accepted)
{
    for (; *accepted != OPTION_NONE; accepted++) {
        const struct option_row *row = row_of(*accepted);
        if (row->value != NULL && !set_option(reader, row, row->value))
            return false;
    }
    return true;
}

static bool is_form(const char *form, enum output_form *ret_form)
{
    static const char *const names[] = {
#define X(id, name) [OUTPUT_##id] = (name),
        OUTPUT_FORMS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(form, names[i]) != 0)
            continue;
        *ret_form = (enum output_form)i;
        return true;
    }
    return false;
}

static bool read_form(struct options *options)
{
    options->form = options->json ? OUTPUT_JSON : OUTPUT_TABLE;
    if (options->output == NULL)
        return true;
    if (!is_form(options->output, &options->form)) {
        (void)fprintf(stderr,
                      "allotctl: invalid value '%s' for --output: expected table, wide or json\n",
                      options->output);
        return false;
    }
    if (options->json && options->form != OUTPUT_JSON) {
        (void)fprintf(stderr, "allotctl: --json and --output %s contradict each other\n",
                      options->output);
        return false;
    }
    options->json = options->form == OUTPUT_JSON;
    return true;
}

static bool check_pair(const char *option, const char *value, const char *file)
{
    if (value == NULL || file == NULL)
        return true;
    (void)fprintf(stderr, "allotctl: --%s and --%s-file say the same; give one of them\n", option,
                  option);
    return false;
}

static bool check_pairs(const struct options *options)
{
    return check_pair("uri", options->uri, options->uri_file) &&
           check_pair("database-uri", options->database_uri, options->database_uri_file);
}

static bool read_operands(struct reader *reader, int argc, char **argv, size_t operands_max)
{
    size_t count = (size_t)(argc - optind);
    if (count > operands_max) {
        (void)fprintf(stderr, "allotctl: unexpected argument '%s'\n",
                      argv[optind + (int)operands_max]);
        return false;
    }
    reader->options.operands = (const char *const *)&argv[optind];
    reader->options.operand_count = count;
    reader->options.operand = count > 0 ? argv[optind] : NULL;
    return true;
}

bool options_read(int argc, char **argv, const enum option_id *accepted, size_t operands_max,
                  struct arena *arena, struct options *ret_options)
{
    struct option long_options[ROW_COUNT + 1];
    struct reader reader = {.arena = arena};
    if (!set_defaults(&reader, accepted))
        return false;
    select_options(accepted, long_options);
    optind = 0; /* glibc and musl then forget an earlier list of arguments */
    for (int val; (val = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        /* For an unknown option or a missing argument getopt_long has printed the error. */
        if (val < FIRST_VAL || !set_option(&reader, &rows[val - FIRST_VAL], optarg))
            return false;
    }
    if (!read_operands(&reader, argc, argv, operands_max) || !read_form(&reader.options) ||
        !check_pairs(&reader.options))
        return false;
    *ret_options = reader.options;
    return true;
}
