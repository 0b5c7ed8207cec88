/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/letter_redact.h"

#include <string.h>

#include "common/codec/field_table.h"

enum { LENGTH_BYTES = 4 };

static struct text trimmed(struct text name)
{
    while (name.length > 0 && *name.bytes == ' ')
        name = text_view(name.bytes + 1, name.length - 1);
    while (name.length > 0 && name.bytes[name.length - 1] == ' ')
        name.length--;
    return name;
}

static bool is_in_list(struct text names, struct text name)
{
    const char *at = names.bytes, *end = names.bytes + names.length;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;
        if (text_equal(trimmed(text_view(at, (size_t)(stop - at))), name))
            return true;
        at = stop + 1;
    }
    return false;
}

/* Appends the entry without its value: name and kind. */
static size_t append_void(char *out, struct text name)
{
    out[0] = (char)name.length;
    memcpy(out + 1, name.bytes, name.length);
    out[1 + name.length] = 'V';
    return 2 + name.length;
}

static struct text redacted_headers(struct arena *arena, struct text names, struct text headers)
{
    struct field_cursor cursor = field_table_begin(headers);
    struct field field;
    char *out = arena_alloc(arena, LENGTH_BYTES + headers.length);
    size_t length = LENGTH_BYTES;
    while (field_table_next(&cursor, &field)) {
        if (is_in_list(names, field.name)) {
            length += append_void(out + length, field.name);
        } else {
            memcpy(out + length, field.encoded.bytes, field.encoded.length);
            length += field.encoded.length;
        }
    }
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        out[i] = (char)((length - LENGTH_BYTES) >> (8 * (LENGTH_BYTES - 1 - i)));
    return text_view(out, length);
}

struct letter_redaction letter_redaction_of(const struct settings *settings)
{
    return (struct letter_redaction){.body = !settings->letters_keep_body,
                                     .headers = settings->letters_redact_headers};
}

void letter_redact(struct arena *arena, const struct letter_redaction *redaction,
                   struct letter *letter)
{
    if (redaction->headers.length > 0 && text_present(letter->raw_headers))
        letter->raw_headers = redacted_headers(arena, redaction->headers, letter->raw_headers);
    if (is_in_list(redaction->headers, text_of("traceparent")))
        letter->traceparent = TEXT_NONE; /* it is a header too */
    if (redaction->body) {
        letter->body = TEXT_NONE;
        letter->body_dropped = true;
    }
}
