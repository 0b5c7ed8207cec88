/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor walks over the entries of an encoded table; everything else is built on it. read_fixed
 * reads values whose kind has a fixed size (FIXED_KINDS), read_sized those with a length. Arrays
 * and tables are skipped by their length, never entered: the time is linear and the stack constant.
 * field_table_merge and field_table_without copy entries as they are encoded, so that the headers
 * of a dead letter are those of the original, byte for byte.
 *
 * Malformed input ends the walk; no byte beyond the table is read. Integers of
 * every width become int64_t; no other value is converted.
 *
 * Why not amqp_decode_table of librabbitmq: in 0.11 it recurses without a limit, and 20,000 nested
 * arrays, which RabbitMQ accepts, overflow a thread's stack of 512 KiB. It also builds a tree;
 * encoding the tree may give other bytes than the original's.
 */
#include "common/codec/field_table.h"

#include <assert.h>
#include <string.h>

#include "common/codec/traceparent.h"

enum { LENGTH_BYTES = 4, INTEGER_BYTES = 8 };

static uint64_t read_big_endian(const char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | (uint8_t)bytes[i];
    return value;
}

static char *write_big_endian(char *at, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        at[i] = (char)(value >> (8 * (count - 1 - i)));
    return at + count;
}

struct field_cursor field_table_begin(struct text table)
{
    if (table.bytes == NULL || table.length < LENGTH_BYTES)
        return (struct field_cursor){NULL, NULL};
    uint64_t length = read_big_endian(table.bytes, LENGTH_BYTES);
    if (length > table.length - LENGTH_BYTES)
        return (struct field_cursor){NULL, NULL};
    const char *first = table.bytes + LENGTH_BYTES;
    return (struct field_cursor){first, first + length};
}

/*
 * X(kind on the wire, bytes of the value, kind, whether it is signed). RabbitMQ differs from the
 * specification: 's' is a signed 16-bit integer, not a short string, and 'l' is signed.
 */
#define FIXED_KINDS(X)                                                                             \
    X('t', 1, FIELD_BOOLEAN, false)                                                                \
    X('b', 1, FIELD_INTEGER, true)                                                                 \
    X('B', 1, FIELD_INTEGER, false)                                                                \
    X('s', 2, FIELD_INTEGER, true)                                                                 \
    X('u', 2, FIELD_INTEGER, false)                                                                \
    X('I', 4, FIELD_INTEGER, true)                                                                 \
    X('i', 4, FIELD_INTEGER, false)                                                                \
    X('l', 8, FIELD_INTEGER, true)                                                                 \
    X('L', 8, FIELD_INTEGER, false)                                                                \
    X('f', 4, FIELD_OTHER, false)                                                                  \
    X('d', 8, FIELD_OTHER, false)                                                                  \
    X('D', 5, FIELD_OTHER, false)                                                                  \
    X('T', 8, FIELD_OTHER, false)                                                                  \
    X('V', 0, FIELD_OTHER, false)

struct fixed_kind {
    char wire;
    uint8_t bytes;
    enum field_kind kind;
    bool is_signed;
};

static const struct fixed_kind *fixed_kind_of(char wire)
{
    static const struct fixed_kind kinds[] = {
#define X(wire, bytes, kind, is_signed) {wire, bytes, kind, is_signed},
        FIXED_KINDS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].wire == wire)
            return &kinds[i];
    }
    return NULL;
}

static int64_t integer_of(uint64_t value, const struct fixed_kind *kind)
{
    if (!kind->is_signed)
        return value > INT64_MAX ? INT64_MAX : (int64_t)value;
    unsigned int unused = 64U - 8U * kind->bytes;
    return (int64_t)(value << unused) >> unused; /* extends the sign */
}

static bool read_fixed(const char **at, const char *end, const struct fixed_kind *kind,
                       struct field *field)
{
    if (end - *at < kind->bytes)
        return false;
    field->kind = kind->kind;
    if (kind->kind == FIELD_INTEGER)
        field->integer = integer_of(read_big_endian(*at, kind->bytes), kind);
    else if (kind->kind == FIELD_BOOLEAN)
        field->integer = **at != 0;
    *at += kind->bytes;
    return true;
}

static bool read_sized(const char **at, const char *end, char wire, struct field *field)
{
    if (wire != 'S' && wire != 'A' && wire != 'F' && wire != 'x')
        return false;
    if (end - *at < LENGTH_BYTES)
        return false;
    uint64_t length = read_big_endian(*at, LENGTH_BYTES);
    *at += LENGTH_BYTES;
    if (length > (uint64_t)(end - *at))
        return false;
    field->kind = wire == 'S' ? FIELD_TEXT : FIELD_OTHER;
    field->text = wire == 'S' ? text_view(*at, (size_t)length) : TEXT_NONE;
    *at += length;
    return true;
}

