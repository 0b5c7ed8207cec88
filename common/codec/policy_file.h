/* SPDX-License-Identifier: Apache-2.0 */
/* The access policy from YAML text (docs/protocol.md, section 6). Pure: reads no file itself. */
#ifndef ALLOT_CODEC_POLICY_FILE_H
#define ALLOT_CODEC_POLICY_FILE_H

#include "common/base/error.h"
#include "common/core/policy.h"

/*
 * False, with an error "FILE:LINE: what", for anything that is not exactly a policy: unknown,
 * repeated or missing members, a principal named twice, empty lists in a rule, a wrong version,
 * more than POLICY_RULES_MAX rules of one principal, a command pattern that matches no command. All
 * goes to `arena`.
 */
ALLOT_CHECK bool policy_read(struct text yaml, const char *file_name, struct arena *arena,
                             struct policy *ret_policy, struct error *error);

#endif
