/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/outgoing_headers.h"

#include <string.h>

#include "allot/limits.h"
#include "common/codec/field_table.h"
#include "common/codec/text_cut.h"

enum {
    /* Frame: type, channel, size, end. Content header: class, weight, body size, flags. Properties:
       delivery mode, priority, timestamp. */
    FIXED_BYTES = 1 + 2 + 4 + 1 + 2 + 2 + 8 + 2 + 1 + 1 + 8
};

static size_t text_bytes(struct text text)
{
    return text_present(text) ? 1 + text.length : 0;
}

/* Returns the size of the frame with the content header, without the table of headers. */
static size_t properties_bytes(const struct properties *properties)
{
    size_t bytes = FIXED_BYTES;
#define X(member, constant) bytes += text_bytes(properties->member);
    TEXT_PROPERTIES(X)
#undef X
    return bytes;
}

static struct text detail_without_original(struct arena *arena, struct text detail)
{
    struct text whole = text_format(arena, "original headers left out: too large%s%.*s",
                                    detail.length > 0 ? "; " : "", TEXT_ARGS(detail));
    return text_cut(whole, DEAD_DETAIL_BYTES_MAX);
}

/* `left_out`: the message has original headers, but they are not in `original`. */
static struct text encode(struct arena *arena, const struct outgoing *outgoing,
                          struct text original, bool left_out)
{
    size_t count = outgoing->header_count;
    struct outgoing_header *headers = ARENA_ARRAY(arena, struct outgoing_header, count + 1);
    for (size_t i = 0; i < count; i++) {
        headers[i] = outgoing->headers[i];
        if (left_out && strcmp(headers[i].name, DETAIL_HEADER) == 0)
            headers[i].text = detail_without_original(arena, headers[i].text);
    }
    headers[count] = (struct outgoing_header){
        .name = SEQUENCE_HEADER, .kind = OUTGOING_INTEGER, .integer = (int64_t)outgoing->sequence};
    return field_table_merge(arena, original, headers, count + 1);
}

static bool is_original(struct text name)
{
    if (text_is(name, "x-allot-deadline"))
        return true;
    return !text_starts_with(name, "x-allot-") && !text_is(name, "x-death") &&
           !text_starts_with(name, "x-first-death-") && !text_starts_with(name, "x-last-death-");
}

struct text outgoing_headers_original(struct arena *arena, struct text raw_headers)
{
    if (!text_present(raw_headers))
        return TEXT_NONE;
    return field_table_filter(arena, raw_headers, is_original);
}

struct text outgoing_headers_encode(struct arena *arena, const struct outgoing *outgoing,
                                    size_t frame_bytes)
{
    struct text headers = encode(arena, outgoing, outgoing->raw_headers, false);
    if (headers.length + properties_bytes(&outgoing->properties) <= frame_bytes)
        return headers;
    return outgoing_headers_without_original(arena, outgoing);
}

struct text outgoing_headers_without_original(struct arena *arena, const struct outgoing *outgoing)
{
    return encode(arena, outgoing, TEXT_NONE, text_present(outgoing->raw_headers));
}

uint64_t outgoing_headers_sequence(struct text raw_headers)
{
    struct field field;
    if (!field_table_find(raw_headers, SEQUENCE_HEADER, &field) || field.kind != FIELD_INTEGER)
        return 0;
    return (uint64_t)field.integer;
}
