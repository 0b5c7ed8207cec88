/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256, by OpenSSL, of bodies and of pairs of texts. It fails only without memory, and then
 * aborts the process, as the arena does. Safe from any thread.
 */
#ifndef ALLOT_CODEC_DIGEST_H
#define ALLOT_CODEC_DIGEST_H

#include <jansson.h>

#include "common/core/request.h"

/*
 * Returns the digest of the canonical form of a parsed body: keys sorted by bytes, no spaces,
 * numbers as parsed, strings as given. Source: docs/protocol.md, section 4.
 */
struct fingerprint fingerprint_of_json(const json_t *body);
/*
 * Returns the digest of the length of `first` (8 bytes, big-endian), `first` and `second`. The
 * length keeps ("ab", "c") and ("a", "bc") apart.
 */
struct fingerprint fingerprint_of_pair(struct text first, struct text second);

#endif
