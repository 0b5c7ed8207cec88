/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/uuid.h"

#include <string.h>

enum { HEX_DIGITS = 32 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_hyphen_position(size_t position)
{
    return position == 8 || position == 13 || position == 18 || position == 23;
}

bool uuid_parse(struct text text, struct uuid *ret_uuid)
{
    bool hyphens = text.length == UUID_TEXT_LENGTH;
    if (!hyphens && text.length != HEX_DIGITS)
        return false;

    struct uuid uuid = {{0}};
    size_t digits = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (hyphens && is_hyphen_position(i)) {
            if (text.bytes[i] != '-')
                return false;
            continue;
        }
        int value = hex_value(text.bytes[i]);
        if (value < 0)
            return false;
        uuid.bytes[digits / 2] = (uint8_t)(uuid.bytes[digits / 2] << 4 | value);
        digits++;
    }
    *ret_uuid = uuid;
    return true;
}

struct uuid_text uuid_format(struct uuid uuid)
{
    static const char digits[] = "0123456789abcdef";
    struct uuid_text text;
    size_t position = 0;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (is_hyphen_position(position))
            text.chars[position++] = '-';
        text.chars[position++] = digits[uuid.bytes[i] >> 4];
        text.chars[position++] = digits[uuid.bytes[i] & 15];
    }
    text.chars[position] = '\0';
    return text;
}

int uuid_compare(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, UUID_BYTES);
}

bool uuid_equal(struct uuid a, struct uuid b)
{
    return uuid_compare(a, b) == 0;
}
