/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact decimals with six places, kept as a count of millionths. This is the only place where an
 * allocation ratio meets a floating-point number. Source: docs/protocol.md, inventory record.
 */
#ifndef ALLOT_CODEC_RATIO_H
#define ALLOT_CODEC_RATIO_H

#include <stdint.h>

#include "common/base/text.h"

enum { RATIO_TEXT_MAX = 24 };

struct ratio_text {
    char chars[RATIO_TEXT_MAX]; /* NUL-terminated; a JSON number */
};

/*
 * The millionths whose decimal has `number` for its nearest double; false where there are none, or
 * where they are beyond RATIO_MIN and RATIO_MAX.
 */
ALLOT_CHECK bool ratio_from_double(double number, int64_t *ret_ratio);
ALLOT_CHECK bool ratio_from_integer(int64_t number, int64_t *ret_ratio);
/* The decimal without needless zeros, but with one place at least: "1.0", "0.57". */
struct ratio_text ratio_format(int64_t ratio);

#endif
