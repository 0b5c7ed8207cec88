/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/broker_version.h"

#include <ctype.h>

enum { DIGITS_MAX = 4, BASE = 10 };

/* Reads a number and moves `at` behind it. Returns false if there is none, or it is too long. */
static bool read_number(struct text version, size_t *at, int *ret_number)
{
    size_t first = *at;
    *ret_number = 0;
    while (*at < version.length && isdigit((unsigned char)version.bytes[*at]) != 0 &&
           *at - first < DIGITS_MAX)
        *ret_number = BASE * *ret_number + (version.bytes[(*at)++] - '0');
    return *at > first && (*at == version.length || !isdigit((unsigned char)version.bytes[*at]));
}

struct broker_version broker_version_read(struct text version)
{
    struct broker_version read = {0, 0};
    size_t at = 0;
    if (!read_number(version, &at, &read.major) || at == version.length || version.bytes[at] != '.')
        return (struct broker_version){0, 0};
    at++;
    if (!read_number(version, &at, &read.minor))
        return (struct broker_version){0, 0};
    return read;
}

bool broker_version_from(struct broker_version version, int major, int minor)
{
    return version.major > major || (version.major == major && version.minor >= minor);
}
