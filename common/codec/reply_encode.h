/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a verdict into a reply. Pure. Source: docs/protocol.md, section 3. */
#ifndef ALLOT_CODEC_REPLY_ENCODE_H
#define ALLOT_CODEC_REPLY_ENCODE_H

#include "common/core/request.h"
#include "common/core/verdict.h"

/*
 * Returns the body of the reply, in `arena`. `command` is the name on the wire, absent if the body
 * of the command could not be read; of a success, `kind` says which form its result has. `key` is
 * the command's message_id, absent if it had none. The verdict must not be a replayed one.
 */
struct text reply_encode(struct arena *arena, struct text command, enum command_kind kind,
                         struct text key, const struct verdict *verdict);

/*
 * Returns the message_id of the reply, in `arena`: a UUID (version 8) made from the SHA-256 of
 * principal and key, so that it is the same for each repetition.
 */
struct text reply_message_id(struct arena *arena, struct text principal, struct text key);

/* Returns the message of a failure from a recorded reply, in `arena`; absent if there is none. */
struct text reply_failure_message(struct arena *arena, struct text body);

/* Returns at most DEAD_DETAIL_BYTES_MAX bytes of a message, cut at a code point, in `arena`. */
struct text reply_dead_detail(struct arena *arena, struct text message);

#endif
