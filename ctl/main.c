/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/version.h"
#include "ctl/commands.h"

static const char usage_text[] =
    "usage: allotctl topology declare|check [--config FILE] [--uri URI]\n"
    "       allotctl send [OPTION]... [FILE|-]\n"
    "       allotctl dead list [--queue QUEUE] [--limit N] [--json] [--config FILE] [--uri URI]\n"
    "       allotctl audit [--repair] [--config FILE] [--uri MONGODB-URI]\n"
    "       allotctl --help | --version\n"
    "\n"
    "The broker is --uri URI, else the environment's ALLOT_AMQP_URI, else amqp.uri of --config.\n"
    "Names of queues and exchanges are those of the settings, else the defaults.\n"
    "\n"
    "topology declare  makes the exchanges and queues that are missing; deletes nothing\n"
    "topology check    prints what is absent or different, one a line\n"
    "dead list         shows the dead letters, and leaves them where they are; each look counts\n"
    "                  as a delivery\n"
    "  --limit N            at most so many (1000)\n"
    "send              sends commands, one a line, and prints the replies in the same order\n"
    "                  A line is a body, or {\"message_id\": \"...\", \"headers\": {...}, "
    "\"body\": ...}\n"
    "                  whose body, if it is a string, is sent byte for byte.\n"
    "  --key PREFIX         message ids are PREFIX-LINE; otherwise random\n"
    "  --reply-to QUEUE     wait for replies there; otherwise on a queue USER.allotctl.RANDOM\n"
    "  --timeout DURATION   how long to wait for replies after the last line (30s)\n"
    "  --no-wait            ask for no reply; the broker's confirm is enough\n"
    "  --exchange EXCHANGE  where to publish to, and with what routing key\n"
    "  --routing-key KEY\n"
    "audit             recomputes usages, consumers and trees from the database, in one snapshot, "
    "and\n"
    "                  names what does not fit; the storage is --uri, else ALLOT_MONGODB_URI\n"
    "  --repair             sets wrong counters to what the consumers hold, and says so\n"
    "\n"
    "Exit status: 0 all went well; 1 something failed, is missing or timed out; 2 usage.\n";

struct command {
    const char *name;
    const char *subcommand; /* NULL: it has none */
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"topology", "declare", topology_declare_command},
    {"topology", "check", topology_check_command},
    {"send", NULL, send_command},
    {"dead", "list", dead_list_command},
    {"audit", NULL, audit_command},
};

static bool matches_command(const struct command *command, int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], command->name) != 0)
        return false;
    return command->subcommand == NULL || (argc >= 3 && strcmp(argv[2], command->subcommand) == 0);
}

static bool is_only_option(int argc, char **argv, const char *option)
{
    return argc == 2 && strcmp(argv[1], option) == 0;
}

int main(int argc, char **argv)
{
    if (is_only_option(argc, argv, "--help")) {
        (void)fputs(usage_text, stdout);
        return finish_output(EXIT_SUCCESS);
    }
    if (is_only_option(argc, argv, "--version")) {
        (void)printf("allotctl %s\n", version_text());
        return finish_output(EXIT_SUCCESS);
    }
    int status = EXIT_USAGE;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        int words = commands[i].subcommand != NULL ? 2 : 1;
        if (matches_command(&commands[i], argc, argv)) {
            argv[words] = argv[0];
            status = commands[i].run(argc - words, argv + words);
            if (status != EXIT_USAGE)
                return status;
        }
    }
    (void)fputs("allotctl: see allotctl --help\n", stderr);
    return status;
}
