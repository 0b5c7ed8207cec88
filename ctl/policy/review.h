/* SPDX-License-Identifier: Apache-2.0 */
/* What is surely a mistake in a policy, although the worker accepts it. Pure. */
#ifndef ALLOT_CTL_REVIEW_H
#define ALLOT_CTL_REVIEW_H

#include "common/core/policy.h"

enum policy_mistake_kind {
    MISTAKE_NO_RULES,  /* the principal may do nothing */
    MISTAKE_COVERED,   /* another rule allows all that this one allows */
    MISTAKE_LIST,      /* the rule names provider.list, which needs the provider "*" */
    MISTAKE_CONSUMERS, /* the rule names provider.allocations, which needs the project "*" */
    MISTAKE_REPLY_TO   /* a pattern is a queue of the service, which gets no replies */
};

struct policy_mistake {
    enum policy_mistake_kind kind;
    size_t rule;         /* its index, where it is about a rule */
    size_t other;        /* the rule that covers it */
    struct text pattern; /* of reply_to; borrowed */
};

struct policy_mistakes {
    struct policy_mistake *items;
    size_t count, capacity;
};

/* Finds the mistakes of one principal; they are in `arena`. */
struct policy_mistakes policy_review(const struct policy *policy,
                                     const struct policy_principal *principal, struct arena *arena);

/* Returns whether the rule `a` allows all that `b` allows. Where only several patterns of `a`
   together cover one of `b`, it returns false. */
bool policy_rule_covers(const struct policy_rule *a, const struct policy_rule *b);

/* Returns the text of a mistake, in `arena`: a part of a sentence. */
struct text policy_mistake_text(struct arena *arena, const struct policy_mistake *mistake);

#endif
