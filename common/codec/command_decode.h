/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns a delivery into a request, or into a failure that can be found without the database. If
 * several failures apply, the first of this list is given: too_large, malformed,
 * missing_message_id, unauthenticated, unsupported_version, unknown_command, invalid. Pure. Source:
 * docs/protocol.md, section 2.
 */
#ifndef ALLOT_CODEC_COMMAND_DECODE_H
#define ALLOT_CODEC_COMMAND_DECODE_H

#include "allot/message.h"
#include "common/core/policy.h"
#include "common/core/request.h"
#include "common/core/verdict.h"

struct decode_context {
    const struct policy *policy;   /* borrowed */
    bool trust_user_id;            /* false: `default_principal` is the principal of all commands */
    struct text default_principal; /* absent or empty: none */
};

struct decoded {
    bool accepted;          /* true: `request` is complete; false: `verdict` is the failure */
    struct request request; /* if not accepted: principal, key, reply_to and deadline, each as far
                               as it is valid (otherwise absent) */
    struct text command;    /* the name in the body, known or unknown; absent: none was found */
    struct verdict verdict; /* set if not accepted, with reply_allowed */
};

/*
 * Makes a request of a message that must not be decoded, since its workers died of that: it has the
 * principal, the key and reply_to, and `undecoded`. `accepted` only if it has the first two, so
 * that it may have an outcome.
 */
void command_identify(const struct decode_context *context, const struct delivery *delivery,
                      struct decoded *ret_decoded);

/*
 * Decodes a delivery. Everything is copied to `arena`, except the texts of the properties, which
 * are borrowed from the delivery.
 */
void command_decode(const struct decode_context *context, const struct delivery *delivery,
                    struct arena *arena, struct decoded *ret_decoded);

/* Sets the fingerprint that a request of this body has. Returns false if the body is no JSON that a
   command may have. `arena` is for the time of the call. */
ALLOT_CHECK bool command_fingerprint(const struct delivery *delivery, struct arena *arena,
                                     struct fingerprint *ret_fingerprint);

#endif
