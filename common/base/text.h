/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text: a borrowed run of bytes with a length. It may contain any byte, and no NUL has to follow
 * it. `bytes == NULL` means that the text is absent, which is not the same as empty.
 */
#ifndef ALLOT_BASE_TEXT_H
#define ALLOT_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "allot/attributes.h"
#include "common/base/arena.h"

struct text {
    const char *bytes;
    size_t length;
};

#define TEXT_NONE ((struct text){NULL, 0})
/* The arguments of a "%.*s" in a printf() format. */
#define TEXT_ARGS(text) ((int)(text).length), ((text).bytes != NULL ? (text).bytes : "")

/* --- views: they borrow the bytes --- */

/* Returns the text of a C string; the absent text for NULL. */
struct text text_of(const char *string);
/* Returns the text of `length` bytes; the absent text if `bytes` is NULL. */
struct text text_view(const char *bytes, size_t length);

/* --- queries: an absent text compares like an empty one --- */

/* Returns false for the absent text only. */
bool text_present(struct text text);
bool text_equal(struct text a, struct text b);
bool text_is(struct text text, const char *string);
/* Orders texts by their bytes, as unsigned numbers; a prefix comes before the longer text. */
int text_compare(struct text a, struct text b);
bool text_starts_with(struct text text, const char *prefix);

/* --- copies: the arena owns them, and a NUL follows them --- */

/* Copies the text; the absent text stays absent. */
struct text text_copy(struct arena *arena, struct text text);
/* Formats a text as printf() does. */
struct text text_format(struct arena *arena, const char *format, ...) ALLOT_PRINTF(2, 3);
struct text text_vformat(struct arena *arena, const char *format, va_list arguments)
    ALLOT_PRINTF(2, 0);

#endif
