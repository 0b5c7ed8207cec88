/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/send_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "allot/limits.h"
#include "common/codec/field_table.h"
#include "common/host/random.h"

enum { REAL_DIGITS = 17 };

struct reader {
    const char *key_prefix;
    struct arena *arena;
    struct input input;
    size_t capacity;
    size_t line;
    struct error *error;
};

struct text input_random_key(struct arena *arena)
{
    struct uuid_text text = uuid_format(random_uuid());
    return text_copy(arena, text_of(text.chars));
}

static bool is_message_id(struct text text)
{
    if (text.length < 1 || text.length > MESSAGE_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < 0x21 || text.bytes[i] > 0x7e)
            return false;
    }
    return true;
}

static struct text string_copy(struct arena *arena, const json_t *string)
{
    return text_copy(arena, text_view(json_string_value(string), json_string_length(string)));
}

static bool read_header(struct reader *reader, const char *name, const json_t *value,
                        struct outgoing_header *ret_header)
{
    struct outgoing_header header = {.name = text_copy(reader->arena, text_of(name)).bytes};
    if (strlen(name) > FIELD_NAME_BYTES_MAX) {
        error_set(reader->error, "a header's name is longer than %d bytes", FIELD_NAME_BYTES_MAX);
        return false;
    }
    if (json_is_string(value)) {
        header.kind = OUTGOING_TEXT;
        header.text = string_copy(reader->arena, value);
    } else if (json_is_integer(value)) {
        header.kind = OUTGOING_INTEGER;
        header.integer = json_integer_value(value);
    } else if (json_is_boolean(value)) {
        header.kind = OUTGOING_BOOL;
        header.integer = json_is_true(value);
    } else {
        error_set(reader->error, "header \"%s\" must be a string, an integer or a boolean", name);
        return false;
    }
    *ret_header = header;
    return true;
}

static bool read_headers(struct reader *reader, json_t *object, struct input_command *command)
{
    if (object == NULL)
        return true;
    if (!json_is_object(object)) {
        error_set(reader->error, "\"headers\" must be an object");
        return false;
    }
    struct outgoing_header *headers =
        ARENA_ARRAY(reader->arena, struct outgoing_header, json_object_size(object));
    size_t count = 0;
    for (void *m = json_object_iter(object); m != NULL; m = json_object_iter_next(object, m)) {
        if (!read_header(reader, json_object_iter_key(m), json_object_iter_value(m),
                         &headers[count++]))
            return false;
    }
    command->headers = headers;
    command->header_count = count;
    return true;
}

static bool read_message_id(struct reader *reader, const json_t *value,
                            struct input_command *command)
{
    if (value != NULL) {
        if (json_is_string(value))
            command->message_id = string_copy(reader->arena, value);
    } else if (reader->key_prefix != NULL) {
        command->message_id =
            text_format(reader->arena, "%s-%zu", reader->key_prefix, reader->line);
    } else {
        command->message_id = input_random_key(reader->arena);
    }
    if (is_message_id(command->message_id))
        return true;
    error_set(reader->error, "the message id must be a string of 1 to %d printable ASCII bytes",
              MESSAGE_ID_BYTES_MAX);
    return false;
}

static bool read_body(struct reader *reader, const json_t *value, struct input_command *command)
{
    if (json_is_string(value)) {
        command->body = string_copy(reader->arena, value);
        return true;
    }
    if (!json_is_object(value)) {
        error_set(reader->error, "\"body\" must be an object or a string");
        return false;
    }
    char *dump = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    if (dump == NULL) {
        error_set(reader->error, "\"body\" cannot be written");
        return false;
    }
    command->body = text_copy(reader->arena, text_of(dump));
    free(dump);
    return true;
}

static bool only_known_members(struct reader *reader, json_t *envelope)
{
    for (void *m = json_object_iter(envelope); m != NULL; m = json_object_iter_next(envelope, m)) {
        const char *key = json_object_iter_key(m);
        if (strcmp(key, "message_id") != 0 && strcmp(key, "headers") != 0 &&
            strcmp(key, "body") != 0) {
            error_set(reader->error, "\"%s\" is no member of an envelope", key);
            return false;
        }
    }
    return true;
}

static bool read_envelope(struct reader *reader, json_t *envelope, struct input_command *command)
{
    return only_known_members(reader, envelope) &&
           read_message_id(reader, json_object_get(envelope, "message_id"), command) &&
           read_headers(reader, json_object_get(envelope, "headers"), command) &&
           read_body(reader, json_object_get(envelope, "body"), command);
}

static void append(struct reader *reader, struct input_command command)
{
    struct input *input = &reader->input;
    if (input->count == reader->capacity) {
        size_t capacity = reader->capacity != 0 ? 2 * reader->capacity : 64;
        struct input_command *grown = ARENA_ARRAY(reader->arena, struct input_command, capacity);
        if (input->count > 0)
            memcpy(grown, input->commands, input->count * sizeof *grown);
        input->commands = grown;
        reader->capacity = capacity;
    }
    input->commands[input->count++] = command;
}

static bool read_line(struct reader *reader, struct text line)
{
    json_error_t problem;
    json_t *json = json_loadb(line.bytes, line.length, JSON_REJECT_DUPLICATES, &problem);
    struct input_command command = {0};
    bool good = json_is_object(json);
    if (json == NULL)
        error_set(reader->error, "no JSON: %s", problem.text);
    else if (!good)
        error_set(reader->error, "a line must be a JSON object");
    else if (json_object_get(json, "body") != NULL)
        good = read_envelope(reader, json, &command);
    else if ((good = read_message_id(reader, NULL, &command)))
        command.body = text_copy(reader->arena, line); /* as it stands, not as jansson has it */
    json_decref(json);
    if (good)
        append(reader, command);
    return good;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text trimmed(const char *bytes, size_t length)
{
    while (length > 0 && is_space(bytes[length - 1]))
        length--;
    while (length > 0 && is_space(*bytes)) {
        bytes++;
        length--;
    }
    return text_view(bytes, length);
}

bool input_read(FILE *file, const char *name, const char *key_prefix, struct arena *arena,
                struct input *ret_input, struct error *error)
{
    struct reader reader = {.key_prefix = key_prefix, .arena = arena, .error = error};
    char *buffer = NULL;
    size_t size = 0;
    bool good = true;
    for (ssize_t got; good && (got = getline(&buffer, &size, file)) >= 0;) {
        struct text line = trimmed(buffer, (size_t)got);
        reader.line++;
        good = line.length == 0 || read_line(&reader, line);
    }
    if (!good) {
        error_prefix(error, "%s:%zu", name, reader.line);
    } else if (ferror(file) != 0) {
        error_set(error, "%s: %s", name, strerror(errno));
        good = false;
    }
    free(buffer);
    if (good)
        *ret_input = reader.input;
    return good;
}
