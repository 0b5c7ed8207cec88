/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256, by OpenSSL, of bodies, of pairs of texts, and of bytes that come in parts. It fails only
 * without memory, and then aborts the process, as the arena does. Safe from any thread.
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

enum { FINGERPRINT_HEX_DIGITS = 2 * FINGERPRINT_BYTES };

/* Returns the digest in lower-case hexadecimal digits; the arena owns them, and a NUL follows. */
struct text fingerprint_hex(struct arena *arena, const struct fingerprint *fingerprint);

/* A digest of bytes that come in parts. */
struct digest;

/* The caller owns the digest until digest_end(). */
struct digest *digest_new(void);
void digest_add(struct digest *digest, const void *bytes, size_t length);
/* Returns the digest of all parts, and frees `digest`. */
struct fingerprint digest_end(struct digest *digest);

#endif
