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

bool utf8_is_control(struct text code_point)
{
    unsigned char first = (unsigned char)code_point.bytes[0];
    if (code_point.length == 2)
        return first == 0xc2 && (unsigned char)code_point.bytes[1] < 0xa0;
    return code_point.length == 1 && (first < ' ' || first == 0x7f);
}
