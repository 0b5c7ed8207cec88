/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. main() finds the row of the table of commands that the arguments name, reads the options
 * that the row accepts (options.c), and runs its function. Here is also the stack limit, which is
 * for librabbitmq.
 *
 * Not here: the table (command_table.c), what a command does (a file for each, see commands.h), and
 * how results and errors are printed (output.c, table.c, terminal.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "allot/transport.h"
#include "common/base/version.h"
#include "common/host/end_process.h"
#include "common/mongo/library.h"
#include "ctl/command_table.h"
#include "ctl/output.h"
#include "ctl/terminal.h"

static bool is_only_option(int argc, char **argv, const char *option)
{
    return argc == 2 && strcmp(argv[1], option) == 0;
}

/* Returns whether --help is among the arguments, before a "--". */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return true;
    }
    return false;
}

static int run_with(const struct command *command, const struct options *options,
                    struct arena *arena)
{
    terminal_open(command->has_pager && !options->no_pager && !options->json);
    return terminal_finish(command->run(options, arena));
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct options options = {0};
    int words = command_words(command);
    static char name[] = "allotctl"; /* getopt_long begins its errors with the name */
    if (asks_for_help(argc - words, argv + words)) {
        command_print_help(command);
        return finish_output(EXIT_SUCCESS);
    }
    argv[words] = name;
    struct arena *arena = arena_new(0);
    int status = EXIT_USAGE;
    if (options_read(argc - words, argv + words, command->options, command->operands_max, arena,
                     &options))
        status = run_with(command, &options, arena);
    else
        (void)fprintf(stderr, "allotctl: see 'allotctl %s%s%s --help'\n", command->noun,
                      command->verb != NULL ? " " : "", command->verb != NULL ? command->verb : "");
    arena_free(arena);
    return status;
}

static int fail_unknown_command(int argc, char **argv)
{
    if (argc < 2)
        (void)fputs("allotctl: missing command; see 'allotctl --help'\n", stderr);
    else if (argc == 2 && command_noun_has_verbs(argv[1]))
        (void)fprintf(stderr, "allotctl: '%s' needs a verb; see 'allotctl %s --help'\n", argv[1],
                      argv[1]);
    else if (argc > 2 && command_noun_has_verbs(argv[1]))
        (void)fprintf(stderr, "allotctl: unknown command '%s %s'; see 'allotctl %s --help'\n",
                      argv[1], argv[2], argv[1]);
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

static int run(int argc, char **argv)
{
    if (is_only_option(argc, argv, "--help")) {
        command_print_overview();
        return finish_output(EXIT_SUCCESS);
    }
    if (is_only_option(argc, argv, "--version")) {
        (void)printf("allotctl %s\n", version_text());
        return finish_output(EXIT_SUCCESS);
    }
    const struct command *command = command_find(argc, argv);
    if (command != NULL)
        return run_command(command, argc, argv);
    if (argc > 1 && command_noun_has_verbs(argv[1]) &&
        is_only_option(argc - 1, argv + 1, "--help")) {
        command_print_noun(argv[1]);
        return finish_output(EXIT_SUCCESS);
    }
    return fail_unknown_command(argc, argv);
}

int main(int argc, char **argv)
{
    mongo_library_remove_counters();
    raise_stack_limit();
    end_process(run(argc, argv));
}
