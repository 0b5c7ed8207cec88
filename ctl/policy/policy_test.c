/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. read_case() turns the options into a question, policy_explain() answers it, and
 * print_explanation() says it in words: the verdict first, then the rule with its lists. What was
 * given but does not count for the command, or was not given, is named on stderr, since a verdict
 * that is read as more than it says would be dangerous.
 *
 * Guarantees. Nothing is decided here. A command that always involves a project or a provider is a
 * usage error without one, since the policy would then be asked less than a worker asks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/policy/explanation.h"
#include "ctl/policy/policy_file_lines.h"
#include "ctl/policy/policy_text.h"
#include "ctl/request/arguments.h"
#include "ctl/request/labelled_text.h"
#include "ctl/request/request.h"
#include "ctl/settings.h"

struct test {
    const struct options *options;
    struct arena *arena;
    struct policy policy;
    struct policy_lines lines;
    struct policy_case asked;
};

/* --- the question --------------------------------------------------------------------------- */

static bool read_provider(const char *value, struct uuid *ret_uuid)
{
    if (uuid_parse(text_of(value), ret_uuid))
        return true;
    struct error error;
    error_set(&error,
              "invalid value '%s' for --provider: expected a UUID, which the patterns of a "
              "policy are compared with",
              value);
    (void)argument_fail(&error);
    return false;
}

static bool read_items(const struct options *options, struct arena *arena,
                       struct policy_case *ret_case)
{
    struct text *projects = ARENA_ARRAY(arena, struct text, options->item_count);
    struct uuid *providers = ARENA_ARRAY(arena, struct uuid, options->item_count);
    ret_case->projects = projects;
    ret_case->providers = providers;
    for (size_t i = 0; i < options->item_count; i++) {
        const struct option_item *item = &options->items[i];
        if (item->id == OPTION_ASKED_PROJECT)
            projects[ret_case->project_count++] = text_of(item->value);
        else if (!read_provider(item->value, &providers[ret_case->provider_count++]))
            return false;
    }
    return true;
}

static bool check_scope(enum policy_scope scope, size_t count, const char *command,
                        const char *option)
{
    if (scope != SCOPE_EACH || count > 0)
        return true;
    (void)fprintf(stderr, "allotctl: missing option --%s: %s always involves one\n", option,
                  command);
    return false;
}

static bool check_scopes(const struct policy_case *asked)
{
    struct policy_scopes scopes = policy_scopes_of(asked->command);
    const char *command = command_name(asked->command);
    return check_scope(scopes.projects, asked->project_count, command, "project") &&
           check_scope(scopes.providers, asked->provider_count, command, "provider");
}

static bool read_case(const struct options *options, struct arena *arena,
                      struct policy_case *ret_case)
{
    *ret_case = (struct policy_case){.principal = text_of(options->principal),
                                     .reply_to = text_of(options->reply_to)};
    if (!argument_option_given(options->principal, "principal") ||
        !argument_option_given(options->command, "command") ||
        !read_items(options, arena, ret_case))
        return false;
    if (command_parse(text_of(options->command), &ret_case->command))
        return check_scopes(ret_case);
    struct error error;
    error_set(&error,
              "invalid value '%s' for --command: expected a command, such as "
              "allocation.set",
              options->command);
    (void)argument_fail(&error);
    return false;
}

/* --- what the question leaves out ----------------------------------------------------------- */

static void note(enum policy_scope scope, size_t count, const char *command, const char *option)
{
    if ((scope == SCOPE_NONE || scope == SCOPE_ALL) && count > 0)
        (void)fprintf(stderr, "allotctl: note: %s asks about %s %ss, so --%s does not count\n",
                      command, scope == SCOPE_ALL ? "all" : "no", option, option);
    if (scope == SCOPE_IF_ANY && count == 0)
        (void)fprintf(stderr,
                      "allotctl: note: no --%s is given, so the verdict is for a command that "
                      "involves none\n",
                      option);
}

static void print_notes(const struct policy_case *asked)
{
    struct policy_scopes scopes = policy_scopes_of(asked->command);
    const char *command = command_name(asked->command);
    note(scopes.projects, asked->project_count, command, "project");
    note(scopes.providers, asked->provider_count, command, "provider");
}

/* --- the answer ----------------------------------------------------------------------------- */

static size_t index_of(const struct test *test, const struct policy_principal *principal)
{
    return (size_t)(principal - test->policy.principals);
}

static struct text place_of(const struct test *test, const struct policy_explanation *explanation)
{
    return policy_rule_place(&test->lines, index_of(test, explanation->principal),
                             explanation->rule, test->arena);
}

/* Says what a rule does not cover: "the project 'x'". */
static struct text subject_text(const struct test *test, const struct policy_finding *finding)
{
    const char *command = command_name(test->asked.command);
    bool is_all = text_is(finding->subject, "*");
    switch (finding->reason) {
    case REASON_COMMAND: return text_format(test->arena, "the command %s", command);
    case REASON_PROJECT:
        return is_all ? text_format(test->arena, "all projects: %s needs \"*\" itself", command)
                      : text_format(test->arena, "the project '%.*s'", TEXT_ARGS(finding->subject));
    case REASON_PROVIDER:
        return is_all ? text_format(test->arena, "all providers: %s needs \"*\" itself", command)
                      : text_format(test->arena, "the provider %.*s", TEXT_ARGS(finding->subject));
    case REASON_UNKNOWN_PRINCIPAL:
    case REASON_REPLY_TO:
    case REASON_NO_RULES:
    case REASON_ALLOWED: break;
    }
    return text_of("all that is asked");
}

