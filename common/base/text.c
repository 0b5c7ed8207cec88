/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct text text_of(const char *string)
{
    return (struct text){string, string != NULL ? strlen(string) : 0};
}

struct text text_view(const char *bytes, size_t length)
{
    return (struct text){bytes, length};
}

bool text_present(struct text text)
{
    return text.bytes != NULL;
}

bool text_equal(struct text a, struct text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

bool text_is(struct text text, const char *string)
{
    return text_equal(text, text_of(string));
}

int text_compare(struct text a, struct text b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common > 0 ? memcmp(a.bytes, b.bytes, common) : 0;
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

bool text_starts_with(struct text text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text.length >= length && (length == 0 || memcmp(text.bytes, prefix, length) == 0);
}

struct text text_copy(struct arena *arena, struct text text)
{
    if (text.bytes == NULL)
        return TEXT_NONE;
    char *copy = arena_alloc(arena, text.length + 1);
    if (text.length > 0)
        memcpy(copy, text.bytes, text.length);
    return (struct text){copy, text.length};
}

struct text text_vformat(struct arena *arena, const char *format, va_list arguments)
{
    va_list copy;
    va_copy(copy, arguments);
    int length = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    assert(length >= 0);
    char *bytes = arena_alloc(arena, (size_t)length + 1);
    (void)vsnprintf(bytes, (size_t)length + 1, format, arguments);
    return (struct text){bytes, (size_t)length};
}

struct text text_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct text text = text_vformat(arena, format, arguments);
    va_end(arguments);
    return text;
}
