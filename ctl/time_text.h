/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as people write and read them. All are milliseconds since the Unix epoch. What is
   local depends on the variable TZ. */
#ifndef ALLOT_CTL_TIME_TEXT_H
#define ALLOT_CTL_TIME_TEXT_H

#include <stdint.h>

#include "common/base/text.h"

struct time_text {
    char chars[40]; /* NUL-terminated */
};

/* Formats the time in UTC, in whole seconds: 2026-01-31T23:59:59Z. "-" for a time that is not
   positive, or after the year 9999. */
struct time_text time_format(int64_t time_ms);
/* The same in the local time zone, with its distance from UTC: 2026-02-01 00:59:59 +0100. */
struct time_text time_format_local(int64_t time_ms);
/* Formats the time since then in two units at most, such as 3d4h; "-" if it is negative, or if
   `then_ms` is. */
struct time_text time_format_age(int64_t then_ms, int64_t now_ms);

/*
 * Parses a time: a date (2026-01-31) or a time of a day (2026-01-31T23:59:59, with a space or a T),
 * both in the local time zone, or in UTC with a Z at the end; a time of a day with its distance
 * from UTC, as time_format_local() writes it; or a duration before `now_ms`, with its unit (90s,
 * 2h, 7d). Returns false if it is none of these, or not after the epoch.
 */
ALLOT_CHECK bool time_parse(const char *text, int64_t now_ms, int64_t *ret_ms);

#endif
