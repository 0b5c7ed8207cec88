/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. `commands` is the table of all commands: name, options, function and help. main() finds
 * the row that the arguments name, reads the options that the row accepts (options.c), and runs its
 * function.
 *
 * Here are also the texts of --help, and the stack limit, which is for librabbitmq.
 * Not here: what a command does (a file for each, see commands.h), and how results and errors are
 * printed (output.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "allot/transport.h"
#include "common/base/version.h"
#include "ctl/commands.h"
#include "ctl/output.h"

/* A command: how it is called, which function runs it, and its help. */
struct command {
    const char *name;
    const char *subcommand; /* the second word of the command; NULL: none */
    const char *operand;    /* the argument that is not an option; NULL: none */
    unsigned options;       /* the OPTION_ bits of the options that the command accepts */
    int (*run)(const struct options *options, struct arena *arena);
    const char *help; /* lines that end with '\n' */
};

#define BROKER_OPTIONS (OPTION_CONFIG | OPTION_BROKER_URI)
#define DATABASE_OPTIONS (OPTION_CONFIG | OPTION_DATABASE_URI)

static const struct command commands[] = {
    {"topology", "declare", NULL, BROKER_OPTIONS, topology_declare_command,
     "    create missing exchanges and queues; never change or delete existing ones\n"},
    {"topology", "check", NULL, BROKER_OPTIONS | OPTION_MANAGEMENT_URI, topology_check_command,
     "    check the broker: exchanges, queues, bindings, policies, permissions, limits,\n"
     "    feature flags and alarms. Print one line for each check: ok, warning, different or\n"
     "    unknown, and below it a remedy, or the command that answers it; exit 1 if\n"
     "    anything is different. AMQP shows only exchanges and queues; for the rest it reads\n"
     "    the management API, if ALLOT_MANAGEMENT_URI or --management-uri names it. Of the\n"
     "    permissions it checks those of the user of the broker's URI. Changes nothing.\n"},
    {"send", NULL, "[FILE|-]",
     BROKER_OPTIONS | OPTION_KEY | OPTION_REPLY_TO | OPTION_TIMEOUT | OPTION_NO_WAIT |
         OPTION_EXCHANGE | OPTION_ROUTING_KEY,
     send_command,
     "    send commands, one per line of FILE or standard input, and print the replies in\n"
     "    the same order, one JSON object per line. An input line is either the body of a\n"
     "    command or an envelope: {\"message_id\": \"...\", \"headers\": {...}, \"body\": ...}.\n"
     "    A body that is a JSON string is sent as the bytes of the string. Without --key\n"
     "    and message_id, the message id is a random UUID. Without --reply-to, the replies\n"
     "    go to a queue USER.allotctl.UUID, which is deleted at the end.\n"},
    {"letter", "list", NULL,
     OPTION_CONFIG | OPTION_EITHER_URI | OPTION_REASON | OPTION_PRINCIPAL | OPTION_COMMAND |
         OPTION_PROJECT | OPTION_STATE | OPTION_SINCE | OPTION_UNTIL | OPTION_LIMIT | OPTION_JSON |
         OPTION_FROM_QUEUE | OPTION_QUEUE,
     letter_list_command,
     "    list letters, the stored records of dead-lettered commands, newest first; change\n"
     "    nothing. Columns: age, id, state, reason, principal, command, count, whether the\n"
     "    dead letter is published, detail. TIME is a time in UTC (2026-01-31T23:59:59Z),\n"
     "    a date, or a duration before now (2h).\n"},
    {"letter", "show", "ID", DATABASE_OPTIONS | OPTION_JSON | OPTION_BODY, letter_show_command,
     "    print all of one letter: its history, and the message with properties, headers\n"
     "    and body; change nothing. Of ID the first 8 digits are enough, if no other\n"
     "    letter begins with them. A body that is not UTF-8 is printed in base64.\n"},
    {"letter", "import", NULL,
     BROKER_OPTIONS | OPTION_SECOND_URI | OPTION_QUEUE | OPTION_IMPORT_LIMIT | OPTION_DRY_RUN,
     letter_import_command,
     "    store the dead letters that are in the queue as letters, and remove them from the\n"
     "    queue; for those from before letters were stored. A message that has a letter is\n"
     "    only removed, and one that cannot be stored stays. It can be repeated safely.\n"},
    {"dead", "list", NULL, BROKER_OPTIONS | OPTION_QUEUE | OPTION_LIMIT | OPTION_JSON,
     dead_list_command,
     "    list the dead letters in the queue without removing them; each listing increases\n"
     "    their delivery count. The same as 'letter list --from-queue'. Refused on RabbitMQ\n"
     "    4.0 or later unless the queue's x-delivery-limit is known to be high enough.\n"
     "    Columns: age, reason, principal, command, message id, detail.\n"},
    {"audit", NULL, NULL, DATABASE_OPTIONS | OPTION_REPAIR, audit_command,
     "    check the database: recompute usages, consumers and provider trees in one\n"
     "    snapshot, check each letter, and report every mismatch; exit 1 if any is left.\n"
     "    Warnings are printed too, and do not change the exit status.\n"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const char introduction[] =
    "usage: allotctl COMMAND [OPTION]...\n"
    "       allotctl COMMAND --help\n"
    "       allotctl --help | --version\n"
    "\n"
    "Prepares the broker for allotd, sends commands, shows letters, and checks the data.\n"
    "The settings file and the environment say which broker and database to use: a\n"
    "variable ALLOT_A_B overrides the setting a.b, and an option overrides both.\n"
    "Every user of the machine can see a password in an argument. So give a URI with a\n"
    "password in ALLOT_AMQP_URI or ALLOT_MONGODB_URI, or in a file that ALLOT_AMQP_URI_FILE\n"
    "or ALLOT_MONGODB_URI_FILE names.\n";

static const char exit_statuses[] =
    "Exit status: 0 success; 1 failure, mismatch or timeout; 2 usage error.\n";

static void print_command_help(const struct command *command)
{
    (void)printf("allotctl %s%s%s [OPTION]...%s%s\n%s", command->name,
                 command->subcommand != NULL ? " " : "",
                 command->subcommand != NULL ? command->subcommand : "",
                 command->operand != NULL ? " " : "",
                 command->operand != NULL ? command->operand : "", command->help);
    options_print_help(command->options);
    (void)putchar('\n');
}

static void print_help(void)
{
    (void)printf("%s\n", introduction);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        print_command_help(&commands[i]);
    (void)fputs(exit_statuses, stdout);
}

static int word_count(const struct command *command)
{
    return command->subcommand != NULL ? 2 : 1;
}

static bool matches_command(const struct command *command, int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], command->name) != 0)
        return false;
    return command->subcommand == NULL || (argc > 2 && strcmp(argv[2], command->subcommand) == 0);
}