bool field_table_next(struct field_cursor *cursor, struct field *ret_field)
{
    const char *at = cursor->at;
    if (at == cursor->end)
        return false;
    size_t name_length = (uint8_t)*at++;
    if ((size_t)(cursor->end - at) < name_length + 1)
        return false;
    struct field field = {.name = text_view(at, name_length)};
    at += name_length;
    char wire = *at++;
    const struct fixed_kind *kind = fixed_kind_of(wire);
    bool read = kind != NULL ? read_fixed(&at, cursor->end, kind, &field)
                             : read_sized(&at, cursor->end, wire, &field);
    if (!read)
        return false;
    field.encoded = text_view(cursor->at, (size_t)(at - cursor->at));
    cursor->at = at;
    *ret_field = field;
    return true;
}

bool field_table_find(struct text table, const char *name, struct field *ret_field)
{
    struct field_cursor cursor = field_table_begin(table);
    struct field field;
    while (field_table_next(&cursor, &field)) {
        if (text_is(field.name, name)) {
            *ret_field = field;
            return true;
        }
    }
    return false;
}

bool field_table_well_formed(struct text table)
{
    struct field_cursor cursor = field_table_begin(table);
    if (cursor.at == NULL || cursor.end != table.bytes + table.length)
        return false;
    struct field field;
    while (field_table_next(&cursor, &field))
        continue;
    return cursor.at == cursor.end;
}

static bool is_named(struct text name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text_is(name, names[i]))
            return true;
    }
    return false;
}

/* Copies to `at` the entries whose names are not in `names`. Returns the place behind them. */
static char *copy_entries(char *at, struct text table, const char *const *names, size_t count)
{
    struct field_cursor cursor = field_table_begin(table);
    struct field field;
    while (field_table_next(&cursor, &field)) {
        if (is_named(field.name, names, count))
            continue;
        memcpy(at, field.encoded.bytes, field.encoded.length);
        at += field.encoded.length;
    }
    return at;
}

/* Writes the length in front of the entries, which end at `end`. */
static struct text finish_table(char *bytes, const char *end)
{
    size_t length = (size_t)(end - bytes);
    write_big_endian(bytes, length - LENGTH_BYTES, LENGTH_BYTES);
    return text_view(bytes, length);
}

static size_t encoded_bytes_max(const struct outgoing_header *header)
{
    return 1 + strlen(header->name) + 1 + INTEGER_BYTES + LENGTH_BYTES + header->text.length;
}

static char *write_header(char *at, const struct outgoing_header *header)
{
    size_t length = strlen(header->name);
    assert(length <= FIELD_NAME_BYTES_MAX);
    *at++ = (char)length;
    at = (char *)memcpy(at, header->name, length) + length;
    switch (header->kind) {
    case OUTGOING_BOOL: *at++ = 't'; return write_big_endian(at, header->integer != 0, 1);
    case OUTGOING_INTEGER:
        *at++ = 'l';
        return write_big_endian(at, (uint64_t)header->integer, INTEGER_BYTES);
    case OUTGOING_TEXT:
        *at++ = 'S';
        at = write_big_endian(at, header->text.length, LENGTH_BYTES);
        if (header->text.length > 0)
            memcpy(at, header->text.bytes, header->text.length);
        return at + header->text.length;
    }
    return at;
}

struct text field_table_merge(struct arena *arena, struct text table,
                              const struct outgoing_header *headers, size_t count)
{
    const char **names = ARENA_ARRAY(arena, const char *, count);
    size_t room = LENGTH_BYTES + table.length;
    for (size_t i = 0; i < count; i++) {
        names[i] = headers[i].name;
        room += encoded_bytes_max(&headers[i]);
    }
    char *bytes = arena_alloc(arena, room);
    char *at = copy_entries(bytes + LENGTH_BYTES, table, names, count);
    for (size_t i = 0; i < count; i++)
        at = write_header(at, &headers[i]);
    return finish_table(bytes, at);
}

struct text field_table_without(struct arena *arena, struct text table, const char *const *names,
                                size_t count)
{
    char *bytes = arena_alloc(arena, LENGTH_BYTES + table.length);
    return finish_table(bytes, copy_entries(bytes + LENGTH_BYTES, table, names, count));
}

struct text field_table_filter(struct arena *arena, struct text table,
                               bool (*keeps)(struct text name))
{
    char *bytes = arena_alloc(arena, LENGTH_BYTES + table.length);
    char *at = bytes + LENGTH_BYTES;
    struct field_cursor cursor = field_table_begin(table);
    struct field field;
    while (field_table_next(&cursor, &field)) {
        if (!keeps(field.name))
            continue;
        memcpy(at, field.encoded.bytes, field.encoded.length);
        at += field.encoded.length;
    }
    return finish_table(bytes, at);
}

void field_table_read_delivery(struct delivery *delivery)
{
    struct text table = delivery->raw_headers;
    struct field field;
    delivery->deadline = HEADER_ABSENT;
    delivery->deadline_ms = 0;
    if (field_table_find(table, "x-allot-deadline", &field)) {
        delivery->deadline = field.kind == FIELD_INTEGER ? HEADER_INTEGER : HEADER_WRONG_TYPE;
        delivery->deadline_ms = field.kind == FIELD_INTEGER ? field.integer : 0;
    }

    delivery->traceparent = TEXT_NONE;
    if (field_table_find(table, "traceparent", &field) && field.kind == FIELD_TEXT &&
        traceparent_well_formed(field.text))
        delivery->traceparent = field.text;
}
