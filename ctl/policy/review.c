/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/policy/review.h"

/* --- rules that others cover ---------------------------------------------------------------- */

/*
 * Returns whether a pattern of the list matches all that `pattern` matches. Taken as a text, the
 * stars of `pattern` are characters that only a star of the other matches, and they may stand for
 * anything: so one pattern covers the other exactly if it matches its text. "*" itself is needed by
 * two commands, so nothing else covers it.
 */
static bool covers_pattern(struct patterns patterns, struct text pattern)
{
    for (size_t i = 0; i < patterns.count; i++) {
        if (text_is(pattern, "*") ? text_equal(patterns.items[i], pattern)
                                  : pattern_matches(patterns.items[i], pattern))
            return true;
    }
    return false;
}

static bool covers_patterns(struct patterns patterns, struct patterns others)
{
    for (size_t i = 0; i < others.count; i++) {
        if (!covers_pattern(patterns, others.items[i]))
            return false;
    }
    return true;
}

static bool covers_commands(struct patterns patterns, struct patterns others)
{
    static const char *const names[] = {
#define X(id, name, mode, summary) name,
        COMMANDS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (patterns_match(others, text_of(names[i])) &&
            !patterns_match(patterns, text_of(names[i])))
            return false;
    }
    return true;
}

bool policy_rule_covers(const struct policy_rule *a, const struct policy_rule *b)
{
    return covers_commands(a->commands, b->commands) && covers_patterns(a->projects, b->projects) &&
           covers_patterns(a->providers, b->providers);
}

/* Of two rules that allow the same, the second one is the mistake. */
static bool is_covered(const struct policy_principal *principal, size_t rule, size_t *ret_other)
{
    const struct policy_rule *rules = principal->rules;
    for (size_t i = 0; i < principal->rule_count; i++) {
        if (i == rule || !policy_rule_covers(&rules[i], &rules[rule]) ||
            (i > rule && policy_rule_covers(&rules[rule], &rules[i])))
            continue;
        *ret_other = i;
        return true;
    }
    return false;
}

/* --- commands that a rule can never allow --------------------------------------------------- */

static bool has_text(struct patterns patterns, const char *text)
{
    for (size_t i = 0; i < patterns.count; i++) {
        if (text_is(patterns.items[i], text))
            return true;
    }
    return false;
}

/* --- all ------------------------------------------------------------------------------------ */

static void add(struct policy_mistakes *mistakes, struct arena *arena, struct policy_mistake found)
{
    mistakes->items = arena_grown(arena, mistakes->items, mistakes->count, &mistakes->capacity,
                                  sizeof *mistakes->items);
    mistakes->items[mistakes->count++] = found;
}

static void review_rule(const struct policy_principal *principal, size_t index,
                        struct policy_mistakes *mistakes, struct arena *arena)
{
    const struct policy_rule *rule = &principal->rules[index];
    size_t other = 0;
    if (is_covered(principal, index, &other))
        add(mistakes, arena, (struct policy_mistake){MISTAKE_COVERED, index, other, TEXT_NONE});
    if (has_text(rule->commands, command_name(COMMAND_PROVIDER_LIST)) &&
        !has_text(rule->providers, "*"))
        add(mistakes, arena, (struct policy_mistake){.kind = MISTAKE_LIST, .rule = index});
    if (has_text(rule->commands, command_name(COMMAND_PROVIDER_ALLOCATIONS)) &&
        !has_text(rule->projects, "*"))
        add(mistakes, arena, (struct policy_mistake){.kind = MISTAKE_CONSUMERS, .rule = index});
}

struct policy_mistakes policy_review(const struct policy *policy,
                                     const struct policy_principal *principal, struct arena *arena)
{
    struct policy_mistakes mistakes = {0};
    if (principal->rule_count == 0)
        add(&mistakes, arena, (struct policy_mistake){.kind = MISTAKE_NO_RULES});
    for (size_t i = 0; i < principal->rule_count; i++)
        review_rule(principal, i, &mistakes, arena);
    for (size_t i = 0; i < principal->reply_to.count; i++) {
        struct text pattern = principal->reply_to.items[i];
        if (service_queues_have(&policy->service_queues, pattern))
            add(&mistakes, arena,
                (struct policy_mistake){.kind = MISTAKE_REPLY_TO, .pattern = pattern});
    }
    return mistakes;
}

struct text policy_mistake_text(struct arena *arena, const struct policy_mistake *mistake)
{
    size_t rule = mistake->rule + 1;
    switch (mistake->kind) {
    case MISTAKE_NO_RULES: return text_of("it has no rules, so it may do nothing");
    case MISTAKE_COVERED:
        return text_format(arena, "rule %zu allows nothing that rule %zu does not allow", rule,
                           mistake->other + 1);
    case MISTAKE_LIST:
        return text_format(
            arena, "rule %zu never allows provider.list, which needs \"*\" in providers", rule);
    case MISTAKE_CONSUMERS:
        return text_format(
            arena, "rule %zu never allows provider.allocations, which needs \"*\" in projects",
            rule);
    case MISTAKE_REPLY_TO:
        return text_format(arena, "reply_to '%.*s' is a queue of the service, which gets no reply",
                           TEXT_ARGS(mistake->pattern));
    }
    return TEXT_NONE;
}
