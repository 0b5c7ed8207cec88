/* SPDX-License-Identifier: Apache-2.0 */
/* Shortens a text and keeps it valid UTF-8. */
#ifndef ALLOT_CODEC_TEXT_CUT_H
#define ALLOT_CODEC_TEXT_CUT_H

#include "common/base/text.h"

/* Returns the start of the text (a view): at most `most` bytes, with no code point cut in two. */
struct text text_cut(struct text text, size_t most);

#endif
