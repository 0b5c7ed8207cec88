/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/policy/explanation.h"

struct policy_scopes policy_scopes_of(enum command_kind command)
{
    switch (command) {
    case COMMAND_PROVIDER_CREATE:
    case COMMAND_PROVIDER_UPDATE:
    case COMMAND_PROVIDER_DELETE:
    case COMMAND_PROVIDER_GET:
    case COMMAND_INVENTORY_SET: return (struct policy_scopes){SCOPE_NONE, SCOPE_EACH};
    case COMMAND_PROVIDER_LIST: return (struct policy_scopes){SCOPE_NONE, SCOPE_ALL};
    case COMMAND_PROVIDER_ALLOCATIONS: return (struct policy_scopes){SCOPE_ALL, SCOPE_EACH};
    case COMMAND_ALLOCATION_SET:
    case COMMAND_ALLOCATION_BATCH: return (struct policy_scopes){SCOPE_EACH, SCOPE_IF_ANY};
    case COMMAND_ALLOCATION_DELETE: return (struct policy_scopes){SCOPE_IF_ANY, SCOPE_IF_ANY};
    case COMMAND_RESHAPE: return (struct policy_scopes){SCOPE_IF_ANY, SCOPE_EACH};
    case COMMAND_ALLOCATION_GET: return (struct policy_scopes){SCOPE_IF_ANY, SCOPE_NONE};
    case COMMAND_USAGE_GET: return (struct policy_scopes){SCOPE_EACH, SCOPE_NONE};
    }
    return (struct policy_scopes){SCOPE_IF_ANY, SCOPE_IF_ANY};
}

/* --- one rule ------------------------------------------------------------------------------- */

/* Sets reason and subject, and returns false, if the answer is no. */
static bool pass(struct policy_finding *finding, bool answer, enum policy_reason reason,
                 struct text subject)
{
    finding->steps += answer;
    if (answer)
        return true;
    finding->reason = reason;
    finding->subject = subject;
    return false;
}

static bool ask_projects(struct policy_question *question, const struct policy_case *asked,
                         struct policy_finding *finding)
{
    enum policy_scope scope = policy_scopes_of(asked->command).projects;
    if (scope == SCOPE_ALL)
        return pass(finding, policy_ask_all_projects(question), REASON_PROJECT, text_of("*"));
    for (size_t i = 0; scope != SCOPE_NONE && i < asked->project_count; i++) {
        if (!pass(finding, policy_ask_project(question, asked->projects[i]), REASON_PROJECT,
                  asked->projects[i]))
            return false;
    }
    return true;
}

static bool ask_providers(struct policy_question *question, const struct policy_case *asked,
                          struct policy_finding *finding, struct arena *arena)
{
    enum policy_scope scope = policy_scopes_of(asked->command).providers;
    if (scope == SCOPE_ALL)
        return pass(finding, policy_ask_all_providers(question), REASON_PROVIDER, text_of("*"));
    for (size_t i = 0; scope != SCOPE_NONE && i < asked->provider_count; i++) {
        struct uuid_text uuid = uuid_format(asked->providers[i]);
        if (policy_ask_provider(question, asked->providers[i]))
            finding->steps++;
        else
            return pass(finding, false, REASON_PROVIDER, text_copy(arena, text_of(uuid.chars)));
    }
    return true;
}

/* Asks the questions of the worker, of a policy in which the principal has only this rule. */
struct policy_finding policy_explain_rule(const struct policy_principal *principal, size_t rule,
                                          const struct policy_case *asked, struct arena *arena)
{
    struct policy_principal alone = *principal;
    alone.rules = &principal->rules[rule];
    alone.rule_count = 1;
    const struct policy policy = {.principals = &alone, .count = 1};
    struct policy_question question;
    struct policy_finding finding = {.reason = REASON_ALLOWED};
    bool covered = policy_ask_command(&question, &policy, principal->name, asked->command);
    if (pass(&finding, covered, REASON_COMMAND, text_of(command_name(asked->command))) &&
        ask_projects(&question, asked, &finding))
        (void)ask_providers(&question, asked, &finding, arena);
    return finding;
}

/* --- all rules ------------------------------------------------------------------------------ */

/* Keeps the first rule that allows it, or passes more questions than those before. */
static void explain_rules(struct policy_explanation *explanation, const struct policy_case *asked,
                          struct arena *arena)
{
    for (size_t i = 0; i < explanation->principal->rule_count; i++) {
        struct policy_finding finding =
            policy_explain_rule(explanation->principal, i, asked, arena);
        bool is_first = i == 0;
        if (!is_first && finding.reason != REASON_ALLOWED &&
            finding.steps <= explanation->finding.steps)
            continue;
        explanation->finding = finding;
        explanation->rule = i;
        explanation->has_rule = finding.reason > REASON_COMMAND;
        if (finding.reason == REASON_ALLOWED)
            return;
    }
}

struct policy_explanation policy_explain(const struct policy *policy,
                                         const struct policy_case *asked, struct arena *arena)
{
    struct policy_explanation explanation = {
        .finding = {.reason = REASON_NO_RULES},
        .principal = policy_principal(policy, asked->principal),
    };
    if (explanation.principal == NULL)
        explanation.finding.reason = REASON_UNKNOWN_PRINCIPAL;
    else if (text_present(asked->reply_to) &&
             !policy_allows_reply_to(policy, asked->principal, asked->reply_to))
        explanation.finding =
            (struct policy_finding){.reason = REASON_REPLY_TO, .subject = asked->reply_to};
    else
        explain_rules(&explanation, asked, arena);
    return explanation;
}
