/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation ratios: exact decimals with six places, stored as a number of millionths. Only this
 * module converts them from and to floating-point numbers. Source: docs/protocol.md, section 2,
 * inventory record.
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
 * Finds the ratio in millionths whose decimal, converted to a double, is `number`. Returns false if
 * there is none, or if it is not between RATIO_MIN and RATIO_MAX.
 */
ALLOT_CHECK bool ratio_from_double(double number, int64_t *ret_ratio);
ALLOT_CHECK bool ratio_from_integer(int64_t number, int64_t *ret_ratio);
/* Returns the decimal without zeros at its end, but with at least one place: "1.0", "0.57". */
struct ratio_text ratio_format(int64_t ratio);

#endif
