/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. send_input_read reads line by line; read_line parses one and decides what it is. A line
 * with a member "body" is an envelope: read_envelope checks its members one by one. Any other line
 * is a body, and is kept byte for byte: jansson would change its spacing, its numbers and the order
 * of its members.
 *
 * An error ends the reading at once, so nothing is sent of an input with an invalid line. The
 * contents of a body are not checked. That is the worker's task, and a test of the worker has to
 * be able to send an invalid command: a body that is a JSON string is sent as the string's bytes.
 */
#include "ctl/send_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "allot/limits.h"
#include "common/codec/field_table.h"
#include "common/core/message_id.h"
#include "common/host/random.h"

enum { REAL_DIGITS = 17 }; /* enough to read back the same double */

struct reader {
    const char *key_prefix;
    struct arena *arena;
    struct send_input input;
    size_t capacity;
    size_t line;
    struct error *error;
};

static struct text string_copy(struct arena *arena, const json_t *string)
{
    return text_copy(arena, text_view(json_string_value(string), json_string_length(string)));
}

static bool read_header(struct reader *reader, const char *name, const json_t *value,
                        struct outgoing_header *ret_header)
{
    struct outgoing_header header = {.name = text_copy(reader->arena, text_of(name)).bytes};
    if (strlen(name) > FIELD_NAME_BYTES_MAX) {
        error_set(reader->error, "header name too long: %zu bytes (limit %d)", strlen(name),
                  FIELD_NAME_BYTES_MAX);
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
        error_set(reader->error, "invalid header '%s': expected a string, an integer or a boolean",
                  name);
        return false;
    }
    *ret_header = header;
    return true;
}

static bool read_headers(struct reader *reader, json_t *object, struct send_input_command *command)
{
    if (object == NULL)
        return true;
    if (!json_is_object(object)) {
        error_set(reader->error, "invalid headers: expected an object");
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
                            struct send_input_command *command)
{
    if (value != NULL) {
        if (json_is_string(value))
            command->message_id = string_copy(reader->arena, value);
    } else if (reader->key_prefix != NULL) {
        command->message_id =
            text_format(reader->arena, "%s-%zu", reader->key_prefix, reader->line);
    } else {
        command->message_id = text_copy(reader->arena, text_of(uuid_format(random_uuid()).chars));
    }
    if (message_id_is_valid(command->message_id))
        return true;
    error_set(reader->error,
              "invalid message_id: expected a string of 1 to %d bytes of printable ASCII",
              MESSAGE_ID_BYTES_MAX);
    return false;
}

static bool read_body(struct reader *reader, const json_t *value,
                      struct send_input_command *command)
{
    if (json_is_string(value)) {
        command->body = string_copy(reader->arena, value);
        return true;
    }
    if (!json_is_object(value)) {
        error_set(reader->error, "invalid body: expected an object or a string");
        return false;
    }
    char *dump = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    if (dump == NULL) {
        error_set(reader->error, "invalid body: cannot be written as JSON");
        return false;
    }
    command->body = text_copy(reader->arena, text_of(dump));
    free(dump);
    return true;
}

static bool check_members(struct reader *reader, json_t *envelope)
{
    for (void *m = json_object_iter(envelope); m != NULL; m = json_object_iter_next(envelope, m)) {
        const char *key = json_object_iter_key(m);
        if (strcmp(key, "message_id") != 0 && strcmp(key, "headers") != 0 &&
            strcmp(key, "body") != 0) {
            error_set(reader->error, "unknown member '%s' (expected message_id, headers, body)",
                      key);
            return false;
        }
    }
    return true;
}

static bool read_envelope(struct reader *reader, json_t *envelope,
                          struct send_input_command *command)
{
    return check_members(reader, envelope) &&
           read_message_id(reader, json_object_get(envelope, "message_id"), command) &&
           read_headers(reader, json_object_get(envelope, "headers"), command) &&
           read_body(reader, json_object_get(envelope, "body"), command);
}

static void append(struct reader *reader, struct send_input_command command)
{
    struct send_input *input = &reader->input;
    input->commands = arena_grown(reader->arena, input->commands, input->count, &reader->capacity,
                                  sizeof *input->commands);
    input->commands[input->count++] = command;
}

static bool read_line(struct reader *reader, struct text line)
{
    json_error_t problem;
    json_t *json = json_loadb(line.bytes, line.length, JSON_REJECT_DUPLICATES, &problem);
    struct send_input_command command = {0};
    bool valid = json_is_object(json);
    if (json == NULL)
        error_set(reader->error, "invalid JSON: %s", problem.text);
    else if (!valid)
        error_set(reader->error, "invalid line: expected a JSON object");
    else if (json_object_get(json, "body") != NULL)
        valid = read_envelope(reader, json, &command);
    else if ((valid = read_message_id(reader, NULL, &command)))
        command.body = text_copy(reader->arena, line);
    json_decref(json);
    if (valid)
        append(reader, command);
    return valid;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text trim(const char *bytes, size_t length)
{
    while (length > 0 && is_space(bytes[length - 1]))
        length--;
    while (length > 0 && is_space(*bytes)) {
        bytes++;
        length--;
    }
    return text_view(bytes, length);
}

bool send_input_read(FILE *file, const char *name, const char *key_prefix, struct arena *arena,
                     struct send_input *ret_input, struct error *error)
{
    struct reader reader = {.key_prefix = key_prefix, .arena = arena, .error = error};
    char *buffer = NULL;
    size_t size = 0;
    bool succeeded = true;
    for (ssize_t got; succeeded && (got = getline(&buffer, &size, file)) >= 0;) {
        struct text line = trim(buffer, (size_t)got);
        reader.line++;
        succeeded = line.length == 0 || read_line(&reader, line);
    }
    if (!succeeded) {
        error_prefix(error, "%s:%zu", name, reader.line);
    } else if (ferror(file) != 0) {
        error_set(error, "cannot read %s: %s", name, strerror(errno));
        succeeded = false;
    }
    free(buffer);
    if (succeeded)
        *ret_input = reader.input;
    return succeeded;
}
