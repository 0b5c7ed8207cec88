/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access policy; the input is the file. A valid policy is asked about its own patterns and
 * names, and each answer is compared with a simple implementation that uses no bit sets.
 */
#include <string.h>

#include "common/base/utf8.h"
#include "common/codec/policy_file.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/libfyaml_leak.h"

enum { SUBJECT_BYTES_MAX = 96, PRINCIPALS_ASKED_MAX = 8, RULES_ASKED_MAX = 8 };

static const enum command_kind kinds[] = {
#define X(id, name, mode, summary) COMMAND_##id,
    COMMANDS(X)
#undef X
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

/* Dynamic programming: row[s] says whether the pattern so far matches `s` bytes of the subject. */
static bool matches(struct text pattern, struct text subject)
{
    bool row[SUBJECT_BYTES_MAX + 1] = {true};
    for (size_t p = 0; p < pattern.length; p++) {
        bool star = pattern.bytes[p] == '*';
        bool diagonal = row[0];
        row[0] = row[0] && star;
        for (size_t s = 1; s <= subject.length; s++) {
            bool above = row[s];
            row[s] =
                star ? above || row[s - 1] : diagonal && pattern.bytes[p] == subject.bytes[s - 1];
            diagonal = above;
        }
    }
    return row[subject.length];
}

static bool any_matches(struct patterns patterns, struct text subject)
{
    for (size_t i = 0; i < patterns.count; i++) {
        if (matches(patterns.items[i], subject))
            return true;
    }
    return false;
}

static void check_patterns(struct patterns patterns, bool may_be_empty)
{
    REQUIRE(may_be_empty || patterns.count > 0);
    for (size_t i = 0; i < patterns.count; i++)
        REQUIRE(patterns.items[i].length > 0 && utf8_valid(patterns.items[i]));
}

static void check_commands(struct patterns commands)
{
    for (size_t i = 0; i < commands.count; i++) {
        bool known = false;
        for (size_t k = 0; k < KIND_COUNT; k++)
            known = known || matches(commands.items[i], text_of(command_name(kinds[k])));
        REQUIRE(known);
    }
}

static void check_principal(const struct policy *policy, size_t index)
{
    const struct policy_principal *principal = &policy->principals[index];
    REQUIRE(principal->name.length > 0 && utf8_valid(principal->name));
    REQUIRE(policy_principal(policy, principal->name) == principal);
    REQUIRE(principal->rule_count <= POLICY_RULES_MAX);
    check_patterns(principal->reply_to, true);
    for (size_t i = 0; i < principal->rule_count; i++) {
        check_patterns(principal->rules[i].commands, false);
        check_patterns(principal->rules[i].projects, false);
        check_patterns(principal->rules[i].providers, false);
        check_commands(principal->rules[i].commands);
    }
}

/* A question: one command, two projects, one provider. */
struct question {
    enum command_kind kind;
    struct text projects[2];
    struct uuid provider;
};

static bool rule_covers(const struct policy_rule *rule, const struct question *asked)
{
    struct uuid_text provider = uuid_format(asked->provider);
    return any_matches(rule->commands, text_of(command_name(asked->kind))) &&
           any_matches(rule->projects, asked->projects[0]) &&
           any_matches(rule->projects, asked->projects[1]) &&
           any_matches(rule->providers, text_of(provider.chars));
}

static bool one_rule_covers(const struct policy_principal *principal, const struct question *asked)
{
    for (size_t i = 0; i < principal->rule_count; i++) {
        if (rule_covers(&principal->rules[i], asked))
            return true;
    }
    return false;
}

static void ask(const struct policy *policy, const struct policy_principal *principal,
                const struct question *asked)
{
    struct policy_question question;
    bool allowed = policy_ask_command(&question, policy, principal->name, asked->kind) &&
                   policy_ask_project(&question, asked->projects[0]) &&
                   policy_ask_provider(&question, asked->provider) &&
                   policy_ask_project(&question, asked->projects[1]);
    REQUIRE(allowed == one_rule_covers(principal, asked));
}

static struct text short_text(struct text text)
{
    return text_view(text.bytes, text.length < SUBJECT_BYTES_MAX ? text.length : SUBJECT_BYTES_MAX);
}

/* The subjects are the policy's own patterns, so that many of them match. */
static void ask_about(const struct policy *policy, const struct policy_principal *principal,
                      const struct policy_rule *rule)
{
    struct question asked = {
        .projects = {short_text(rule->projects.items[0]), short_text(principal->name)}};
    if (!uuid_parse(rule->providers.items[0], &asked.provider))
        memset(&asked.provider, (int)rule->providers.count, sizeof asked.provider);
    for (size_t k = 0; k < KIND_COUNT; k++) {
        asked.kind = kinds[k];
        ask(policy, principal, &asked);
        struct question same = asked;
        same.projects[1] = asked.projects[0];
        ask(policy, principal, &same);
    }
    for (size_t i = 0; i < rule->projects.count && i < RULES_ASKED_MAX; i++) {
        struct text subject = short_text(rule->projects.items[i]);
        REQUIRE(patterns_match(principal->reply_to, subject) ==
                any_matches(principal->reply_to, subject));
        REQUIRE(policy_allows_reply_to(policy, principal->name, subject) ==
                any_matches(principal->reply_to, subject));
    }
}

static void check_policy(const struct policy *policy)
{
    for (size_t i = 0; i < policy->count; i++)
        check_principal(policy, i);
    for (size_t i = 0; i < policy->count && i < PRINCIPALS_ASKED_MAX; i++) {
        const struct policy_principal *principal = &policy->principals[i];
        for (size_t r = 0; r < principal->rule_count && r < RULES_ASKED_MAX; r++)
            ask_about(policy, principal, &principal->rules[r]);
    }
    REQUIRE(policy_principal(policy, TEXT_NONE) == NULL);
    REQUIRE(!policy_allows_reply_to(policy, TEXT_NONE, text_of("q")));
}

/* "FILE:LINE: what", on one line. */
static void check_error(const struct error *error)
{
    static const char place[] = "p.yaml:";
    REQUIRE(strncmp(error->text, place, strlen(place)) == 0);
    char *end = NULL;
    (void)strtol(error->text + strlen(place), &end, 10);
    REQUIRE(strncmp(end, ": ", 2) == 0 && end[2] != '\0');
    for (const char *c = error->text; *c != '\0'; c++)
        REQUIRE((unsigned char)*c >= ' ' && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (libfyaml_leaks(data, size))
        return 0;
    struct arena *arena = arena_new(0);
    struct policy policy = {0};
    struct error error = {""};
    if (policy_read(text_view((const char *)data, size), "p.yaml", arena, &policy, &error)) {
        check_policy(&policy);
    } else {
        REQUIRE(policy.principals == NULL && policy.count == 0);
        check_error(&error);
    }
    arena_free(arena);
    return 0;
}
