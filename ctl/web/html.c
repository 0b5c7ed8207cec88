/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/html.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

enum { FIRST_CAPACITY = 16 * 1024 };

#define REPLACEMENT "\xEF\xBF\xBD"

struct html html_new(struct arena *arena)
{
    return (struct html){
        .arena = arena, .bytes = arena_alloc(arena, FIRST_CAPACITY), .capacity = FIRST_CAPACITY};
}

struct text html_result(const struct html *html)
{
    return text_view(html->bytes, html->length);
}

void html_add(struct html *html, const char *bytes, size_t length)
{
    if (html->capacity - html->length < length) {
        size_t capacity = (html->capacity + length) * 2;
        char *larger = arena_alloc(html->arena, capacity);
        memcpy(larger, html->bytes, html->length);
        html->bytes = larger;
        html->capacity = capacity;
    }
    memcpy(html->bytes + html->length, bytes, length);
    html->length += length;
}

/* Returns what stands for a character of ASCII; NULL: itself. */
static const char *entity(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

static void add_control(struct html *html, struct text sequence)
{
    char escape[16];
    int length = snprintf(escape, sizeof escape, "\\u%04" PRIx32, utf8_code_point(sequence));
    html_add(html, escape, (size_t)length);
}

/* Writes the first code point, or one byte that begins none. Returns its length. */
static size_t add_code_point(struct html *html, struct text text)
{
    const char *replaced = entity(text.bytes[0]);
    size_t length = utf8_sequence(text);
    if (replaced != NULL)
        html_add(html, replaced, strlen(replaced));
    else if (length == 0)
        html_raw(html, REPLACEMENT);
    else if (text.bytes[0] != '\n' && text.bytes[0] != '\t' &&
             utf8_is_control(text_view(text.bytes, length)))
        add_control(html, text_view(text.bytes, length));
    else
        html_add(html, text.bytes, length);
    return length > 0 ? length : 1;
}

static bool is_plain(char c)
{
    return c >= ' ' && c <= '~' && entity(c) == NULL;
}

void html_text(struct html *html, struct text text)
{
    while (text.length > 0) {
        size_t length = 0;
        while (length < text.length && is_plain(text.bytes[length]))
            length++;
        if (length > 0)
            html_add(html, text.bytes, length);
        else
            length = add_code_point(html, text);
        text = text_view(text.bytes + length, text.length - length);
    }
}

void html_string(struct html *html, const char *string)
{
    html_text(html, text_of(string));
}

void html_format(struct html *html, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    html_text(html, text_vformat(html->arena, format, arguments));
    va_end(arguments);
}

void html_integer(struct html *html, int64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    html_add(html, digits, (size_t)length);
}

void html_url(struct html *html, struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        char escape[4];
        if (c < 0x80 && (isalnum(c) != 0 || (c != '\0' && strchr("-._~", c) != NULL))) {
            html_add(html, &text.bytes[i], 1);
        } else {
            (void)snprintf(escape, sizeof escape, "%%%02X", c);
            html_add(html, escape, 3);
        }
    }
}
