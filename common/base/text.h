/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of bytes that somebody else owns: not terminated, may hold any byte. `bytes == NULL` means
 * that there is none at all ("absent"), which is not the same as empty.
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
/* For printf's "%.*s". */
#define TEXT_ARGS(text) ((int)(text).length), ((text).bytes != NULL ? (text).bytes : "")

/* A view of a C string; NULL gives the absent text. */
struct text text_of(const char *string);
struct text text_view(const char *bytes, size_t length);
bool text_present(struct text text);
bool text_equal(struct text a, struct text b);
bool text_is(struct text text, const char *string);
/* Byte by byte, the shorter first; an absent text is like an empty one. */
int text_compare(struct text a, struct text b);
bool text_starts_with(struct text text, const char *prefix);

/* A copy in the arena, with a NUL behind it; the absent text stays absent. */
struct text text_copy(struct arena *arena, struct text text);
/* A formatted text in the arena, with a NUL behind it. */
struct text text_format(struct arena *arena, const char *format, ...) ALLOT_PRINTF(2, 3);
struct text text_vformat(struct arena *arena, const char *format, va_list arguments)
    ALLOT_PRINTF(2, 0);

#endif
