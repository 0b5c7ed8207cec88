/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/command_table.h"

#include <stdint.h>
#include <string.h>

#define LIST(...) ((const enum option_id[]){__VA_ARGS__, OPTION_NONE})
#define SERVERS OPTION_CONFIG, OPTION_CONTEXT
#define BROKER SERVERS, OPTION_BROKER_URI, OPTION_URI_FILE
#define DATABASE SERVERS, OPTION_DATABASE_URI, OPTION_URI_FILE
#define BOTH BROKER, OPTION_SECOND_URI, OPTION_SECOND_URI_FILE
#define OUTPUT OPTION_OUTPUT, OPTION_JSON
#define FILTERS                                                                                    \
    OPTION_REASON, OPTION_PRINCIPAL, OPTION_COMMAND, OPTION_PROJECT, OPTION_LETTER_PROVIDER,       \
        OPTION_GROUP, OPTION_STATE, OPTION_SINCE, OPTION_UNTIL, OPTION_TEXT

static const struct command commands[] = {
    {"letter",
     "list",
     NULL,
     0,
     true,
     LIST(SERVERS, OPTION_EITHER_URI, OPTION_URI_FILE, FILTERS, OPTION_LIMIT, OUTPUT,
          OPTION_NO_PAGER, OPTION_FROM_QUEUE, OPTION_QUEUE),
     letter_list_command,
     "list letters, the stored records of dead-lettered commands",
     "    The newest letter is first. Columns: age, id, state, reason, principal, command,\n"
     "    count, whether the dead letter is published, detail. A letter whose command has\n"
     "    succeeded since is closed. TIME is a time (2026-01-31T23:59:59, with a Z at its\n"
     "    end for UTC), a date, or a duration before now (2h).\n",
     {"allotctl letter list --state open --reason internal --since 2h",
      "allotctl letter list --principal conductor --text compute-7 --json"}},
    {"letter",
     "show",
     "ID",
     1,
     true,
     LIST(DATABASE, OUTPUT, OPTION_NO_PAGER, OPTION_BODY),
     letter_show_command,
     "print all of one letter: its history, and the message",
     "    Of ID the first 8 digits are enough, if no other letter begins with them. A body\n"
     "    that is not UTF-8 is printed in base64.\n",
     {"allotctl letter show 12ab34cd56ef",
      "allotctl letter show 12ab34cd56ef --body command.json"}},
    {"letter",
     "import",
     NULL,
     0,
     false,
     LIST(BOTH, OPTION_QUEUE, OPTION_IMPORT_LIMIT, OPTION_IMPORT_DRY_RUN),
     letter_import_command,
     "store the dead letters that are in the queue as letters",
     "    They are removed from the queue; for those from before letters were stored. A\n"
     "    message that has a letter is only removed, and one that cannot be stored stays. It\n"
     "    can be repeated safely.\n",
     {"allotctl letter import --dry-run", "allotctl letter import --limit 100"}},
    {"dead",
     "list",
     NULL,
     0,
     true,
     LIST(BROKER, OPTION_QUEUE, OPTION_LIMIT, OUTPUT, OPTION_NO_PAGER),
     dead_list_command,
     "list the dead letters in the queue without removing them",
     "    Each listing increases their delivery count. The same as 'letter list\n"
     "    --from-queue'. Refused on RabbitMQ 4.0 or later unless the queue's\n"
     "    x-delivery-limit is known to be high enough. Columns: age, reason, principal,\n"
     "    command, message id, detail.\n",
     {"allotctl dead list --limit 10", "allotctl dead list --queue allot.dead --json"}},
    {"send",
     NULL,
     "[FILE|-]",
     1,
     false,
     LIST(BROKER, OPTION_KEY_PREFIX, OPTION_REPLY_TO, OPTION_TIMEOUT, OPTION_NO_WAIT,
          OPTION_EXCHANGE, OPTION_ROUTING_KEY),
     send_command,
     "send commands, one per line, and print the replies in the same order",
     "    Input is FILE or standard input. A line is either the body of a command or an\n"
     "    envelope: {\"message_id\": \"...\", \"headers\": {...}, \"body\": ...}. A body that is "
     "a\n"
     "    JSON string is sent as the bytes of the string. Without --key and message_id, the\n"
     "    message id is a random UUID. Without --reply-to, the replies go to a queue\n"
     "    USER.allotctl.UUID, which is deleted at the end. Output is one JSON object per line.\n",
     {"allotctl send commands.jsonl", "allotctl send --key job-17 --timeout 2m -"}},
    {"topology",
     "declare",
     NULL,
     0,
     false,
     LIST(BROKER),
     topology_declare_command,
     "create missing exchanges and queues; never change or delete existing ones",
     NULL,
     {"allotctl topology declare", "allotctl topology declare --config /etc/allot/allotd.yaml"}},
    {"topology",
     "check",
     NULL,
     0,
     false,
     LIST(BROKER, OPTION_MANAGEMENT_URI),
     topology_check_command,
     "check the broker: exchanges, queues, policies, permissions, limits, alarms",
     "    Prints one line for each check: ok, warning, different or unknown, and below it a\n"
     "    remedy, or the command that answers it; exit 1 if anything is different. AMQP shows\n"
     "    only exchanges and queues; for the rest it reads the management API, if\n"
     "    ALLOT_MANAGEMENT_URI or --management-uri names it. Of the permissions it checks\n"
     "    those of the user of the broker's URI. Changes nothing.\n",
     {"allotctl topology check", "allotctl topology check --context production"}},
    {"audit",
     NULL,
     NULL,
     0,
     false,
     LIST(DATABASE, OPTION_REPAIR),
     audit_command,
     "check the database: usages, consumers, provider trees, letters",
     "    Recomputes them in one snapshot and reports every mismatch; exit 1 if any is left.\n"
     "    Warnings are printed too, and do not change the exit status.\n",
     {"allotctl audit", "allotctl audit --repair"}},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

const struct command *command_at(size_t index)
{
    return index < COMMAND_COUNT ? &commands[index] : NULL;
}

static bool matches(const struct command *command, int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], command->noun) != 0)
        return false;
    return command->verb == NULL || (argc > 2 && strcmp(argv[2], command->verb) == 0);
}

const struct command *command_find(int argc, char **argv)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (matches(&commands[i], argc, argv))
            return &commands[i];
    }
    return NULL;
}

int command_words(const struct command *command)
{
    return command->verb != NULL ? 2 : 1;
}

bool command_noun_has_verbs(const char *noun)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i].verb != NULL && strcmp(commands[i].noun, noun) == 0)
            return true;
    }
    return false;
}
