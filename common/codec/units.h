/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as people write them in settings: "3", "10s", "8MiB". Decimal digits only: no sign, no
 * leading zero (it would be octal elsewhere), no space, no fraction.
 */
#ifndef ALLOT_CODEC_UNITS_H
#define ALLOT_CODEC_UNITS_H

#include <stdint.h>

#include "common/base/text.h"

/*
 *   COUNT     no unit
 *   DURATION  ms, s, m, h, d; the value is in milliseconds
 *   BYTES     B, KiB, MiB, GiB; the value is in bytes
 */
enum unit_kind { UNIT_COUNT, UNIT_DURATION, UNIT_BYTES };

struct units_text {
    char chars[32]; /* NUL-terminated */
};

/*
 * False where `text` is no such number, or its unit is missing or another. What is beyond 64 bits
 * becomes INT64_MAX: a range check refuses it, and says why.
 */
ALLOT_CHECK bool units_parse(enum unit_kind kind, struct text text, int64_t *ret_value);

/* A value (not negative) with the largest unit that gives a whole number. */
struct units_text units_format(enum unit_kind kind, int64_t value);

/* What to write instead, for an error: "a number and one of ms, s, m, h, d". Static. */
const char *units_wanted(enum unit_kind kind);

#endif
