/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why the policy allows a command or not: the rule that does, or the one that comes closest. The
 * questions are those that a worker asks (the policy functions of common/core/command_table.h), and
 * they are asked with common/core/policy.h. Pure.
 */
#ifndef ALLOT_CTL_EXPLANATION_H
#define ALLOT_CTL_EXPLANATION_H

#include "common/core/policy.h"

/* What a command asks of a rule about projects or providers. */
enum policy_scope {
    SCOPE_NONE,   /* nothing: any list will do */
    SCOPE_EACH,   /* that the list covers each one involved; there is at least one */
    SCOPE_IF_ANY, /* the same, but there may be none */
    SCOPE_ALL     /* that the list has "*" itself */
};

struct policy_scopes {
    enum policy_scope projects;
    enum policy_scope providers;
};

/* Returns what a command asks. */
struct policy_scopes policy_scopes_of(enum command_kind command);

/* A command as the policy sees it. */
struct policy_case {
    struct text principal;
    enum command_kind command;
    struct text reply_to;        /* absent: none */
    const struct text *projects; /* of the command and of the stored consumer */
    size_t project_count;
    const struct uuid *providers;
    size_t provider_count;
};

/* What is not allowed; or that all is. The later of two is closer to being allowed. */
enum policy_reason {
    REASON_UNKNOWN_PRINCIPAL,
    REASON_REPLY_TO,
    REASON_NO_RULES,
    REASON_COMMAND,
    REASON_PROJECT,
    REASON_PROVIDER,
    REASON_ALLOWED
};

struct policy_finding {
    enum policy_reason reason;
    struct text subject; /* the project, provider or queue; "*": all of them. In the arena */
    size_t steps;        /* how many questions the rule has passed */
};

struct policy_explanation {
    struct policy_finding finding;
    const struct policy_principal *principal; /* borrowed; NULL: unknown */
    size_t rule;   /* the index of the rule that allows it, or comes closest */
    bool has_rule; /* false: no rule covers the command */
};

/* Explains the verdict of the policy. */
struct policy_explanation policy_explain(const struct policy *policy,
                                         const struct policy_case *asked, struct arena *arena);

/* Says what one rule of the principal makes of the command. */
struct policy_finding policy_explain_rule(const struct policy_principal *principal, size_t rule,
                                          const struct policy_case *asked, struct arena *arena);

#endif
