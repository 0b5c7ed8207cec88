/* SPDX-License-Identifier: Apache-2.0 */
/* The access policy from YAML text (docs/protocol.md, section 6). Pure: it opens no file. */
#ifndef ALLOT_CODEC_POLICY_FILE_H
#define ALLOT_CODEC_POLICY_FILE_H

#include "common/base/error.h"
#include "common/core/policy.h"

/*
 * Reads a policy, without its `service_queues`; everything is copied to `arena`. Every scalar is a
 * string, so 12 is a valid name. An empty `allow` makes a principal known that may do nothing. Only
 * `reply_to` may be missing, which means an empty list.
 *
 * Returns false, with an error "FILE:LINE: what", for anything that is not exactly a policy:
 * unknown, duplicate or missing members, duplicate principals, empty lists in a rule, empty
 * patterns, a wrong version, more than POLICY_RULES_MAX rules of one principal, or a command
 * pattern that matches no command. `ret_policy` is then unchanged.
 */
ALLOT_CHECK bool policy_read(struct text yaml, const char *file_name, struct arena *arena,
                             struct policy *ret_policy, struct error *error);

#endif
