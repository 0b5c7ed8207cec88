/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns a delivery into a request, or into a failure that needs no look at the stored state. The
 * failures in their order of precedence: too_large, malformed, missing_message_id, unauthenticated,
 * unsupported_version, unknown_command, invalid. Pure. Source: docs/protocol.md, section 2.
 */
#ifndef ALLOT_CODEC_COMMAND_DECODE_H
#define ALLOT_CODEC_COMMAND_DECODE_H

#include "allot/message.h"
#include "common/core/policy.h"
#include "common/core/request.h"
#include "common/core/verdict.h"

struct decode_context {
    const struct policy *policy;   /* borrowed */
    bool trust_user_id;            /* false: every command counts as from `default_principal` */
    struct text default_principal; /* absent or empty: none */
};

struct decoded {
    bool accepted;          /* true: `request` is complete; false: `verdict` is the failure */
    struct request request; /* if not accepted: principal, key, reply_to and deadline, each as far
                               as it is valid (otherwise absent) */
    struct text command;    /* the name in the body, known or not; absent: not readable */
    struct verdict verdict; /* with reply_allowed, if not accepted */
};

/*
 * Decodes a delivery. Everything is in `arena`, except the texts of the delivery's properties,
 * which are borrowed from it.
 */
void command_decode(const struct decode_context *context, const struct delivery *delivery,
                    struct arena *arena, struct decoded *ret_decoded);

#endif
