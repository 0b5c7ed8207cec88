/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers in settings and options: "3", "10s", "8MiB". Only decimal digits: no sign, no leading
 * zero (some readers would take it for octal), no space, no fraction. Why not strtoll: it
 * accepts signs and spaces, and needs a NUL-terminated string.
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
 * Parses a number with its unit. Returns false if the number is malformed, or if the unit
 * is missing or unknown. A number beyond 64 bits becomes INT64_MAX, so that the caller's range
 * check reports it.
 */
ALLOT_CHECK bool units_parse(enum unit_kind kind, struct text text, int64_t *ret_value);

/* Formats a value with the largest unit that gives a whole number. It must not be negative. */
struct units_text units_format(enum unit_kind kind, int64_t value);

/* Describes valid input, for errors: "a whole number with one of the units ms, s, ...". The
   text is static. */
const char *units_wanted(enum unit_kind kind);

#endif
