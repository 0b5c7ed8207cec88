/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of what the codec names things by. Running out of memory, the only way in which this can
 * fail, aborts the process, as in the arena.
 */
#ifndef ALLOT_CODEC_DIGEST_H
#define ALLOT_CODEC_DIGEST_H

#include <jansson.h>

#include "common/core/request.h"

/*
 * Of the canonical form of a parsed body: keys in order of bytes, no spaces, numbers as parsed,
 * strings as given. Source: docs/protocol.md, section 4.
 */
struct fingerprint fingerprint_of_json(const json_t *body);
/* Of the length of `first` (8 bytes, big-endian) and both texts, so that no two pairs agree. */
struct fingerprint fingerprint_of_pair(struct text first, struct text second);

#endif
