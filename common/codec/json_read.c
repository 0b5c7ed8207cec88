/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/json_read.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t digits_of(size_t number)
{
    size_t digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

static bool is_escaped(char c)
{
    return c == '~' || c == '/';
}

static size_t token_length(const struct json_place *place)
{
    if (!text_present(place->key))
        return digits_of(place->index);
    size_t length = place->key.length;
    for (size_t i = 0; i < place->key.length; i++)
        length += is_escaped(place->key.bytes[i]);
    return length;
}

/* The token is written so that it ends before `end`; the result is where it starts. */
static char *token_before(char *end, const struct json_place *place)
{
    if (!text_present(place->key)) {
        size_t number = place->index;
        for (size_t digits = digits_of(number); digits > 0; digits--) {
            *--end = (char)('0' + number % 10);
            number /= 10;
        }
        return end;
    }
    for (size_t i = place->key.length; i > 0; i--) {
        char c = place->key.bytes[i - 1];
        if (is_escaped(c))
            *--end = c == '~' ? '0' : '1';
        *--end = is_escaped(c) ? '~' : c;
    }
    return end;
}

static struct text pointer_to(struct arena *arena, const struct json_place *place)
{
    size_t length = 0;
    for (const struct json_place *p = place; p->parent != NULL; p = p->parent)
        length += 1 + token_length(p);
    char *bytes = arena_alloc(arena, length + 1);
    char *end = bytes + length;
    for (const struct json_place *p = place; p->parent != NULL; p = p->parent) {
        end = token_before(end, p);
        *--end = '/';
    }
    assert(end == bytes);
    return text_view(bytes, length);
}

bool json_fail(struct json_reader *reader, const struct json_place *place, const char *reason)
{
    if (text_present(reader->pointer))
        return false;
    reader->pointer = pointer_to(reader->arena, place);
    reader->reason = reason;
    return false;
}

struct json_place json_member(const struct json_place *object, const char *name)
{
    return (struct json_place){
        .parent = object,
        .key = text_of(name),
        .value = json_object_get(object->value, name),
    };
}

bool json_present(const struct json_place *place)
{
    return place->value != NULL;
}

bool json_given(const struct json_place *place)
{
    return place->value != NULL && !json_is_null(place->value);
}

struct text json_text(const json_t *string)
{
    return text_view(json_string_value(string), json_string_length(string));
}

static bool wrong_type(struct json_reader *reader, const struct json_place *place,
                       const char *reason)
{
    return json_fail(reader, place, json_present(place) ? reason : "is missing");
}

static bool is_one_of(struct text key, const char *const *known)
{
    for (; *known != NULL; known++) {
        if (text_is(key, *known))
            return true;
    }
    return false;
}

/* jansson's iteration wants an object that it could change; none of these changes it. */
static void *first_member(const struct json_place *object)
{
    return json_object_iter((json_t *)object->value);
}

static void *next_member(const struct json_place *object, void *member)
{
    return json_object_iter_next((json_t *)object->value, member);
}

static struct json_place place_of(const struct json_place *object, void *member)
{
    return (struct json_place){
        .parent = object,
        .key = text_view(json_object_iter_key(member), json_object_iter_key_len(member)),
        .value = json_object_iter_value(member),
    };
}

bool json_read_object(struct json_reader *reader, const struct json_place *place,
                      const char *const *known)
{
    if (!json_is_object(place->value))
        return wrong_type(reader, place, "must be an object");
    for (void *m = first_member(place); m != NULL; m = next_member(place, m)) {
        struct json_place member = place_of(place, m);
        if (!is_one_of(member.key, known))
            return json_fail(reader, &member, "is not a known member");
    }
    return true;
}

/* All members in the order of the body, their keys not yet judged. */
static bool read_entries(struct json_reader *reader, const struct json_place *place,
                         struct json_size size, struct json_entries *ret_entries)
{
    if (!json_is_object(place->value))
        return wrong_type(reader, place, "must be an object");
    size_t count = json_object_size(place->value);
    if (count < size.least || count > size.most)
        return json_fail(reader, place, size.reason);
    struct json_entry *items = ARENA_ARRAY(reader->arena, struct json_entry, count);
    size_t i = 0;
    for (void *m = first_member(place); m != NULL; m = next_member(place, m))
        items[i++].place = place_of(place, m);
    *ret_entries = (struct json_entries){items, count};
    return true;
}

static int by_uuid(const void *a, const void *b)
{
    const struct json_entry *left = a;
    const struct json_entry *right = b;
    return uuid_compare(left->uuid, right->uuid);
}

static int by_key(const void *a, const void *b)
{
    const struct json_entry *left = a;
    const struct json_entry *right = b;
    return text_compare(left->place.key, right->place.key);
}

bool json_read_uuid_keys(struct json_reader *reader, const struct json_place *place,
                         struct json_size size, struct json_entries *ret_entries)
{
    struct json_entries entries = {NULL, 0};
    if (!read_entries(reader, place, size, &entries))
        return false;
    for (size_t i = 0; i < entries.count; i++) {
        if (!uuid_parse(entries.items[i].place.key, &entries.items[i].uuid))
            return json_fail(reader, &entries.items[i].place, "its name must be a UUID");
    }
    qsort(entries.items, entries.count, sizeof *entries.items, by_uuid);
    for (size_t i = 1; i < entries.count; i++) {
        if (uuid_equal(entries.items[i - 1].uuid, entries.items[i].uuid))
            return json_fail(reader, &entries.items[i].place, "names a UUID for the second time");
    }
    *ret_entries = entries;
    return true;
}

bool json_read_text_keys(struct json_reader *reader, const struct json_place *place,
                         struct json_size size, json_key_check check,
                         struct json_entries *ret_entries)
{
    struct json_entries entries = {NULL, 0};
    if (!read_entries(reader, place, size, &entries))
        return false;
    for (size_t i = 0; i < entries.count; i++) {
        const char *reason = check(entries.items[i].place.key);
        if (reason != NULL)
            return json_fail(reader, &entries.items[i].place, reason);
    }
    qsort(entries.items, entries.count, sizeof *entries.items, by_key);
    *ret_entries = entries;
    return true;
}

bool json_read_integer(struct json_reader *reader, const struct json_place *place,
                       struct json_range range, int64_t *ret_integer)
{
    if (!json_is_integer(place->value))
        return wrong_type(reader, place, "must be an integer");
    int64_t integer = json_integer_value(place->value);
    if (integer < range.least || integer > range.most)
        return json_fail(reader, place, "is out of range");
    *ret_integer = integer;
    return true;
}

bool json_read_uuid(struct json_reader *reader, const struct json_place *place,
                    struct uuid *ret_uuid)
{
    if (!json_is_string(place->value))
        return wrong_type(reader, place, "must be a string with a UUID");
    if (!uuid_parse(json_text(place->value), ret_uuid))
        return json_fail(reader, place, "must be a UUID");
    return true;
}

bool json_read_text(struct json_reader *reader, const struct json_place *place,
                    struct text *ret_text)
{
    if (!json_is_string(place->value))
        return wrong_type(reader, place, "must be a string");
    *ret_text = text_copy(reader->arena, json_text(place->value));
    return true;
}

/* Of valid UTF-8, which is all that the parser lets through. */
static size_t code_points(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.bytes[i] & 0xC0) != 0x80;
    return count;
}

bool json_read_chars(struct json_reader *reader, const struct json_place *place, size_t most,
                     struct text *ret_text)
{
    struct text text = TEXT_NONE;
    if (!json_read_text(reader, place, &text))
        return false;
    size_t count = code_points(text);
    if (count < 1 || count > most)
        return json_fail(reader, place, "is empty or has too many characters");
    *ret_text = text;
    return true;
}
