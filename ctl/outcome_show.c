/* SPDX-License-Identifier: Apache-2.0 */
/* The command `outcome show`: what is recorded under a key. */
#include <stdio.h>
#include <stdlib.h>

#include "common/mongo/outcomes_read.h"
#include "ctl/commands.h"
#include "ctl/desk_session.h"
#include "ctl/json_member.h"
#include "ctl/output.h"
#include "ctl/time_text.h"

static void print_line(const char *label, struct text text)
{
    (void)printf("%-10s ", label);
    print_printable_line(stdout, text);
}

static void print_time(const char *label, int64_t time_ms)
{
    print_line(label, text_of(time_format_local(time_ms).chars));
}

static void print_json(const struct attempt_key *key, const struct outcome_record *outcome,
                       struct arena *arena)
{
    struct json_writer writer = json_writer_new(arena);
    json_write_open(&writer, '{');
    json_member_text(&writer, "principal", key->principal);
    json_member_text(&writer, "message_id", key->key);
    json_member_text(&writer, "command", outcome->command);
    json_member_text(&writer, "code", outcome->code);
    json_member_time(&writer, "recorded_at_ms", outcome->at_ms);
    json_member_time(&writer, "expires_at_ms", outcome->expires_at_ms);
    json_write_key(&writer, text_of("reply"));
    json_write_raw(&writer, outcome->body);
    json_write_close(&writer, '}');
    print_json_line(stdout, json_writer_text(&writer));
}

static void print_text(const struct attempt_key *key, const struct outcome_record *outcome,
                       int64_t now_ms)
{
    print_line("principal", key->principal);
    print_line("key", key->key);
    print_line("command", outcome->command);
    print_line("outcome", outcome->code);
    (void)printf("%-10s %s (%s ago)\n", "recorded", time_format_local(outcome->at_ms).chars,
                 time_format_age(outcome->at_ms, now_ms).chars);
    print_time("expires", outcome->expires_at_ms);
    print_line("reply", outcome->body);
}

static int show(const struct options *options, const struct desk_session *session,
                struct arena *arena)
{
    struct attempt_key key = {text_of(options->principal), text_of(options->operand)};
    struct outcome_record outcome;
    struct error error = {""};
    if (mongo_outcomes_find(session->desk.store, &key, 1, arena, &outcome, &error) != STORE_OK)
        return fail_with(&error);
    if (!outcome.exists) {
        error_set(&error,
                  "nothing is recorded under the key '%s' of '%s': the command was not answered, "
                  "its failure is not recorded, or the outcome has expired",
                  options->operand, options->principal);
        return fail_with(&error);
    }
    if (options->json)
        print_json(&key, &outcome, arena);
    else
        print_text(&key, &outcome, session->now_ms);
    return EXIT_SUCCESS;
}

int outcome_show_command(const struct options *options, struct arena *arena)
{
    struct desk_session session;
    struct error error = {""};
    if (options->operand == NULL || options->principal == NULL) {
        (void)fputs("allotctl: expected KEY and --principal USER\n", stderr);
        return EXIT_USAGE;
    }
    int status = desk_session_open(options, DESK_DATABASE, arena, &session, &error)
                     ? show(options, &session, arena)
                     : fail_with(&error);
    desk_session_close(&session);
    return status;
}
