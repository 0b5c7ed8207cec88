/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encodes the headers of an outgoing message, in the same way for every transport. Pure. Source:
 * docs/protocol.md, section 5.
 */
#ifndef ALLOT_CODEC_OUTGOING_HEADERS_H
#define ALLOT_CODEC_OUTGOING_HEADERS_H

#include "allot/message.h"

#define SEQUENCE_HEADER "x-allot-sequence"
#define DETAIL_HEADER "x-allot-detail"

/*
 * Returns those headers of a command, in `arena`, that its dead letter keeps: without those that
 * only the worker or the broker write (x-allot-..., but for x-allot-deadline, and x-death,
 * x-first-death-..., x-last-death-...). A reader of the dead letter trusts these. Absent if
 * `raw_headers` are.
 */
struct text outgoing_headers_original(struct arena *arena, struct text raw_headers);
/*
 * Returns the encoded headers in `arena`: the original ones, overwritten by the message's own
 * `headers`, and the sequence number, by which a returned message is recognized. If they and the
 * properties do not fit into one frame of `frame_bytes`, the original headers are left out, and a
 * DETAIL_HEADER among `headers` says so.
 */
struct text outgoing_headers_encode(struct arena *arena, const struct outgoing *outgoing,
                                    size_t frame_bytes);
/* Returns the encoded headers as outgoing_headers_encode does without the original ones. */
struct text outgoing_headers_without_original(struct arena *arena, const struct outgoing *outgoing);
/* Returns the sequence number among the headers; 0 if there is none. */
uint64_t outgoing_headers_sequence(struct text raw_headers);

#endif
