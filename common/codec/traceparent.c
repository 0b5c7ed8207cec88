/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/traceparent.h"

#include <string.h>

enum {
    VERSION_AT = 0,
    VERSION_DIGITS = 2,
    TRACE_AT = 3,
    TRACE_DIGITS = 32,
    PARENT_AT = 36,
    PARENT_DIGITS = 16,
    FLAGS_AT = 53,
    FLAGS_DIGITS = 2,
    LENGTH = 55
};

static bool is_hex(const char *digits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool decimal = digits[i] >= '0' && digits[i] <= '9';
        bool letter = digits[i] >= 'a' && digits[i] <= 'f';
        if (!decimal && !letter)
            return false;
    }
    return true;
}

static bool is_zero(const char *digits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (digits[i] != '0')
            return false;
    }
    return true;
}

static bool has_shape(const char *bytes)
{
    return is_hex(bytes + VERSION_AT, VERSION_DIGITS) && bytes[TRACE_AT - 1] == '-' &&
           is_hex(bytes + TRACE_AT, TRACE_DIGITS) && bytes[PARENT_AT - 1] == '-' &&
           is_hex(bytes + PARENT_AT, PARENT_DIGITS) && bytes[FLAGS_AT - 1] == '-' &&
           is_hex(bytes + FLAGS_AT, FLAGS_DIGITS);
}

bool traceparent_well_formed(struct text text)
{
    if (text.length < LENGTH || !has_shape(text.bytes))
        return false;
    if (memcmp(text.bytes, "ff", VERSION_DIGITS) == 0)
        return false;
    if (is_zero(text.bytes + TRACE_AT, TRACE_DIGITS) ||
        is_zero(text.bytes + PARENT_AT, PARENT_DIGITS))
        return false;
    if (text.length == LENGTH)
        return true;
    return memcmp(text.bytes, "00", VERSION_DIGITS) != 0 && text.bytes[LENGTH] == '-';
}
