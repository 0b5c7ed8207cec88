/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compact JSON, appended piece by piece to a buffer in an arena. The writer puts the commas. The
 * output is always valid UTF-8: each invalid byte becomes U+FFFD. The caller sees to nesting, and
 * to a value after each key.
 *
 * Why not jansson (2.14): its strings must be valid UTF-8, while replies quote message properties,
 * which may be any bytes. It cannot insert text that is JSON already: the mappings of a consumer,
 * and ratios, which are exact decimals. And it builds a tree before it prints: for a reply about
 * 10,000 consumers (680 KB) that took three times as long as this writer.
 */
#ifndef ALLOT_CODEC_JSON_WRITE_H
#define ALLOT_CODEC_JSON_WRITE_H

#include <stdint.h>

#include "common/base/uuid.h"

struct json_writer {
    struct arena *arena;
    char *bytes;
    size_t length;
    size_t capacity;
    bool comma; /* the next key or value needs a comma before it */
};

/* Returns a writer whose buffer is in `arena`, which is borrowed. */
struct json_writer json_writer_new(struct arena *arena);
/* Returns the text written so far, borrowed from the writer until the next write. */
struct text json_writer_text(const struct json_writer *writer);

/* Begins an object '{' or an array '['. */
void json_write_open(struct json_writer *writer, char bracket);
/* Ends an object '}' or an array ']'. */
void json_write_close(struct json_writer *writer, char bracket);
void json_write_key(struct json_writer *writer, struct text key);
void json_write_uuid_key(struct json_writer *writer, struct uuid key);

void json_write_null(struct json_writer *writer);
void json_write_boolean(struct json_writer *writer, bool value);
void json_write_integer(struct json_writer *writer, int64_t value);
void json_write_text(struct json_writer *writer, struct text value);
void json_write_uuid(struct json_writer *writer, struct uuid value);
/* Writes a text that is already a JSON value; does not check it. */
void json_write_raw(struct json_writer *writer, struct text json);

#endif
