/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/shell_word.h"

struct text shell_word(struct arena *arena, struct text text)
{
    static const char quote[] = "'\\''"; /* ends the quotes, and begins new ones */
    struct text word = text_of("'");
    size_t done = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] != '\'')
            continue;
        word = text_format(arena, "%.*s%.*s%s", TEXT_ARGS(word), (int)(i - done), text.bytes + done,
                           quote);
        done = i + 1;
    }
    return text_format(arena, "%.*s%.*s'", TEXT_ARGS(word), (int)(text.length - done),
                       text.length > 0 ? text.bytes + done : "");
}
