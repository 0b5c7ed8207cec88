/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the bytes of a body into JSON, if the protocol accepts it as JSON at all. It knows nothing
 * of commands. Source: docs/protocol.md, section 2.
 */
#ifndef ALLOT_CODEC_BODY_PARSE_H
#define ALLOT_CODEC_BODY_PARSE_H

#include <jansson.h>

#include "allot/message.h"

/* Returns whether it is `application/json`, alone or with the parameter `charset=utf-8`. */
bool content_type_is_json(struct text content_type);

/*
 * Returns the body of a delivery, a JSON object that the caller owns (json_decref). Returns NULL if
 * the delivery is `malformed`; then `ret_reason` is the reason, in the arena or static. Time and
 * stack are bounded by the length of the body, which the caller has limited.
 */
json_t *body_parse(const struct delivery *delivery, struct arena *arena, struct text *ret_reason);

#endif
