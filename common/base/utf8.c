/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/utf8.h"

#include <stdint.h>

/*
 * The ranges of the first two bytes of a valid sequence: table 3-7, "Well-Formed UTF-8 Byte
 * Sequences", of the Unicode standard. The third and fourth byte may be any continuation byte (0x80
 * to 0xbf).
 */
struct lead {
    uint8_t first, last;               /* the range of the first byte */
    uint8_t second_first, second_last; /* the range of the second byte */
    uint8_t length;                    /* of the whole sequence */
};

static const struct lead leads[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct lead *lead_of(uint8_t byte)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        if (byte >= leads[i].first && byte <= leads[i].last)
            return &leads[i];
    }
    return NULL;
}

size_t utf8_sequence(struct text text)
{
    if (text.length == 0)
        return 0;
    const uint8_t *bytes = (const uint8_t *)text.bytes;
    const struct lead *lead = lead_of(bytes[0]);
    if (lead == NULL || text.length < lead->length)
        return 0;
    if (lead->length > 1 && (bytes[1] < lead->second_first || bytes[1] > lead->second_last))
        return 0;
    for (size_t i = 2; i < lead->length; i++) {
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    }
    return lead->length;
}

bool utf8_valid(struct text text)
{
    while (text.length > 0) {
        size_t length = utf8_sequence(text);
        if (length == 0)
            return false;
        text = text_view(text.bytes + length, text.length - length);
    }
    return true;
}

enum { SURROGATES = 0xd800, AFTER_SURROGATES = 0xe000, CODE_POINT_MAX = 0x10ffff };

/* Returns the code point of a valid sequence of `length` bytes. */
static uint32_t code_point_of(const uint8_t *bytes, size_t length)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code_point = bytes[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        code_point = code_point << 6 | (bytes[i] & 0x3fU);
    return code_point;
}

uint32_t utf8_code_point(struct text sequence)
{
    return code_point_of((const uint8_t *)sequence.bytes, sequence.length);
}

bool utf8_is_control(struct text code_point)
{
    static const struct {
        uint32_t first, last;
    } controls[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     /* C0, DEL and C1 */
        {0x61c, 0x61c},   {0x200e, 0x200f}, /* marks of direction */
        {0x2028, 0x202e},                   /* separators; embedding and override of direction */
        {0x2066, 0x2069},                   /* isolates */
    };
    uint32_t value = utf8_code_point(code_point);
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (value >= controls[i].first && value <= controls[i].last)
            return true;
    }
    return false;
}

/* Writes the sequence of a code point; returns its length. */
static size_t write_code_point(uint32_t code_point, char *bytes)
{
    static const uint8_t first_bytes[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80U | (code_point & 0x3fU));
        code_point >>= 6;
    }
    bytes[0] = (char)(first_bytes[length] | code_point);
    return length;
}

/* Returns where the last code point begins. */
static size_t last_code_point(struct text text)
{
    size_t start = text.length - 1;
    while (start > 0 && ((unsigned char)text.bytes[start] & 0xc0) == 0x80)
        start--;
    return start;
}

struct text utf8_prefix_end(struct arena *arena, struct text prefix)
{
    while (prefix.length > 0) {
        size_t start = last_code_point(prefix);
        uint32_t next =
            code_point_of((const uint8_t *)prefix.bytes + start, prefix.length - start) + 1;
        if (next == SURROGATES)
            next = AFTER_SURROGATES;
        if (next <= CODE_POINT_MAX) {
            char last[4];
            size_t length = write_code_point(next, last);
            return text_format(arena, "%.*s%.*s", (int)start, prefix.bytes, (int)length, last);
        }
        prefix.length = start; /* nothing is greater in this place: raise the code point before */
    }
    return TEXT_NONE;
}
