/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648, with padding), by OpenSSL. */
#ifndef ALLOT_CODEC_BASE64_H
#define ALLOT_CODEC_BASE64_H

#include "common/base/text.h"

/* Returns the bytes in base64 without line ends, in `arena`. They are less than 1 GiB. */
struct text base64_encode(struct arena *arena, struct text bytes);

#endif
