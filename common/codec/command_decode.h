/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a delivery to a request, or to the refusal that needs no look at the state: too_large,
 * malformed, missing_message_id, unauthenticated, unsupported_version, unknown_command, invalid, in
 * that order of precedence. Pure. Source: docs/protocol.md, section 2.
 */
#ifndef ALLOT_CODEC_COMMAND_DECODE_H
#define ALLOT_CODEC_COMMAND_DECODE_H

#include "allot/message.h"
#include "common/core/policy.h"
#include "common/core/request.h"
#include "common/core/verdict.h"

struct decode_context {
    const struct policy *policy;   /* which principals are known */
    bool trust_user_id;            /* false: `default_principal` is who sent it */
    struct text default_principal; /* absent or empty: none */
};

struct decoded {
    bool accepted;          /* `request` is whole; else `verdict` is the refusal */
    struct request request; /* principal, key, reply_to are set as far as they are known (absent:
                               not there or ill-formed), also where it is not accepted */
    struct text command;    /* the name that the body gave, known or not; absent: unreadable */
    struct verdict verdict; /* reply_allowed is judged here as well */
};

/* All goes to `arena`; texts of the delivery are borrowed. */
void command_decode(const struct decode_context *context, const struct delivery *delivery,
                    struct arena *arena, struct decoded *ret_decoded);

#endif
