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

/* One entry of the array x-death. */
struct death {
    struct text queue;
    struct text reason;
    bool has_time;
    int64_t time_ms;
};

static uint64_t big_endian(const char *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | (uint8_t)bytes[i];
    return value;
}

/* Reads the field "time" of an entry, in seconds. */
static bool time_of(struct text table, int64_t *ret_ms)
{
    struct field field;
    if (!field_table_find(table, "time", &field))
        return false;
    struct text time = encoded_value(&field);
    if (time.length != 1 + TIMESTAMP_BYTES || time.bytes[0] != 'T')
        return false;
    uint64_t seconds = big_endian(time.bytes + 1, TIMESTAMP_BYTES);
    if (seconds > INT64_MAX / MS_PER_S)
        return false;
    *ret_ms = (int64_t)seconds * MS_PER_S;
    return true;
}

/*
 * Takes the first entry of the rest of an array. field_table_find does not look into arrays, so
 * this function decodes the few bytes around the table. Returns false at the end, and if the next
 * element is no table.
 */
static bool next_death(struct text *array, struct death *ret_death)
{
    size_t before = 1 + LENGTH_BYTES; /* 'F', the length of the table */
    if (array->length < before || array->bytes[0] != 'F')
        return false;
    uint64_t length = big_endian(array->bytes + 1, LENGTH_BYTES);
    if (length > array->length - before)
        return false;
    struct text table = text_view(array->bytes + 1, LENGTH_BYTES + (size_t)length);
    struct death death = {.queue = text_header(table, "queue"),
                          .reason = text_header(table, "reason")};
    death.has_time = time_of(table, &death.time_ms);
    *array = text_view(table.bytes + table.length, array->length - before - (size_t)length);
    *ret_death = death;
    return true;
}

/*
 * Finds the newest entry of x-death with this queue; with an absent queue, the newest of all. The
 * broker puts the newest one first, before those that a producer may have sent along.
 */
static bool find_death(struct text headers, struct text queue, struct death *ret_death)
{
    struct field field;
    if (!field_table_find(headers, "x-death", &field))
        return false;
    struct text array = encoded_value(&field);
    size_t before = 1 + LENGTH_BYTES; /* 'A', the length of the array */
    if (array.length < before || array.bytes[0] != 'A')
        return false;
    array = text_view(array.bytes + before, array.length - before);
    while (next_death(&array, ret_death)) {
        if (!text_present(queue) || text_equal(ret_death->queue, queue))
            return true;
    }
    return false;
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

static int64_t integer_header(struct text table, const char *name)
{
    struct field field;
    bool found = field_table_find(table, name, &field) && field.kind == FIELD_INTEGER;
    return found ? field.integer : 0;
}

static void read_worker_headers(struct text table, struct dead_letter *letter)
{
    struct field field;
    letter->letter = text_header(table, "x-allot-letter");
    letter->body_size = integer_header(table, "x-allot-body-size");
    letter->body_sha256 = text_header(table, "x-allot-body-sha256");
    letter->detail = text_header(table, "x-allot-detail");
    letter->principal = text_header(table, "x-allot-principal");
    letter->queue = text_header(table, "x-allot-queue");
    letter->worker = text_header(table, "x-allot-worker");
    letter->has_dead_at =
        field_table_find(table, "x-allot-dead-at", &field) && field.kind == FIELD_INTEGER;
    if (letter->has_dead_at)
        letter->dead_at_ms = field.integer;
}

static void read_broker_headers(const struct death *death, struct text user_id,
                                struct dead_letter *letter)
{
    letter->reason = death->reason;
    letter->queue = death->queue;
    letter->principal = user_id;
    letter->has_dead_at = death->has_time;
    letter->dead_at_ms = death->has_time ? death->time_ms : 0;
}

/*
 * A producer may send any header along, and the broker keeps them all. But the worker publishes a
 * letter without x-death, so a letter on which x-death names the command queue is the broker's, and
 * what its x-allot-... headers say is not the worker's. Of the headers that the broker adds, only
 * the newest entry of x-death is surely its own: it leaves a forged x-first-death-... as it is.
 */
struct dead_letter dead_letter_read(const struct client_message *message, struct text command_queue,
                                    struct arena *arena)
{
    struct text headers = message->raw_headers;
    struct dead_letter letter = {
        .message_id = message->properties.message_id,
        .command = command_of(message->body, arena),
    };
    struct text reason = text_header(headers, "x-allot-reason");
    struct death death;
    bool by_broker = find_death(headers, command_queue, &death) ||
                     (!text_present(reason) && find_death(headers, TEXT_NONE, &death));
    letter.by_broker = by_broker;
    if (by_broker) {
        read_broker_headers(&death, message->properties.user_id, &letter);
    } else if (text_present(reason)) {
        letter.reason = reason;
        read_worker_headers(headers, &letter);
    }
    return letter;
}
