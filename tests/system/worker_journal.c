/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/worker_journal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/field_table.h"

/* Returns a JSON string; null for bytes that are not UTF-8, which no schema can describe. */
static json_t *text_value(struct text text)
{
    json_t *value = json_stringn(text.bytes != NULL ? text.bytes : "", text.length);
    return value != NULL ? value : json_null();
}

static void put_text(json_t *object, const char *name, struct text text)
{
    if (text_present(text))
        (void)json_object_set_new(object, name, text_value(text));
}

static json_t *properties_value(const struct properties *properties)
{
    json_t *object = json_object();
    put_text(object, "content_type", properties->content_type);
    put_text(object, "content_encoding", properties->content_encoding);
    put_text(object, "correlation_id", properties->correlation_id);
    put_text(object, "reply_to", properties->reply_to);
    put_text(object, "expiration", properties->expiration);
    put_text(object, "message_id", properties->message_id);
    put_text(object, "type", properties->type);
    put_text(object, "user_id", properties->user_id);
    return object;
}

/*
 * Returns an empty array or object for a nested value: the schemas do not look inside. The value's
 * kind follows the name, which has one length byte.
 */
static json_t *nested_value(const struct field *field)
{
    switch (field->encoded.bytes[1 + field->name.length]) {
    case 'A': return json_array();
    case 'F': return json_object();
    default: return json_null();
    }
}

static json_t *field_value(const struct field *field)
{
    switch (field->kind) {
    case FIELD_BOOLEAN: return json_boolean(field->integer != 0);
    case FIELD_INTEGER: return json_integer(field->integer);
    case FIELD_TEXT: return text_value(field->text);
    case FIELD_OTHER: return nested_value(field);
    }
    return json_null();
}

static json_t *headers_value(struct text table)
{
    json_t *object = json_object();
    struct field_cursor cursor = field_table_begin(table);
    struct field field;
    while (field_table_next(&cursor, &field))
        (void)json_object_setn_new(object, field.name.bytes, field.name.length,
                                   field_value(&field));
    return object;
}

static void put_headers(json_t *object, const struct outgoing *command)
{
    for (size_t i = 0; i < command->header_count; i++) {
        const struct outgoing_header *header = &command->headers[i];
        json_t *value = NULL;
        switch (header->kind) {
        case OUTGOING_BOOL: value = json_boolean(header->integer != 0); break;
        case OUTGOING_INTEGER: value = json_integer(header->integer); break;
        case OUTGOING_TEXT: value = text_value(header->text); break;
        }
        (void)json_object_set_new(object, header->name, value);
    }
}

/* Takes ownership of `properties` and `headers`. Appends one line to the file. */
static void append(const char *test, const char *direction, json_t *properties, json_t *headers,
                   struct text body)
{
    json_t *line =
        json_pack("{s:s, s:s, s:o, s:o, s:o}", "test", test, "direction", direction, "properties",
                  properties, "headers", headers, "body", text_value(body));
    char *dump = json_dumps(line, JSON_COMPACT);
    FILE *file = fopen(getenv("ALLOT_TEST_JOURNAL"), "ae");
    if (dump == NULL || file == NULL || fprintf(file, "%s\n", dump) < 0 || fclose(file) != 0)
        abort(); /* else schema/messages would pass without having checked this message */
    free(dump);
    json_decref(line);
}

void journal_command(const char *test, struct text user, const struct outgoing *command)
{
    if (getenv("ALLOT_TEST_JOURNAL") == NULL)
        return;
    json_t *properties = properties_value(&command->properties);
    if (!text_present(command->properties.user_id))
        put_text(properties, "user_id", user);
    json_t *headers = headers_value(command->raw_headers);
    put_headers(headers, command);
    append(test, "command", properties, headers, command->body);
}

void journal_message(const char *test, const char *direction, const struct client_message *message)
{
    if (getenv("ALLOT_TEST_JOURNAL") == NULL)
        return;
    append(test, direction, properties_value(&message->properties),
           headers_value(message->raw_headers), message->body);
}
