/* SPDX-License-Identifier: Apache-2.0 */
/* The headers that an outgoing message travels with, in encoded form, as every transport sends
 * them. Pure. Source: docs/protocol.md, section 5. */
#ifndef ALLOT_CODEC_OUTGOING_HEADERS_H
#define ALLOT_CODEC_OUTGOING_HEADERS_H

#include "allot/message.h"

#define SEQUENCE_HEADER "x-allot-sequence"
#define DETAIL_HEADER "x-allot-detail"

/*
 * The original headers, those of the message's own `headers` over them, and its sequence (a
 * returned message has no other mark of its own). Where that does not fit into one frame of
 * `frame_bytes` together with the properties, the original headers are left out, and a
 * DETAIL_HEADER among `headers` says so.
 */
struct text outgoing_headers_encode(struct arena *arena, const struct outgoing *outgoing,
                                    size_t frame_bytes);
/* The same, with the original headers left out in any case. */
struct text outgoing_headers_without_original(struct arena *arena, const struct outgoing *outgoing);
/* The sequence among a message's headers; 0 where there is none. */
uint64_t outgoing_headers_sequence(struct text raw_headers);

#endif
