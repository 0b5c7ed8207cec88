/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the planner share: the decision on one command whose outcome is not recorded.
 *
 * A rule is a function `check_...`. It returns true if the command satisfies the rule.
 * Otherwise it fills the verdict with a failure and returns false. All rules are checked before
 * anything is changed, so that a failure leaves the snapshot as it was.
 */
#ifndef ALLOT_CORE_DECISION_H
#define ALLOT_CORE_DECISION_H

#include "common/core/plan.h"

struct decision {
    const struct plan_context *context;
    struct snapshot *snapshot;
    const struct request *request;
    size_t index; /* of the request in its batch */
    struct verdict *verdict;
};

/*
 * Asks the policy about the reply queue and about all that the command names or affects. Returns
 * false if the command is `forbidden`, and then the verdict says so.
 */
ALLOT_CHECK bool decide_policy(struct decision *decision);

/* Fills the verdict with `forbidden`, with the command alone in its details; returns false. */
bool forbid_command(struct decision *decision);
/* Each fills the verdict with `forbidden` and the thing that is not allowed, and returns false. */
bool forbid_text(struct decision *decision, const char *member, struct text value);
bool forbid_uuid(struct decision *decision, const char *member, struct uuid value);
/* Asks the policy about one provider that the command names. Returns false if it is `forbidden`. */
bool ask_provider(struct decision *decision, struct policy_question *question,
                  struct uuid provider);

/* Fills the verdict with `provider_not_found`. `missing` is sorted and borrowed; count > 0. */
void refuse_missing_providers(struct decision *decision, const struct uuid *missing, size_t count);

#endif
