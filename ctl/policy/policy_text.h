/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of patterns, for people and in JSON. */
#ifndef ALLOT_CTL_POLICY_TEXT_H
#define ALLOT_CTL_POLICY_TEXT_H

#include <jansson.h>

#include "common/core/policy.h"

/* Returns the patterns with ", " between them, in `arena`. */
struct text patterns_text(struct arena *arena, struct patterns patterns);
/* Returns the commands that the patterns match, with ", " between them, in `arena`. */
struct text patterns_commands_text(struct arena *arena, struct patterns patterns);
/* Returns a new array of the patterns. */
json_t *patterns_json(struct patterns patterns);
/* Returns a new object with a rule: number, place and its lists. */
json_t *policy_rule_json(const struct policy_rule *rule, size_t index, struct text place);

#endif
