/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/dead_letter.h"

#include <jansson.h>

#include "common/codec/field_table.h"

enum { TIMESTAMP_BYTES = 8, LENGTH_BYTES = 4, MS_PER_S = 1000 };

static struct text text_header(struct text table, const char *name)
{
    struct field field;
    if (!field_table_find(table, name, &field) || field.kind != FIELD_TEXT)
        return TEXT_NONE;
    return field.text;
}

/* Returns a field's kind byte and value. They follow the name, which has one length byte. */
static struct text encoded_value(const struct field *field)
{
    size_t name_bytes = 1 + field->name.length;
    return text_view(field->encoded.bytes + name_bytes, field->encoded.length - name_bytes);
}

/*
 * Finds when the broker last dead-lettered the message: the field "time", in seconds, of the first
 * table in the array x-death. The broker puts the newest table first. field_table_find does not
 * look into arrays, so this function decodes the few bytes around the table.
 */
static bool broker_time(struct text table, int64_t *ret_ms)
{
    struct field field;
    if (!field_table_find(table, "x-death", &field))
        return false;
    struct text array = encoded_value(&field);
    size_t before = 1 + LENGTH_BYTES + 1; /* 'A', the length of the array, 'F' */
    if (array.length < before || array.bytes[0] != 'A' || array.bytes[before - 1] != 'F')
        return false;
    struct text death = text_view(array.bytes + before, array.length - before);
    if (!field_table_find(death, "time", &field))
        return false;
    struct text time = encoded_value(&field);
    if (time.length != 1 + TIMESTAMP_BYTES || time.bytes[0] != 'T')
        return false;
    uint64_t seconds = 0;
    for (size_t i = 1; i < time.length; i++)
        seconds = seconds << 8 | (uint8_t)time.bytes[i];
    if (seconds > INT64_MAX / MS_PER_S)
        return false;
    *ret_ms = (int64_t)seconds * MS_PER_S;
    return true;
}

static struct text command_of(struct text body, struct arena *arena)
{
    json_t *json = json_loadb(body.bytes != NULL ? body.bytes : "", body.length, 0, NULL);
    const json_t *command = json_object_get(json, "command");
    struct text name = TEXT_NONE;
    if (json_is_string(command))
        name = text_copy(arena, text_view(json_string_value(command), json_string_length(command)));
    json_decref(json);
    return name;
}

static void read_worker_headers(struct text table, struct dead_letter *letter)
{
    struct field field;
    letter->detail = text_header(table, "x-allot-detail");
    letter->principal = text_header(table, "x-allot-principal");
    letter->queue = text_header(table, "x-allot-queue");
    letter->worker = text_header(table, "x-allot-worker");
    letter->has_dead_at =
        field_table_find(table, "x-allot-dead-at", &field) && field.kind == FIELD_INTEGER;
    if (letter->has_dead_at)
        letter->dead_at_ms = field.integer;
}

struct dead_letter dead_letter_read(const struct client_message *message, struct arena *arena)
{
    struct text table = message->raw_headers;
    struct dead_letter letter = {
        .reason = text_header(table, "x-allot-reason"),
        .message_id = message->properties.message_id,
        .command = command_of(message->body, arena),
    };
    if (text_present(letter.reason)) {
        read_worker_headers(table, &letter);
        return letter;
    }
    letter.reason = text_header(table, "x-first-death-reason");
    letter.queue = text_header(table, "x-first-death-queue");
    letter.principal = message->properties.user_id;
    letter.has_dead_at = broker_time(table, &letter.dead_at_ms);
    return letter;
}
