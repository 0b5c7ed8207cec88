/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access policy: which principal may run which command on which projects and providers. What no
 * rule allows is denied. One rule alone must cover the command, every project (also the one that a
 * stored consumer belongs to) and every provider. Source: docs/protocol.md, section 6.
 * codec/policy_file.h reads the rules from the policy file. Nothing here logs.
 */
#ifndef ALLOT_CORE_POLICY_H
#define ALLOT_CORE_POLICY_H

#include "common/core/command.h"

struct patterns {
    const struct text *items;
    size_t count;
};

struct policy_rule {
    struct patterns commands;
    struct patterns projects;
    struct patterns providers;
};

struct policy_principal {
    struct text name;
    const struct policy_rule *rules;
    size_t rule_count;
    struct patterns reply_to;
};

/* The names of the service's own queues, as configured. There is a third, whose name is made from
   the second: service_queues_have() knows it. */
struct service_queues {
    struct text commands;
    struct text dead_letters;
};

/* Never changes after it is loaded, so threads may share it. */
struct policy {
    const struct policy_principal *principals;
    size_t count;
    struct service_queues service_queues; /* of the installation, not of the policy file */
};

/* Returns whether the pattern matches. `*` in a pattern matches any run of bytes, also an empty
   one; no other character is special. */
bool pattern_matches(struct text pattern, struct text subject);
/* Returns whether one of the patterns matches. */
bool patterns_match(struct patterns patterns, struct text subject);

/* Returns the principal's entry, borrowed from the policy; NULL if the principal is unknown. */
const struct policy_principal *policy_principal(const struct policy *policy, struct text name);
/* Returns whether `name` is one of the service's queues: that of commands, that of dead letters, or
   the desk, whose name is that of the dead letters and ".desk". */
bool service_queues_have(const struct service_queues *queues, struct text name);
/*
 * Returns whether the principal may have its replies sent to that queue. Returns false for an
 * unknown principal, for an absent `reply_to`, and for a queue of the service, whatever the
 * principal's patterns are.
 */
bool policy_allows_reply_to(const struct policy *policy, struct text principal,
                            struct text reply_to);

enum { POLICY_RULES_MAX = 1024 };

/*
 * A question to the policy, asked in steps: first the command, then each project and provider. It
 * keeps the rules of the principal that cover everything asked so far. Each step returns whether a
 * rule is left. If a step returns false, its subject is what is not allowed.
 */
struct policy_question {
    const struct policy_principal *principal; /* NULL: no rule covers the command */
    uint64_t left[POLICY_RULES_MAX / 64];     /* one bit for each rule */
};

/* Begins a question: fills `question`. */
bool policy_ask_command(struct policy_question *question, const struct policy *policy,
                        struct text principal, enum command_kind command);
bool policy_ask_project(struct policy_question *question, struct text project_id);
bool policy_ask_provider(struct policy_question *question, struct uuid provider);
/*
 * Asks for all projects at once: the rule must have the pattern "*" itself. Only
 * provider.allocations asks this, because it shows consumers of every project.
 */
bool policy_ask_all_projects(struct policy_question *question);
/* Asks for all providers at once: the rule must have the pattern "*" itself. For provider.list. */
bool policy_ask_all_providers(struct policy_question *question);
/* Returns again what policy_ask_command returned: whether any rule covers the command. */
bool policy_command_allowed(const struct policy_question *question);

#endif
