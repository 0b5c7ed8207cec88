/* SPDX-License-Identifier: Apache-2.0 */
/* The access policy from YAML text (docs/protocol.md, section 6). Pure: reads no file itself. */
#ifndef ALLOT_CODEC_POLICY_FILE_H
#define ALLOT_CODEC_POLICY_FILE_H

#include "common/base/error.h"
#include "common/core/policy.h"

/*
 * False, with an error "FILE:LINE: what", for anything that is not exactly a policy: unknown,
 * repeated or missing members, a principal named twice, empty lists in a rule, empty patterns, a
 * wrong version, more than POLICY_RULES_MAX rules of one principal, a command pattern that matches
 * no command. Only `reply_to` may be missing, which is as good as empty; an empty `allow` makes a
 * principal known that may do nothing. Every scalar counts as a string, so 12 is a fine name. All
 * goes to `arena`.
 */
ALLOT_CHECK bool policy_read(struct text yaml, const char *file_name, struct arena *arena,
                             struct policy *ret_policy, struct error *error);

#endif
