/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/time_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/codec/units.h"

enum { MS_PER_S = 1000, S_PER_MINUTE = 60, S_PER_HOUR = 3600, S_PER_DAY = 86400 };
#define END_S INT64_C(253402300800) /* the year 10000 begins */

/* `convert` is gmtime_r or localtime_r. */
static struct time_text format_time(int64_t time_ms,
                                    struct tm *(*convert)(const time_t *, struct tm *),
                                    const char *pattern)
{
    struct time_text result = {"-"};
    time_t seconds = time_ms / MS_PER_S;
    struct tm parts;
    if (time_ms > 0 && seconds < END_S && convert(&seconds, &parts) != NULL)
        (void)strftime(result.chars, sizeof result.chars, pattern, &parts);
    return result;
}

struct time_text time_format(int64_t time_ms)
{
    return format_time(time_ms, gmtime_r, "%Y-%m-%dT%H:%M:%SZ");
}

struct time_text time_format_local(int64_t time_ms)
{
    return format_time(time_ms, localtime_r, "%Y-%m-%d %H:%M:%S %z");
}

static struct time_text two_units(int64_t first, char first_unit, int64_t second, char second_unit)
{
    struct time_text result;
    (void)snprintf(result.chars, sizeof result.chars, "%" PRId64 "%c%" PRId64 "%c", first,
                   first_unit, second, second_unit);
    return result;
}

struct time_text time_format_age(int64_t then_ms, int64_t now_ms)
{
    struct time_text result = {"-"};
    if (then_ms > now_ms || then_ms < 0)
        return result;
    int64_t seconds = (now_ms - then_ms) / MS_PER_S;
    if (seconds >= S_PER_DAY)
        return two_units(seconds / S_PER_DAY, 'd', seconds % S_PER_DAY / S_PER_HOUR, 'h');
    if (seconds >= S_PER_HOUR)
        return two_units(seconds / S_PER_HOUR, 'h', seconds % S_PER_HOUR / S_PER_MINUTE, 'm');
    if (seconds >= S_PER_MINUTE)
        return two_units(seconds / S_PER_MINUTE, 'm', seconds % S_PER_MINUTE, 's');
    (void)snprintf(result.chars, sizeof result.chars, "%" PRId64 "s", seconds);
    return result;
}

enum zone { ZONE_LOCAL, ZONE_UTC, ZONE_GIVEN };

/* mktime() and timegm() make March of the 30th of February; a time that changes is not valid. */
static bool parse_calendar(const char *text, const char *format, enum zone zone, int64_t *ret_ms)
{
    struct tm parts = {.tm_isdst = zone == ZONE_LOCAL ? -1 : 0};
    const char *end = strptime(text, format, &parts);
    if (end == NULL || *end != '\0')
        return false;
    struct tm given = parts;
    time_t seconds = zone == ZONE_LOCAL ? mktime(&parts) : timegm(&parts);
    if (zone == ZONE_GIVEN)
        seconds -= given.tm_gmtoff;
    *ret_ms = (int64_t)seconds * MS_PER_S;
    return seconds > 0 && parts.tm_mday == given.tm_mday && parts.tm_mon == given.tm_mon &&
           parts.tm_sec == given.tm_sec;
}

bool time_parse(const char *text, int64_t now_ms, int64_t *ret_ms)
{
    int64_t duration_ms = 0;
    /* A space stands for any number of spaces, also none. */
    static const struct {
        const char *format;
        enum zone zone;
    } formats[] = {{"%Y-%m-%d", ZONE_LOCAL},
                   {"%Y-%m-%dZ", ZONE_UTC},
                   {"%Y-%m-%dT%H:%M:%S", ZONE_LOCAL},
                   {"%Y-%m-%d %H:%M:%S", ZONE_LOCAL},
                   {"%Y-%m-%dT%H:%M:%SZ", ZONE_UTC},
                   {"%Y-%m-%d %H:%M:%SZ", ZONE_UTC},
                   {"%Y-%m-%dT%H:%M:%S%z", ZONE_GIVEN},
                   {"%Y-%m-%d %H:%M:%S %z", ZONE_GIVEN}};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (parse_calendar(text, formats[i].format, formats[i].zone, ret_ms))
            return true;
    }
    if (!units_parse(UNIT_DURATION, text_of(text), &duration_ms) || duration_ms >= now_ms)
        return false;
    *ret_ms = now_ms - duration_ms;
    return true;
}
