/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/policy.h"

#include <assert.h>
#include <string.h>

#include "allot/limits.h"

/*
 * Matches greedily, and on a mismatch goes back to the last star only. So the time is at most the
 * product of both lengths, whatever subject a producer sends. fnmatch() is no alternative: it needs
 * C strings, and gives a meaning to ?, [ and the backslash.
 */
bool pattern_matches(struct text pattern, struct text subject)
{
    size_t p = 0, s = 0;
    size_t after_star = 0, resume = 0;
    bool starred = false;
    while (s < subject.length) {
        if (p < pattern.length && pattern.bytes[p] == '*') {
            starred = true;
            after_star = ++p;
            resume = s;
        } else if (p < pattern.length && pattern.bytes[p] == subject.bytes[s]) {
            p++;
            s++;
        } else if (starred) {
            p = after_star;
            s = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.bytes[p] == '*')
        p++;
    return p == pattern.length;
}

bool patterns_match(struct patterns patterns, struct text subject)
{
    for (size_t i = 0; i < patterns.count; i++) {
        if (pattern_matches(patterns.items[i], subject))
            return true;
    }
    return false;
}

const struct policy_principal *policy_principal(const struct policy *policy, struct text name)
{
    if (name.length == 0)
        return NULL;
    for (size_t i = 0; i < policy->count; i++) {
        if (text_equal(policy->principals[i].name, name))
            return &policy->principals[i];
    }
    return NULL;
}

bool service_queues_have(const struct service_queues *queues, struct text name)
{
    if (text_equal(name, queues->commands) || text_equal(name, queues->dead_letters))
        return true;
    size_t length = queues->dead_letters.length;
    return name.length > length &&
           text_equal(text_view(name.bytes, length), queues->dead_letters) &&
           text_is(text_view(name.bytes + length, name.length - length), DESK_QUEUE_SUFFIX);
}

bool policy_allows_reply_to(const struct policy *policy, struct text principal,
                            struct text reply_to)
{
    const struct policy_principal *known = policy_principal(policy, principal);
    if (service_queues_have(&policy->service_queues, reply_to))
        return false;
    return known != NULL && reply_to.length > 0 && patterns_match(known->reply_to, reply_to);
}

/* Returns whether a rule covers the subject of a step. */
typedef bool (*rule_test)(const struct policy_rule *rule, struct text subject);

static bool covers_command(const struct policy_rule *rule, struct text subject)
{
    return patterns_match(rule->commands, subject);
}

static bool covers_project(const struct policy_rule *rule, struct text subject)
{
    return patterns_match(rule->projects, subject);
}

static bool covers_provider(const struct policy_rule *rule, struct text subject)
{
    return patterns_match(rule->providers, subject);
}

/* The pattern itself is in the list; a pattern that matches as much does not count. */
static bool has_pattern(const struct patterns *patterns, struct text pattern)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (text_equal(patterns->items[i], pattern))
            return true;
    }
    return false;
}

static bool covers_all_projects(const struct policy_rule *rule, struct text subject)
{
    return has_pattern(&rule->projects, subject);
}

static bool covers_all_providers(const struct policy_rule *rule, struct text subject)
{
    return has_pattern(&rule->providers, subject);
}

static bool is_left(const struct policy_question *question, size_t rule)
{
    return (question->left[rule / 64] >> (rule % 64) & 1) != 0;
}

/*
 * Drops the rules that fail the test. If all fail, it returns false and keeps the rules of the step
 * before: the command is denied then, and no further step is asked.
 */
static bool narrow(struct policy_question *question, rule_test test, struct text subject)
{
    if (question->principal == NULL)
        return false;
    uint64_t left[POLICY_RULES_MAX / 64] = {0};
    bool any = false;
    for (size_t i = 0; i < question->principal->rule_count; i++) {
        if (!is_left(question, i) || !test(&question->principal->rules[i], subject))
            continue;
        left[i / 64] |= UINT64_C(1) << (i % 64);
        any = true;
    }
    if (any)
        memcpy(question->left, left, sizeof left);
    return any;
}

bool policy_ask_command(struct policy_question *question, const struct policy *policy,
                        struct text principal, enum command_kind command)
{
    question->principal = policy_principal(policy, principal);
    assert(question->principal == NULL || question->principal->rule_count <= POLICY_RULES_MAX);
    memset(question->left, 0xff, sizeof question->left);
    if (narrow(question, covers_command, text_of(command_name(command))))
        return true;
    question->principal = NULL; /* every further step fails as well */
    return false;
}

bool policy_ask_project(struct policy_question *question, struct text project_id)
{
    return narrow(question, covers_project, project_id);
}

bool policy_ask_provider(struct policy_question *question, struct uuid provider)
{
    struct uuid_text name = uuid_format(provider);
    return narrow(question, covers_provider, text_of(name.chars));
}

bool policy_ask_all_projects(struct policy_question *question)
{
    return narrow(question, covers_all_projects, text_of("*"));
}

bool policy_ask_all_providers(struct policy_question *question)
{
    return narrow(question, covers_all_providers, text_of("*"));
}

bool policy_command_allowed(const struct policy_question *question)
{
    return question->principal != NULL;
}
