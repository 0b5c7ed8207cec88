/* SPDX-License-Identifier: Apache-2.0 */
/* Random policies of few words, so that rules often cover a command, and often just not. */
#ifndef ALLOT_POLICY_RANDOM_H
#define ALLOT_POLICY_RANDOM_H

#include "ctl/policy/explanation.h"

/* The principal of each policy. Another one is unknown. */
#define RANDOM_PRINCIPAL "p"

struct random_source {
    uint64_t state;
};

/* Returns a number below `bound`. */
size_t random_below(struct random_source *source, size_t bound);
/* Returns a policy of one principal with up to six rules, in `arena`. */
struct policy random_policy(struct random_source *source, struct arena *arena);
/* Returns a command with as many projects and providers as it can involve, in `arena`. */
struct policy_case random_case(struct random_source *source, struct arena *arena);

#endif
