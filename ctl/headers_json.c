/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/headers_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/codec/base64.h"

enum { DEPTH_MAX = 16, LENGTH_BYTES = 4 };

static void write_value(struct json_writer *writer, const struct field *field, int depth);

static uint64_t big_endian(const char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | (uint8_t)bytes[i];
    return value;
}

static void write_number(struct json_writer *writer, double number, int digits)
{
    char text[64];
    if (!isfinite(number)) {
        json_write_null(writer);
        return;
    }
    (void)snprintf(text, sizeof text, "%.*g", digits, number);
    json_write_raw(writer, text_of(text));
}

/* Both floats are of IEEE 754, in network order. */
static void write_float(struct json_writer *writer, const char *bytes)
{
    uint32_t bits = (uint32_t)big_endian(bytes, sizeof bits);
    float number = 0;
    memcpy(&number, &bits, sizeof number);
    write_number(writer, (double)number, 9);
}

static void write_double(struct json_writer *writer, const char *bytes)
{
    uint64_t bits = big_endian(bytes, sizeof bits);
    double number = 0;
    memcpy(&number, &bits, sizeof number);
    write_number(writer, number, 17);
}

/* A decimal: the number of digits behind the point, then all digits as a signed number. */
static void write_decimal(struct json_writer *writer, const char *bytes)
{
    char text[64];
    unsigned scale = (uint8_t)bytes[0];
    (void)snprintf(text, sizeof text, "%de-%u", (int)(int32_t)big_endian(bytes + 1, 4), scale);
    json_write_raw(writer, text_of(text));
}

/*
 * An element is a field without a name. So this sets the byte before each element to 0, which is an
 * empty name, and field_table_next() does the work. It overwrites a copy, in which that byte
 * belongs to an element that is written already.
 */
static void write_array(struct json_writer *writer, struct text items, int depth)
{
    char *copy = arena_alloc(writer->arena, items.length + 1);
    if (items.length > 0)
        memcpy(copy + 1, items.bytes, items.length);
    struct field_cursor cursor = {copy, copy + items.length + 1};
    struct field field;
    json_write_open(writer, '[');
    while (cursor.end - cursor.at > 1 && field_table_next(&cursor, &field)) {
        write_value(writer, &field, depth);
        cursor.at--;
        copy[cursor.at - copy] = '\0';
    }
    if (cursor.end - cursor.at > 1)
        json_write_null(writer);
    json_write_close(writer, ']');
}

static void write_table(struct json_writer *writer, struct text table, int depth)
{
    struct field_cursor cursor = field_table_begin(table);
    struct field field;
    json_write_open(writer, '{');
    while (field_table_next(&cursor, &field)) {
        json_write_key(writer, field.name);
        write_value(writer, &field, depth);
    }
    json_write_close(writer, '}');
}

/* Writes a value of a kind that field_table.h leaves encoded: `value` begins with the kind. */
static void write_encoded(struct json_writer *writer, struct text value, int depth)
{
    const char *bytes = value.bytes + 1;
    struct text content = text_view(bytes, value.length - 1);
    struct text items = value.length > LENGTH_BYTES
                            ? text_view(bytes + LENGTH_BYTES, content.length - LENGTH_BYTES)
                            : TEXT_NONE;
    switch (value.bytes[0]) {
    case 'A': write_array(writer, items, depth); return;
    case 'F': write_table(writer, content, depth); return;
    case 'x': json_write_text(writer, base64_encode(writer->arena, items)); return;
    case 'T': json_write_integer(writer, (int64_t)big_endian(bytes, 8)); return;
    case 'f': write_float(writer, bytes); return;
    case 'd': write_double(writer, bytes); return;
    case 'D': write_decimal(writer, bytes); return;
    default: json_write_null(writer); return;
    }
}

static void write_value(struct json_writer *writer, const struct field *field, int depth)
{
    size_t name_bytes = 1 + field->name.length;
    struct text value =
        text_view(field->encoded.bytes + name_bytes, field->encoded.length - name_bytes);
    switch (field->kind) {
    case FIELD_BOOLEAN: json_write_boolean(writer, field->integer != 0); return;
    case FIELD_INTEGER: json_write_integer(writer, field->integer); return;
    case FIELD_TEXT: json_write_text(writer, field->text); return;
    case FIELD_OTHER: break;
    }
    if (depth == DEPTH_MAX)
        json_write_null(writer);
    else
        write_encoded(writer, value, depth + 1);
}

void headers_json_write_value(struct json_writer *writer, const struct field *field)
{
    write_value(writer, field, 0);
}

void headers_json_write(struct json_writer *writer, struct text table)
{
    write_table(writer, table, 0);
}
