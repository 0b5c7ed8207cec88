/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

enum { FIRST_CAPACITY = 480 };

#define REPLACEMENT "\xEF\xBF\xBD"

struct json_writer json_writer_new(struct arena *arena)
{
    return (struct json_writer){
        .arena = arena,
        .bytes = arena_alloc(arena, FIRST_CAPACITY),
        .capacity = FIRST_CAPACITY,
    };
}

struct text json_writer_text(const struct json_writer *writer)
{
    return text_view(writer->bytes, writer->length);
}

static void append(struct json_writer *writer, const char *bytes, size_t length)
{
    if (writer->capacity - writer->length < length) {
        size_t capacity = (writer->capacity + length) * 2;
        char *larger = arena_alloc(writer->arena, capacity);
        memcpy(larger, writer->bytes, writer->length);
        writer->bytes = larger;
        writer->capacity = capacity;
    }
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static void append_char(struct json_writer *writer, char c)
{
    append(writer, &c, 1);
}

static void before_value(struct json_writer *writer)
{
    if (writer->comma)
        append_char(writer, ',');
    writer->comma = true;
}

void json_write_open(struct json_writer *writer, char bracket)
{
    before_value(writer);
    append_char(writer, bracket);
    writer->comma = false;
}

void json_write_close(struct json_writer *writer, char bracket)
{
    append_char(writer, bracket);
    writer->comma = true;
}

static void append_escape(struct json_writer *writer, char c)
{
    /* Pairs: the character, and the letter that escapes it. */
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *pair = named; *pair != '\0'; pair += 2) {
        if (*pair == c) {
            append_char(writer, '\\');
            append_char(writer, pair[1]);
            return;
        }
    }
    char escape[8];
    int length = snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)c);
    append(writer, escape, (size_t)length);
}

static bool needs_escape(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

/* Returns how many bytes from the start can be written unchanged. */
static size_t plain_run(struct text text)
{
    size_t run = 0;
    while (run < text.length && !needs_escape(text.bytes[run])) {
        size_t length = utf8_sequence(text_view(text.bytes + run, text.length - run));
        if (length == 0)
            break;
        run += length;
    }
    return run;
}

static void append_string(struct json_writer *writer, struct text text)
{
    append_char(writer, '"');
    while (text.length > 0) {
        size_t run = plain_run(text);
        append(writer, text.bytes, run);
        text = text_view(text.bytes + run, text.length - run);
        if (text.length == 0)
            break;
        if (needs_escape(text.bytes[0]))
            append_escape(writer, text.bytes[0]);
        else
            append(writer, REPLACEMENT, strlen(REPLACEMENT));
        text = text_view(text.bytes + 1, text.length - 1);
    }
    append_char(writer, '"');
}

void json_write_key(struct json_writer *writer, struct text key)
{
    before_value(writer);
    append_string(writer, key);
    append_char(writer, ':');
    writer->comma = false;
}

void json_write_uuid_key(struct json_writer *writer, struct uuid key)
{
    struct uuid_text text = uuid_format(key);
    json_write_key(writer, text_view(text.chars, UUID_TEXT_LENGTH));
}

void json_write_null(struct json_writer *writer)
{
    json_write_raw(writer, text_of("null"));
}

void json_write_boolean(struct json_writer *writer, bool value)
{
    json_write_raw(writer, text_of(value ? "true" : "false"));
}

void json_write_integer(struct json_writer *writer, int64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    json_write_raw(writer, text_view(digits, (size_t)length));
}

void json_write_text(struct json_writer *writer, struct text value)
{
    before_value(writer);
    append_string(writer, value);
}

void json_write_uuid(struct json_writer *writer, struct uuid value)
{
    struct uuid_text text = uuid_format(value);
    json_write_text(writer, text_view(text.chars, UUID_TEXT_LENGTH));
}

void json_write_raw(struct json_writer *writer, struct text json)
{
    before_value(writer);
    append(writer, json.bytes, json.length);
}
