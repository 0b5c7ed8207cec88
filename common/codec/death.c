/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/death.h"

#include "common/codec/field_table.h"

enum { LENGTH_BYTES = 4, TIME_BYTES = 8 };

/* The value of an entry, with its kind in front. */
static struct text value_of(const struct field *field)
{
    size_t before = 1 + field->name.length;
    return text_view(field->encoded.bytes + before, field->encoded.length - before);
}

static struct text skip(struct text bytes, size_t count)
{
    return text_view(bytes.bytes + count, bytes.length - count);
}

/* Returns the first item of an array, with its kind in front; absent if there is none of that kind.
   The lengths inside an item are for the caller to check. */
static struct text first_item(struct text array, char kind)
{
    if (array.length < 1 + LENGTH_BYTES + 1 + LENGTH_BYTES || array.bytes[0] != 'A' ||
        array.bytes[1 + LENGTH_BYTES] != kind)
        return TEXT_NONE;
    return skip(array, 1 + LENGTH_BYTES);
}

static int64_t read_integer(struct text bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | (uint8_t)bytes.bytes[i];
    return (int64_t)value;
}

static struct text read_routing_key(const struct field *field)
{
    struct text item = first_item(value_of(field), 'S');
    if (!text_present(item))
        return TEXT_NONE;
    uint64_t length = (uint64_t)read_integer(skip(item, 1), LENGTH_BYTES);
    struct text rest = skip(item, 1 + LENGTH_BYTES);
    return length <= rest.length ? text_view(rest.bytes, (size_t)length) : TEXT_NONE;
}

static void read_member(const struct field *field, struct death *death)
{
    struct text value = value_of(field);
    if (text_is(field->name, "reason"))
        death->reason = field->text;
    else if (text_is(field->name, "queue"))
        death->queue = field->text;
    else if (text_is(field->name, "exchange"))
        death->exchange = field->text;
    else if (text_is(field->name, "count"))
        death->count = field->integer;
    else if (text_is(field->name, "routing-keys"))
        death->routing_key = read_routing_key(field);
    else if (text_is(field->name, "time") && value.bytes[0] == 'T')
        death->at_s = read_integer(skip(value, 1), TIME_BYTES);
}

bool death_read(struct text raw_headers, struct death *ret_death)
{
    struct field field;
    *ret_death = (struct death){0};
    if (!field_table_find(raw_headers, "x-death", &field))
        return false;
    struct text event = first_item(value_of(&field), 'F');
    struct field_cursor cursor =
        field_table_begin(text_present(event) ? skip(event, 1) : TEXT_NONE);
    while (field_table_next(&cursor, &field))
        read_member(&field, ret_death);
    return true;
}
