/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/properties.h"

#include <assert.h>
#include <stddef.h>

enum {
    SHORT_STRING_MAX = 255,
    COPY_SLACK = 32, /* a NUL, and the arena's alignment */
    TABLE_LENGTH_BYTES = 4
};

struct text_property {
    size_t ours;
    size_t theirs;
    amqp_flags_t flag;
};

static const struct text_property text_properties[] = {
#define X(member, constant)                                                                        \
    {offsetof(struct properties, member), offsetof(amqp_basic_properties_t, member),               \
     AMQP_BASIC_##constant##_FLAG},
    TEXT_PROPERTIES(X)
#undef X
};

enum { TEXT_PROPERTY_COUNT = sizeof text_properties / sizeof text_properties[0] };

static amqp_bytes_t theirs(const amqp_basic_properties_t *properties, size_t index)
{
    return *(const amqp_bytes_t *)((const char *)properties + text_properties[index].theirs);
}

static bool is_set(const amqp_basic_properties_t *properties, size_t index)
{
    return (properties->_flags & text_properties[index].flag) != 0;
}

amqp_bytes_t bytes_of(struct text text)
{
    /* librabbitmq only reads the bytes; its type lacks the const. */
    return (amqp_bytes_t){text.length, (void *)(uintptr_t)text.bytes};
}

struct text text_of_bytes(amqp_bytes_t bytes)
{
    return text_view(bytes.bytes != NULL ? bytes.bytes : "", bytes.len);
}

size_t properties_bytes(const amqp_basic_properties_t *properties)
{
    size_t bytes = 0;
    for (size_t i = 0; i < TEXT_PROPERTY_COUNT; i++) {
        if (is_set(properties, i))
            bytes += theirs(properties, i).len + COPY_SLACK;
    }
    return bytes;
}

struct properties properties_copy(struct arena *arena, const amqp_basic_properties_t *properties)
{
    struct properties copy = {0};
    for (size_t i = 0; i < TEXT_PROPERTY_COUNT; i++) {
        struct text *ours = (struct text *)(void *)((char *)&copy + text_properties[i].ours);
        if (is_set(properties, i))
            *ours = text_copy(arena, text_of_bytes(theirs(properties, i)));
    }
    copy.has_priority = (properties->_flags & AMQP_BASIC_PRIORITY_FLAG) != 0;
    copy.priority = copy.has_priority ? properties->priority : 0;
    copy.has_timestamp = (properties->_flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0;
    copy.timestamp = copy.has_timestamp ? properties->timestamp : 0;
    return copy;
}

amqp_basic_properties_t properties_encode(const struct properties *properties)
{
    amqp_basic_properties_t encoded = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                       .delivery_mode = AMQP_DELIVERY_PERSISTENT};
    for (size_t i = 0; i < TEXT_PROPERTY_COUNT; i++) {
        const struct text *ours =
            (const struct text *)(const void *)((const char *)properties + text_properties[i].ours);
        if (!text_present(*ours))
            continue;
        assert(ours->length <= SHORT_STRING_MAX);
        *(amqp_bytes_t *)(void *)((char *)&encoded + text_properties[i].theirs) = bytes_of(*ours);
        encoded._flags |= text_properties[i].flag;
    }
    if (properties->has_priority) {
        encoded.priority = properties->priority;
        encoded._flags |= AMQP_BASIC_PRIORITY_FLAG;
    }
    if (properties->has_timestamp) {
        encoded.timestamp = properties->timestamp;
        encoded._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
    }
    return encoded;
}

/* Returns the offset behind the short string at `at`, if there is one. */
static size_t skip_short_string(const uint8_t *raw, size_t length, size_t at, bool present)
{
    if (!present || at >= length)
        return at;
    return at + 1 + raw[at];
}

/*
 * librabbitmq gives the headers decoded, as a tree. This finds the encoded ones, for two reasons: a
 * dead letter carries the original headers unchanged, and reading encoded headers takes no stack,
 * however deeply they nest. Flags, content type and content encoding come before the headers.
 */
struct text properties_raw_headers(amqp_bytes_t raw)
{
    const uint8_t *bytes = raw.bytes;
    if (raw.len < 2)
        return TEXT_NONE;
    unsigned int flags = (unsigned int)bytes[0] << 8 | bytes[1];
    if ((flags & AMQP_BASIC_HEADERS_FLAG) == 0 || (flags & 1) != 0)
        return TEXT_NONE;
    size_t at = skip_short_string(bytes, raw.len, 2, (flags & AMQP_BASIC_CONTENT_TYPE_FLAG) != 0);
    at = skip_short_string(bytes, raw.len, at, (flags & AMQP_BASIC_CONTENT_ENCODING_FLAG) != 0);
    if (raw.len < at + TABLE_LENGTH_BYTES)
        return TEXT_NONE;
    size_t length = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                    (size_t)bytes[at + 2] << 8 | bytes[at + 3];
    if (length > raw.len - at - TABLE_LENGTH_BYTES)
        return TEXT_NONE;
    return text_view((const char *)bytes + at, TABLE_LENGTH_BYTES + length);
}
