/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes HTML. Whatever is not part of the program goes through html_text(), which escapes it; only
 * literals can be written as they are. So no text of a letter, a provider or an error can become an
 * element, an attribute or a script.
 */
#ifndef ALLOT_CTL_WEB_HTML_H
#define ALLOT_CTL_WEB_HTML_H

#include <stdint.h>

#include "common/base/text.h"

struct html {
    struct arena *arena; /* borrowed; has the buffer */
    char *bytes;
    size_t length;
    size_t capacity;
};

struct html html_new(struct arena *arena);
/* Returns what was written so far, borrowed until the next write. */
struct text html_result(const struct html *html);

/* Writes a string literal as it is. Nothing else compiles. */
#define html_raw(html, literal) html_add((html), "" literal "", sizeof(literal) - 1)

/*
 * Writes a text so that it shows itself and is nothing else, in an element or in an attribute
 * between double quotes. Control characters but tab and line feed, and those that change the
 * direction of the text (common/base/utf8.h), become an escape that shows: \u202e. Bytes that are
 * not UTF-8 become U+FFFD.
 */
void html_text(struct html *html, struct text text);
void html_string(struct html *html, const char *string);
/* Writes what printf() would, escaped. */
void html_format(struct html *html, const char *format, ...) ALLOT_PRINTF(2, 3);
void html_integer(struct html *html, int64_t value);

/* Writes a text as a part of a URL: all but letters, digits and -._~ becomes %XX. */
void html_url(struct html *html, struct text text);

/* Writes an attribute with a blank before it. The name is a literal. */
#define html_attribute(html, name, value)                                                          \
    do {                                                                                           \
        html_raw((html), " " name "=\"");                                                          \
        html_text((html), (value));                                                                \
        html_raw((html), "\"");                                                                    \
    } while (0)

/* For html_raw() only. */
void html_add(struct html *html, const char *bytes, size_t length);

#endif
