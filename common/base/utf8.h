/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as in RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. Why not a
 * library: mbrtowc depends on the locale, jansson's check is private, and libunistring would be one
 * more dependency for these few lines.
 */
#ifndef ALLOT_BASE_UTF8_H
#define ALLOT_BASE_UTF8_H

#include "common/base/text.h"

/* The bytes (1 to 4) of the code point that `text` begins with; 0: it is ill-formed, or empty. */
size_t utf8_sequence(struct text text);
/* True of the empty and the absent text. */
bool utf8_valid(struct text text);

/*
 * Whether `code_point`, one sequence of bytes, is a control character: C0, DEL, or C1 (U+0080 to
 * U+009F). A terminal obeys these.
 */
bool utf8_is_control(struct text code_point);

#endif