static struct text reply_to_text(const struct test *test)
{
    struct text queue = test->asked.reply_to;
    if (service_queues_have(&test->policy.service_queues, queue))
        return text_format(test->arena,
                           "forbidden: reply_to '%.*s' is a queue of the service, which no policy "
                           "allows",
                           TEXT_ARGS(queue));
    return text_format(test->arena, "forbidden: no reply_to pattern of '%.*s' matches '%.*s'",
                       TEXT_ARGS(test->asked.principal), TEXT_ARGS(queue));
}

static struct text verdict_text(const struct test *test,
                                const struct policy_explanation *explanation)
{
    struct arena *arena = test->arena;
    struct text name = test->asked.principal;
    struct text place = TEXT_NONE;
    size_t number = explanation->rule + 1;
    if (explanation->has_rule)
        place = place_of(test, explanation);
    switch (explanation->finding.reason) {
    case REASON_UNKNOWN_PRINCIPAL:
        return text_format(arena, "unauthenticated: the policy does not know the principal '%.*s'",
                           TEXT_ARGS(name));
    case REASON_REPLY_TO: return reply_to_text(test);
    case REASON_NO_RULES:
        return text_format(arena, "forbidden: the principal '%.*s' has no rules", TEXT_ARGS(name));
    case REASON_COMMAND:
        return text_format(arena, "forbidden: no rule of '%.*s' covers the command %s",
                           TEXT_ARGS(name), command_name(test->asked.command));
    case REASON_PROJECT:
    case REASON_PROVIDER: {
        struct text subject = subject_text(test, &explanation->finding);
        return text_format(arena,
                           "forbidden: rule %zu of '%.*s' (%.*s) comes closest: it covers the "
                           "command, but not %.*s",
                           number, TEXT_ARGS(name), TEXT_ARGS(place), TEXT_ARGS(subject));
    }
    case REASON_ALLOWED:
        return text_format(arena, "allowed by rule %zu of '%.*s' (%.*s)", number, TEXT_ARGS(name),
                           TEXT_ARGS(place));
    }
    return TEXT_NONE;
}

static void print_rule(const struct test *test, const struct policy_rule *rule)
{
    print_labelled("  commands", patterns_text(test->arena, rule->commands));
    print_labelled("  projects", patterns_text(test->arena, rule->projects));
    print_labelled("  providers", patterns_text(test->arena, rule->providers));
}

/* Says of each rule what it does not cover. */
static void print_all_rules(const struct test *test, const struct policy_principal *principal)
{
    for (size_t i = 0; i < principal->rule_count; i++) {
        struct policy_finding finding =
            policy_explain_rule(principal, i, &test->asked, test->arena);
        struct text place =
            policy_rule_place(&test->lines, index_of(test, principal), i, test->arena);
        struct text subject = subject_text(test, &finding);
        print_printable_line(
            stdout, text_format(test->arena, "rule %zu (%.*s) %s %.*s", i + 1, TEXT_ARGS(place),
                                finding.reason == REASON_ALLOWED ? "covers" : "does not cover",
                                TEXT_ARGS(subject)));
        print_rule(test, &principal->rules[i]);
    }
}

static void print_explanation(const struct test *test, const struct policy_explanation *explanation)
{
    print_printable_line(stdout, verdict_text(test, explanation));
    if (test->options->form == OUTPUT_WIDE && explanation->principal != NULL)
        print_all_rules(test, explanation->principal);
    else if (explanation->has_rule)
        print_rule(test, &explanation->principal->rules[explanation->rule]);
}

static void print_explanation_json(const struct test *test,
                                   const struct policy_explanation *explanation)
{
    static const char *const reasons[] = {
        [REASON_UNKNOWN_PRINCIPAL] = "principal",
        [REASON_REPLY_TO] = "reply_to",
        [REASON_NO_RULES] = "rules",
        [REASON_COMMAND] = "command",
        [REASON_PROJECT] = "project",
        [REASON_PROVIDER] = "provider",
        [REASON_ALLOWED] = NULL,
    };
    enum policy_reason reason = explanation->finding.reason;
    struct text message = verdict_text(test, explanation);
    const char *code = reason == REASON_ALLOWED             ? NULL
                       : reason == REASON_UNKNOWN_PRINCIPAL ? "unauthenticated"
                                                            : "forbidden";
    json_t *rule = json_null();
    if (explanation->has_rule)
        rule = policy_rule_json(&explanation->principal->rules[explanation->rule],
                                explanation->rule, place_of(test, explanation));
    json_t *line =
        json_pack("{s:b, s:s?, s:s?, s:s%, s:s, s:s, s:s, s:o}", "allowed",
                  reason == REASON_ALLOWED, "code", code, "not_covered", reasons[reason], "message",
                  message.bytes, message.length, "principal", test->options->principal, "command",
                  test->options->command, "file", test->lines.file, "rule", rule);
    if (line == NULL)
        request_fail_encoding();
    else
        print_json(line);
    json_decref(line);
}

static int run_test(const struct test *test)
{
    struct policy_explanation explanation =
        policy_explain(&test->policy, &test->asked, test->arena);
    print_notes(&test->asked);
    if (test->options->json)
        print_explanation_json(test, &explanation);
    else
        print_explanation(test, &explanation);
    return explanation.finding.reason == REASON_ALLOWED ? EXIT_SUCCESS : EXIT_FAILED;
}

int policy_test_command(const struct options *options, struct arena *arena)
{
    struct error error = {""};
    struct settings settings = {0};
    struct text file;
    struct test test = {.options = options, .arena = arena};
    if (!read_case(options, arena, &test.asked))
        return EXIT_USAGE;
    if (!queue_names_load(options, arena, &settings, &error) ||
        !policy_load(options, &settings, arena, &test.policy, &file, &error))
        return fail_with(&error);
    test.lines = policy_lines_read(file.bytes, arena);
    return run_test(&test);
}
