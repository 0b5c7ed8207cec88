/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of a body to JSON, under the contract's terms for what is well-formed at all. It
 * knows nothing of commands. Source: docs/protocol.md, section 2.
 */
#ifndef ALLOT_CODEC_BODY_PARSE_H
#define ALLOT_CODEC_BODY_PARSE_H

#include <jansson.h>

#include "allot/message.h"

/* `application/json`, be it with the parameter `charset=utf-8`. */
bool content_type_is_json(struct text content_type);

/*
 * The body of a delivery: a JSON object, owned by the caller. NULL, with a reason of people's
 * words in the arena, where the delivery is `malformed`. Time and stack are bounded by the length
 * of the body, which the caller has limited.
 */
json_t *body_parse(const struct delivery *delivery, struct arena *arena, struct text *ret_reason);

#endif
