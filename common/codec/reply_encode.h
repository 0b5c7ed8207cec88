/* SPDX-License-Identifier: Apache-2.0 */
/* From a verdict to the bytes of a reply. Pure. Source: docs/protocol.md, section 3. */
#ifndef ALLOT_CODEC_REPLY_ENCODE_H
#define ALLOT_CODEC_REPLY_ENCODE_H

#include "common/core/request.h"
#include "common/core/verdict.h"

/*
 * The reply's body. `command`: its name on the wire, absent where the body could not be read;
 * `kind` says how to write a success. `key`: the command's message_id, absent if it had none. Of a
 * verdict that is not replayed.
 */
struct text reply_encode(struct arena *arena, struct text command, enum command_kind kind,
                         struct text key, const struct verdict *verdict);

/*
 * The reply's message_id: a UUID derived from principal and key, the same for each repetition
 * (SHA-256 of both, shaped as version 8).
 */
struct text reply_message_id(struct arena *arena, struct text principal, struct text key);

/* The message of a failure in a reply's body as we wrote it; absent where there is none. */
struct text reply_failure_message(struct arena *arena, struct text body);

/* At most DEAD_DETAIL_BYTES_MAX bytes of the verdict's message, cut at a code point. */
struct text reply_dead_detail(struct arena *arena, struct text message);

#endif
