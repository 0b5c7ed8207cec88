/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: default deny. One rule alone must cover the command, every project and every
 * provider touched, the stored owner's project included. `*` in a pattern is any run of bytes;
 * nothing else is special. Source: docs/protocol.md, section 6. It does not know where the rules
 * come from (codec/policy_file.h) and does not log.
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

/* Immutable once made. */
struct policy {
    const struct policy_principal *principals;
    size_t count;
};

bool pattern_matches(struct text pattern, struct text subject);
bool patterns_match(struct patterns patterns, struct text subject);

/* NULL: the policy does not know this principal. */
const struct policy_principal *policy_principal(const struct policy *policy, struct text name);
/* May replies of this principal go to that queue? Unknown principal or absent reply_to: no. */
bool policy_allows_reply_to(const struct policy *policy, struct text principal,
                            struct text reply_to);

/*
 * A question to the policy, narrowed step by step: the rules of the principal that cover all that
 * was named so far. Each step answers whether a rule is left; the step that empties it names the
 * culprit.
 */
enum { POLICY_RULES_MAX = 1024 };

struct policy_question {
    const struct policy_principal *principal;
    uint64_t alive[POLICY_RULES_MAX / 64]; /* a bit a rule */
};

bool policy_ask_command(struct policy_question *question, const struct policy *policy,
                        struct text principal, enum command_kind command);
bool policy_ask_project(struct policy_question *question, struct text project_id);
bool policy_ask_provider(struct policy_question *question, struct uuid provider);
/* For provider.allocations, which shows everybody's consumers: the pattern "*" itself. */
bool policy_ask_all_projects(struct policy_question *question);

#endif
