/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/text_cut.h"

enum { CODE_POINT_BYTES_MAX = 4 };

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

struct text text_cut(struct text text, size_t most)
{
    if (text.length <= most)
        return text;
    /* Goes back by at most one code point, since bytes that are not UTF-8 may be cut anywhere. */
    size_t length = most;
    for (size_t i = 1;
         i < CODE_POINT_BYTES_MAX && length > 0 && is_continuation(text.bytes[length]); i++)
        length--;
    return text_view(text.bytes, length);
}