static bool is_only_option(int argc, char **argv, const char *option)
{
    return argc == 2 && strcmp(argv[1], option) == 0;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct options options = {0};
    int words = word_count(command);
    if (is_only_option(argc - words, argv + words, "--help")) {
        print_command_help(command);
        (void)fputs(exit_statuses, stdout);
        return EXIT_SUCCESS;
    }
    argv[words] = argv[0]; /* getopt_long begins its errors with the name of the program */
    struct arena *arena = arena_new(0);
    int status = EXIT_USAGE;
    if (options_read(argc - words, argv + words, command->options, command->operand != NULL, arena,
                     &options))
        status = command->run(&options, arena);
    else
        (void)fprintf(stderr, "allotctl: see 'allotctl --help'\n");
    arena_free(arena);
    return status;
}

static bool has_subcommands(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].subcommand != NULL && strcmp(commands[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Prints the help of all commands that begin with this word. */
static void print_group_help(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            print_command_help(&commands[i]);
    }
    (void)fputs(exit_statuses, stdout);
}

static int fail_unknown_command(int argc, char **argv)
{
    if (argc < 2)
        (void)fputs("allotctl: missing command; see 'allotctl --help'\n", stderr);
    else if (argc == 2 && has_subcommands(argv[1]))
        (void)fprintf(stderr, "allotctl: '%s' needs a subcommand; see 'allotctl %s --help'\n",
                      argv[1], argv[1]);
    else if (argc > 2 && has_subcommands(argv[1]))
        (void)fprintf(stderr, "allotctl: unknown command '%s %s'; see 'allotctl --help'\n", argv[1],
                      argv[2]);
    else
        (void)fprintf(stderr, "allotctl: unknown command '%s'; see 'allotctl --help'\n", argv[1]);
    return EXIT_USAGE;
}

/* The stack of the main thread grows up to the limit, and the kernel leaves more than that free. */
static void raise_stack_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= TRANSPORT_STACK_BYTES)
        return;
    limit.rlim_cur =
        limit.rlim_max < TRANSPORT_STACK_BYTES ? limit.rlim_max : TRANSPORT_STACK_BYTES;
    (void)setrlimit(RLIMIT_STACK, &limit);
}

int main(int argc, char **argv)
{
    raise_stack_limit();
    if (is_only_option(argc, argv, "--help")) {
        print_help();
        return finish_output(EXIT_SUCCESS);
    }
    if (is_only_option(argc, argv, "--version")) {
        (void)printf("allotctl %s\n", version_text());
        return finish_output(EXIT_SUCCESS);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (matches_command(&commands[i], argc, argv))
            return finish_output(run_command(&commands[i], argc, argv));
    }
    if (argc > 1 && has_subcommands(argv[1]) && is_only_option(argc - 1, argv + 1, "--help")) {
        print_group_help(argv[1]);
        return finish_output(EXIT_SUCCESS);
    }
    return fail_unknown_command(argc, argv);
}
