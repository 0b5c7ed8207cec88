/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/policy/policy_file_lines.h"
#include "ctl/policy/policy_text.h"
#include "ctl/policy/review.h"
#include "ctl/request/request.h"
#include "ctl/settings.h"
#include "ctl/table.h"

static const struct table_column columns[] = {
    {"PRINCIPAL", false, false, false}, {"RULE", true, false, false},
    {"PLACE", false, true, false},      {"COMMANDS", false, false, true},
    {"PROJECTS", false, false, false},  {"PROVIDERS", false, false, false},
    {"REPLY_TO", false, false, false},  {"MAY_RUN", false, true, false},
};

struct check {
    const struct options *options;
    struct arena *arena;
    struct policy policy;
    struct policy_lines lines;
    struct table *table;
};

/* --- a principal ---------------------------------------------------------------------------- */

static struct text mistake_place(const struct check *check, size_t principal,
                                 const struct policy_mistake *mistake)
{
    bool is_rule = mistake->kind != MISTAKE_NO_RULES && mistake->kind != MISTAKE_REPLY_TO;
    return is_rule ? policy_rule_place(&check->lines, principal, mistake->rule, check->arena)
                   : policy_principal_place(&check->lines, principal, check->arena);
}

static void print_row(const struct check *check, size_t index, size_t rule_index)
{
    static const struct policy_rule nothing;
    const struct policy_principal *principal = &check->policy.principals[index];
    bool has_rule = rule_index < principal->rule_count;
    const struct policy_rule *rule = has_rule ? &principal->rules[rule_index] : &nothing;
    table_cell(check->table, principal->name, TONE_PLAIN);
    if (has_rule)
        table_number(check->table, (int64_t)rule_index + 1);
    else
        table_cell(check->table, TEXT_NONE, TONE_PLAIN);
    table_cell(check->table,
               has_rule ? policy_rule_place(&check->lines, index, rule_index, check->arena)
                        : policy_principal_place(&check->lines, index, check->arena),
               TONE_PLAIN);
    table_cell(check->table, patterns_text(check->arena, rule->commands), TONE_PLAIN);
    table_cell(check->table, patterns_text(check->arena, rule->projects), TONE_PLAIN);
    table_cell(check->table, patterns_text(check->arena, rule->providers), TONE_PLAIN);
    table_cell(check->table, patterns_text(check->arena, principal->reply_to), TONE_PLAIN);
    table_cell(check->table, patterns_commands_text(check->arena, rule->commands), TONE_PLAIN);
}

/* One row for each rule; a principal without rules has one too. */
static void print_rows(const struct check *check, size_t index)
{
    size_t count = check->policy.principals[index].rule_count;
    for (size_t i = 0; i < count || i == 0; i++)
        print_row(check, index, i);
}

static void print_warnings(const struct check *check, size_t index)
{
    const struct policy_principal *principal = &check->policy.principals[index];
    struct policy_mistakes mistakes = policy_review(&check->policy, principal, check->arena);
    for (size_t i = 0; i < mistakes.count; i++) {
        struct text place = mistake_place(check, index, &mistakes.items[i]);
        struct text what = policy_mistake_text(check->arena, &mistakes.items[i]);
        (void)fputs("allotctl: warning: ", stderr);
        print_printable_line(stderr, text_format(check->arena, "%.*s: principal '%.*s': %.*s",
                                                 TEXT_ARGS(place), TEXT_ARGS(principal->name),
                                                 TEXT_ARGS(what)));
    }
}

static json_t *warnings_json(const struct check *check, size_t index)
{
    struct policy_mistakes mistakes =
        policy_review(&check->policy, &check->policy.principals[index], check->arena);
    json_t *list = json_array();
    for (size_t i = 0; i < mistakes.count; i++) {
        struct text place = mistake_place(check, index, &mistakes.items[i]);
        struct text what = policy_mistake_text(check->arena, &mistakes.items[i]);
        (void)json_array_append_new(list,
                                    json_pack("{s:s%, s:s%}", "place", place.bytes, place.length,
                                              "message", what.bytes, what.length));
    }
    return list;
}

static void print_principal_json(const struct check *check, size_t index)
{
    const struct policy_principal *principal = &check->policy.principals[index];
    json_t *rules = json_array();
    for (size_t i = 0; i < principal->rule_count; i++)
        (void)json_array_append_new(
            rules, policy_rule_json(&principal->rules[i], i,
                                    policy_rule_place(&check->lines, index, i, check->arena)));
    json_t *line =
        json_pack("{s:s%, s:o, s:o, s:o}", "principal", principal->name.bytes,
                  principal->name.length, "rules", rules, "reply_to",
                  patterns_json(principal->reply_to), "warnings", warnings_json(check, index));
    print_json(line);
    json_decref(line);
}

/* --- the command ---------------------------------------------------------------------------- */

static void print_policy(struct check *check)
{
    for (size_t i = 0; i < check->policy.count; i++) {
        if (check->options->json)
            print_principal_json(check, i);
        else
            print_rows(check, i);
    }
    table_end(check->table);
    (void)fflush(stdout);
    for (size_t i = 0; i < check->policy.count && !check->options->json; i++)
        print_warnings(check, i);
}

int policy_check_command(const struct options *options, struct arena *arena)
{
    struct error error = {""};
    struct settings settings = {0};
    struct text file;
    struct check check = {.options = options, .arena = arena};
    if (!queue_names_load(options, arena, &settings, &error) ||
        !policy_load(options, &settings, arena, &check.policy, &file, &error))
        return fail_with(&error);
    check.lines = policy_lines_read(file.bytes, arena);
    check.table = table_new(arena, columns, sizeof columns / sizeof columns[0], options);
    print_policy(&check);
    return EXIT_SUCCESS;
}
