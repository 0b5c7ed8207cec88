/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each reader looks at the value of one place, checks its type and range, and copies what it needs
 * to the arena. json_fail records the first failure: the place, as a JSON Pointer, and the reason.
 * read_entries and the two readers of keys turn an object into a sorted array, since jansson keeps
 * members in the order of the body. The array is in the scratch arena.
 *
 * Why not jansson's json_unpack_ex: it does not tell the place of a failure as a pointer, has no
 * ranges, and its "i" truncates large integers without an error (2.14). Parsing itself is
 * jansson's (body_parse.c).
 */
#include "common/codec/json_read.h"

#include <stdlib.h>
#include <string.h>

/* Returns the key with "~" and "/" escaped (RFC 6901). */
static struct text escaped(struct arena *arena, struct text key)
{
    char *bytes = arena_alloc(arena, 2 * key.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < key.length; i++) {
        char c = key.bytes[i];
        bool special = c == '~' || c == '/';
        bytes[length++] = special ? '~' : c;
        if (special)
            bytes[length++] = c == '~' ? '0' : '1';
    }
    return text_view(bytes, length);
}

/* The recursion is as deep as the forms of params nest: less than ten. */
static struct text pointer_to(struct arena *arena, const struct json_place *place)
{
    if (place->parent == NULL)
        return text_of("");
    struct text parent = pointer_to(arena, place->parent);
    if (!text_present(place->key))
        return text_format(arena, "%.*s/%zu", TEXT_ARGS(parent), place->index);
    return text_format(arena, "%.*s/%.*s", TEXT_ARGS(parent),
                       TEXT_ARGS(escaped(arena, place->key)));
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

/* Fails because the value has another type than `reason` says, or is missing. */
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

/* jansson's iterators take an object that is not const, but do not change it. */
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
            return json_fail(reader, &member, "is an unknown member");
    }
    return true;
}

/* Returns all members in the order of the body; their keys are still to be checked. */
static bool read_entries(struct json_reader *reader, const struct json_place *place,
                         struct json_size size, struct json_entries *ret_entries)
{
    if (!json_is_object(place->value))
        return wrong_type(reader, place, "must be an object");
    size_t count = json_object_size(place->value);
    if (count < size.least || count > size.most)
        return json_fail(reader, place, size.reason);
    struct json_entry *items = ARENA_ARRAY(reader->scratch, struct json_entry, count);
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
            return json_fail(reader, &entries.items[i].place, "must be named by a UUID");
    }
    qsort(entries.items, entries.count, sizeof *entries.items, by_uuid);
    for (size_t i = 1; i < entries.count; i++) {
        if (uuid_equal(entries.items[i - 1].uuid, entries.items[i].uuid))
            return json_fail(reader, &entries.items[i].place,
                             "is a duplicate: another member has the same UUID");
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
        return json_fail(reader, place,
                         text_format(reader->arena, "is out of range: %lld (allowed: %lld to %lld)",
                                     (long long)integer, (long long)range.least,
                                     (long long)range.most)
                             .bytes);
    *ret_integer = integer;
    return true;
}

bool json_read_uuid(struct json_reader *reader, const struct json_place *place,
                    struct uuid *ret_uuid)
{
    if (!json_is_string(place->value))
        return wrong_type(reader, place, "must be a string that is a UUID");
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

/* Counts the code points of valid UTF-8; the parser accepts nothing else. */
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
        return json_fail(
            reader, place,
            text_format(reader->arena, "must have 1 to %zu characters, not %zu", most, count)
                .bytes);
    *ret_text = text;
    return true;
}
