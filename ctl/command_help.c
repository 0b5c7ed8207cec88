/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of --help, made from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "ctl/command_table.h"

enum { OPTION_COLUMN = 31, NAME_COLUMN = 27 };

static const char introduction[] =
    "usage: allotctl NOUN VERB [OPTION]...\n"
    "       allotctl NOUN [VERB] --help\n"
    "       allotctl --help | --version\n"
    "\n"
    "Looks after allotd: its dead letters, its data, its queues; and sends commands.\n"
    "\n";

static const char servers[] =
    "\n"
    "Which broker and database: an option (--uri, --uri-file, --database-uri) comes before\n"
    "the context of --context, that before a variable (ALLOT_AMQP_URI, ALLOT_MONGODB_URI),\n"
    "that before the context of ALLOT_CONTEXT or 'current', and that before the settings\n"
    "file of --config. Contexts are in ~/.config/allot/allotctl.yaml.\n"
    "Every user of the machine can see a password in an argument: so give a URI with a\n"
    "password in a file (--uri-file, ALLOT_AMQP_URI_FILE, ALLOT_MONGODB_URI_FILE) or in a\n"
    "variable.\n"
    "\n";

static const char exit_statuses[] =
    "Exit status: 0 success; 1 failure, mismatch or timeout; 2 usage error.\n";

static void print_name(const struct command *command)
{
    (void)printf("allotctl %s%s%s", command->noun, command->verb != NULL ? " " : "",
                 command->verb != NULL ? command->verb : "");
}

static void print_option(enum option_id id)
{
    struct option_description option = option_describe(id);
    int width = printf("    --%s %s", option.name, option.argument != NULL ? option.argument : "");
    if (width >= OPTION_COLUMN)
        width = printf("\n") - 1;
    (void)printf("%*s%s", OPTION_COLUMN - width, "", option.help);
    if (option.value != NULL)
        (void)printf(" (default %s)", option.value);
    (void)putchar('\n');
}

static void print_command(const struct command *command)
{
    print_name(command);
    if (command->operands != NULL)
        (void)printf(" %s", command->operands);
    (void)printf(" [OPTION]...\n    %s\n", command->summary);
    if (command->help != NULL)
        (void)printf("%s", command->help);
    for (const enum option_id *id = command->options; *id != OPTION_NONE; id++)
        print_option(*id);
    (void)printf("  examples:\n");
    for (size_t i = 0; i < sizeof command->examples / sizeof command->examples[0]; i++)
        (void)printf("    %s\n", command->examples[i]);
    (void)putchar('\n');
}

void command_print_help(const struct command *command)
{
    print_command(command);
    (void)fputs(exit_statuses, stdout);
}

void command_print_noun(const char *noun)
{
    const struct command *command;
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        if (strcmp(command->noun, noun) == 0)
            print_command(command);
    }
    (void)fputs(exit_statuses, stdout);
}

void command_print_overview(void)
{
    const struct command *command;
    (void)fputs(introduction, stdout);
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        int width = printf("  %s%s%s", command->noun, command->verb != NULL ? " " : "",
                           command->verb != NULL ? command->verb : "");
        (void)printf("%*s%s\n", NAME_COLUMN - width, "", command->summary);
    }
    (void)fputs(servers, stdout);
    (void)fputs(exit_statuses, stdout);
}
