/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. `commands` is the table of all commands. A row says all that is to be known of one: how
 * it is called, the options that it accepts, the function that runs it, its help and two examples.
 * What several commands accept has a name above the table.
 *
 * Guarantees. A row that comes later never hides one before it: a noun is followed by a verb in all
 * of its rows, or has one row.
 */
#include "ctl/command_table.h"

#include <stdint.h>
#include <string.h>

#define LIST(...) ((const enum option_id[]){__VA_ARGS__, OPTION_NONE})
#define SERVERS OPTION_CONFIG, OPTION_CONTEXT
#define BROKER SERVERS, OPTION_BROKER_URI, OPTION_URI_FILE
#define DATABASE SERVERS, OPTION_DATABASE_URI, OPTION_URI_FILE
#define BOTH BROKER, OPTION_SECOND_URI, OPTION_SECOND_URI_FILE
#define OUTPUT OPTION_OUTPUT, OPTION_JSON
#define REQUEST BROKER, OPTION_REPLY_TIMEOUT, OUTPUT
#define CHANGE REQUEST, OPTION_KEY
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
     "groups",
     NULL,
     0,
     true,
     LIST(DATABASE, FILTERS, OPTION_GROUP_LIMIT, OUTPUT, OPTION_NO_PAGER),
     letter_groups_command,
     "count letters by cause: reason, command and detail",
     "    Open letters, unless --state says otherwise; the group with the newest letter is\n"
     "    first. Of the detail, what differs from letter to letter is replaced by '#'.\n"
     "    Columns: count, age of the first and the last letter, the id of the newest one,\n"
     "    reason, command, detail.\n",
     {"allotctl letter groups", "allotctl letter groups --since 7d --json"}},
    {"letter",
     "replay",
     "[ID]...",
     SIZE_MAX,
     false,
     LIST(BOTH, OPTION_POLICY, FILTERS, OPTION_ALL, OPTION_DRY_RUN, OPTION_YES, OPTION_RATE,
          OPTION_STOP_AT_FAILURES, OPTION_TIMEOUT, OPTION_NEW_KEY, OPTION_KEEP_DEADLINE,
          OPTION_KEEP_EXPIRATION, OPTION_KEEP_REPLY_TO, OPTION_CONTINUE, OUTPUT),
     letter_replay_command,
     "send the commands of letters again, under their own keys",
     "    The letters of the ids, or those of the filters, the oldest first. It says how many\n"
     "    would succeed now, asks, sends them in the names of their principals (the broker's\n"
     "    user needs the tag impersonator), and waits for the answers. It can be interrupted\n"
     "    at any time and continued: a command that has taken effect does not do so again.\n"
     "    Without the --keep options, deadline, expiration and reply_to are left out.\n",
     {"allotctl letter replay --reason forbidden --since 2h --dry-run",
      "allotctl letter replay 12ab34cd56ef --yes"}},
    {"letter",
     "edit",
     "ID",
     1,
     false,
     LIST(BOTH, OPTION_POLICY, OPTION_EDITED_BODY, OPTION_KEEP_REPLY_TO, OPTION_YES),
     letter_edit_command,
     "correct the command of a letter, and send it under a new key",
     "    Opens the body in $VISUAL or $EDITOR, checks it as a worker would, and asks. Both\n"
     "    letters, if the new command gets one as well, name each other.\n",
     {"allotctl letter edit 12ab34cd56ef",
      "allotctl letter edit 12ab34cd56ef --body command.json --yes"}},
    {"letter",
     "resolve",
     "[ID]...",
     SIZE_MAX,
     false,
     LIST(DATABASE, FILTERS, OPTION_ALL, OPTION_NOTE, OPTION_YES),
     letter_resolve_command,
     "say that letters need nothing more",
     "    The letters of the ids, or those of the filters. Nothing is deleted.\n",
     {"allotctl letter resolve 12ab34cd56ef --note 'done by hand'",
      "allotctl letter resolve --principal lab --until 2d --yes"}},
    {"letter",
     "discard",
     "[ID]...",
     SIZE_MAX,
     false,
     LIST(DATABASE, FILTERS, OPTION_ALL, OPTION_NOTE, OPTION_YES),
     letter_discard_command,
     "say that the commands of letters are not wanted any more",
     "    The letters of the ids, or those of the filters. Nothing is deleted.\n",
     {"allotctl letter discard 12ab34cd56ef --note 'a test'",
      "allotctl letter discard --reason malformed --principal lab --yes"}},
    {"letter",
     "reopen",
     "[ID]...",
     SIZE_MAX,
     false,
     LIST(DATABASE, FILTERS, OPTION_ALL, OPTION_NOTE, OPTION_YES),
     letter_reopen_command,
     "open letters again that were replayed, resolved or discarded",
     NULL,
     {"allotctl letter reopen 12ab34cd56ef",
      "allotctl letter reopen --state discarded --since 1h --yes"}},
    {"letter",
     "export",
     "[ID]...",
     SIZE_MAX,
     false,
     LIST(DATABASE, FILTERS, OPTION_ALL),
     letter_export_command,
     "print letters as JSON lines, with all that they have",
     "    The letters of the ids, or those of the filters, in any state unless --state says\n"
     "    otherwise. 'letter import FILE' stores them again.\n",
     {"allotctl letter export --all >letters.jsonl",
      "allotctl letter export --reason internal --since 7d"}},
    {"letter",
     "import",
     "[FILE|-]",
     1,
     false,
     LIST(BOTH, OPTION_FROM_QUEUE, OPTION_QUEUE, OPTION_IMPORT_LIMIT, OPTION_IMPORT_DRY_RUN),
     letter_import_command,
     "store exported letters, or the dead letters that are in the queue",
     "    With FILE: what 'letter export' has printed; a letter that is stored already stays\n"
     "    as it is. Without it, or with --from-queue: the dead letters in the queue, which are\n"
     "    removed there; for those from before letters were stored. A message that has a\n"
     "    letter is only removed, and one that cannot be stored stays. It can be repeated\n"
     "    safely.\n",
     {"allotctl letter import letters.jsonl", "allotctl letter import --from-queue --dry-run"}},
    {"outcome",
     "show",
     "KEY",
     1,
     false,
     LIST(DATABASE, OPTION_OUTCOME_PRINCIPAL, OUTPUT),
     outcome_show_command,
     "show what is recorded under an idempotency key, and until when",
     NULL,
     {"allotctl outcome show job-17-1 --principal conductor",
      "allotctl outcome show job-17-1 --principal conductor --json"}},
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
    {"web",
     NULL,
     NULL,
     0,
     false,
     LIST(BOTH, OPTION_POLICY, OPTION_LISTEN, OPTION_READ_ONLY),
     web_command,
     "serve a page in the browser: letters, replays, capacity",
     "    Prints the URL to open, with a token; without the token nothing is shown. With\n"
     "    --read-only the broker is not needed. It serves until it gets SIGINT or SIGTERM; a\n"
     "    replay that is going on then stops, and can be continued. From another machine, use\n"
     "    'ssh -L PORT:127.0.0.1:PORT', with the same port on both sides.\n",
     {"allotctl web --context production", "allotctl web --listen 127.0.0.1:8470 --read-only"}},
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

    /* allocations: sent to the workers as commands of the broker's user */
    {"provider",
     "list",
     NULL,
     0,
     true,
     LIST(REQUEST, OPTION_PREFIX, OPTION_PROVIDER_LIMIT, OPTION_NO_PAGER),
     provider_list_command,
     "list providers in the order of their names",
     "    The principal needs a right on all providers. Columns: name, UUID, generation,\n"
     "    parent; with --output wide also the root of its tree.\n",
     {"allotctl provider list", "allotctl provider list --prefix compute- --json"}},
    {"provider",
     "show",
     "PROVIDER",
     1,
     true,
     LIST(REQUEST, OPTION_CONSUMER_LIMIT, OPTION_NO_PAGER),
     provider_show_command,
     "print a provider with its inventory: total, reserved, used, free",
     "    PROVIDER is a name or a UUID; to look a name up, the principal needs the right to\n"
     "    list providers. With --output wide also the consumers on it.\n",
     {"allotctl provider show compute-1", "allotctl provider show compute-1 --output wide"}},
    {"provider",
     "create",
     "NAME",
     1,
     false,
     LIST(CHANGE, OPTION_UUID, OPTION_PARENT),
     provider_create_command,
     "create a provider, without an inventory",
     "    With --key, --uuid is needed, so that a repetition is the same command.\n",
     {"allotctl provider create compute-1", "allotctl provider create numa-0 --parent compute-1"}},
    {"provider",
     "set-inventory",
     "PROVIDER",
     1,
     false,
     LIST(CHANGE, OPTION_INVENTORY, OPTION_GENERATION, OPTION_YES),
     provider_set_inventory_command,
     "replace the whole inventory of a provider",
     "    A class that is not given is removed, unless it is in use, which is a failure.\n"
     "    Without --resource the inventory becomes empty; that is asked, or --yes. The keys\n"
     "    are reserved, min_unit, max_unit, step_size and allocation_ratio. Without\n"
     "    --generation it is read first, and the output says which classes are added,\n"
     "    removed and changed.\n",
     {"allotctl provider set-inventory compute-1 --resource VCPU=16:allocation_ratio=4",
      "allotctl provider set-inventory compute-1 --resource VCPU=16 --resource \\\n"
      "        MEMORY_MB=65536:reserved=512 --generation 3"}},
    {"provider",
     "delete",
     "PROVIDER",
     1,
     false,
     LIST(CHANGE, OPTION_YES),
     provider_delete_command,
     "delete a provider that has no children and no allocations",
     NULL,
     {"allotctl provider delete compute-1", "allotctl provider delete compute-1 --yes"}},
    {"consumer",
     "show",
     "CONSUMER",
     1,
     true,
     LIST(REQUEST, OPTION_NO_PAGER),
     consumer_show_command,
     "print what a consumer has, and its generation",
     "    CONSUMER is a UUID. The names of providers are shown if the principal may see them.\n",
     {"allotctl consumer show c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001",
      "allotctl consumer show c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001 --json"}},
    {"allocate",
     NULL,
     "CONSUMER",
     1,
     false,
     LIST(CHANGE, OPTION_RESOURCE, OPTION_PROVIDER, OPTION_CLAIM_PROJECT, OPTION_USER, OPTION_TYPE,
          OPTION_GENERATION),
     allocate_command,
     "set the allocations of a consumer, a new one or one that exists",
     "    Without --generation the consumer must be new, and --project, --user and --type are\n"
     "    needed. With --generation all that it has is replaced, and an owner or type that is\n"
     "    not given stays; mappings are removed. With several providers: resources belong to\n"
     "    the --provider before them if the first of these options is a --provider, else to\n"
     "    the one behind them.\n",
     {"allotctl allocate c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001 --resource VCPU=2 \\\n"
      "        --provider compute-1 --project blue-7 --user ann --type INSTANCE",
      "allotctl allocate c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001 --generation 1 \\\n"
      "        --provider compute-1 --resource VCPU=4 --provider pool-1 --resource DISK_GB=10"}},
    {"move",
     NULL,
     "CONSUMER",
     1,
     false,
     LIST(CHANGE, OPTION_FROM, OPTION_TO),
     move_command,
     "move allocations of a consumer to another provider",
     "    Without --from the consumer must have allocations on one provider only. Reads the\n"
     "    consumer, then sets its allocations at the generation that was read: a change of\n"
     "    somebody else in between is a conflict. Mappings follow.\n",
     {"allotctl move c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001 --to compute-2",
      "allotctl move c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001 --from compute-1 --to compute-2"}},
    {"release",
     NULL,
     "CONSUMER",
     1,
     false,
     LIST(CHANGE, OPTION_GENERATION, OPTION_YES),
     release_command,
     "remove all allocations of a consumer, and the consumer with them",
     "    Asks first, or --yes. With --generation only if the consumer is still at it.\n",
     {"allotctl release c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001",
      "allotctl release c0ffee00-1b7d-4f0e-8d11-3a52f8f0a001 --generation 2 --yes"}},
    {"usage",
     NULL,
     "PROJECT",
     1,
     true,
     LIST(REQUEST, OPTION_USAGE_USER, OPTION_USAGE_TYPE, OPTION_NO_PAGER),
     usage_command,
     "print what a project uses, by consumer type and resource class",
     NULL,
     {"allotctl usage blue-7", "allotctl usage blue-7 --user ann --type all"}},

    /* the policy: needs no server */
    {"policy",
     "check",
     NULL,
     0,
     true,
     LIST(SERVERS, OPTION_POLICY, OUTPUT, OPTION_NO_PAGER),
     policy_check_command,
     "print what each principal may do; warn of rules that are surely mistakes",
     "    One line for each rule: principal, number and line of the rule, commands, projects,\n"
     "    providers, and the queues for replies. With --output wide, the commands that the\n"
     "    patterns match. An invalid policy is an error; a warning does not change the exit\n"
     "    status.\n",
     {"allotctl policy check", "allotctl policy check --policy config/policy.example.yaml"}},
    {"policy",
     "test",
     NULL,
     0,
     false,
     LIST(SERVERS, OPTION_POLICY, OPTION_ASKED_PRINCIPAL, OPTION_ASKED_COMMAND,
          OPTION_ASKED_PROJECT, OPTION_ASKED_PROVIDER, OPTION_ASKED_REPLY_TO, OUTPUT),
     policy_test_command,
     "say which rule allows a command, or why none does",
     "    Asks what a worker would ask; exit 1 if the command would be forbidden. One rule\n"
     "    alone has to cover the command, every project and every provider: also those that\n"
     "    the stored consumer has.\n",
     {"allotctl policy test --principal conductor --command provider.list",
      "allotctl policy test --principal team-blue --command allocation.set \\\n"
      "        --project blue-7 --provider 5a4f0e1c-8a2b-4b6e-9c57-0d6a3b1f2e01"}},
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
