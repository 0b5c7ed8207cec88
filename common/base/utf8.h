/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
 * Own code, because the C library decodes by the locale's encoding, which may be another one.
 */
#ifndef ALLOT_BASE_UTF8_H
#define ALLOT_BASE_UTF8_H

#include <stdint.h>

#include "common/base/text.h"

/*
 * Returns the number of bytes (1 to 4) of the first code point of `text`; 0 if `text` is empty or
 * begins with a malformed sequence.
 */
size_t utf8_sequence(struct text text);
/* Returns whether the whole text is valid; true for the empty and the absent text. */
bool utf8_valid(struct text text);

/* Returns the code point of one valid sequence. */
uint32_t utf8_code_point(struct text sequence);

/*
 * Returns whether `code_point`, one valid sequence, is a control character: C0, DEL, or C1 (U+0080
 * to U+009F), which terminals interpret; a line or paragraph separator; or one that changes the
 * direction of the text around it, so that a line shows something else than it says.
 */
bool utf8_is_control(struct text code_point);

/*
 * Returns the smallest text that is greater than every text with this prefix, so that a range of
 * bytes can ask for a prefix: the prefix with its last code point raised by one. Absent: there is
 * no such text. `prefix` must be valid UTF-8; the arena owns the result.
 */
struct text utf8_prefix_end(struct arena *arena, struct text prefix);

#endif
