/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compact JSON, appended piece by piece into an arena; commas are put where they belong. What it
 * writes is always valid UTF-8: bytes that are none become U+FFFD. Nesting and the pairing of keys
 * and values are up to the caller.
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
    bool comma; /* the next value or key comes after another */
};

struct json_writer json_writer_new(struct arena *arena);
/* What was written so far; good until the next write. */
struct text json_writer_text(const struct json_writer *writer);

/* '{' or '[', and their counterparts. */
void json_write_open(struct json_writer *writer, char bracket);
void json_write_close(struct json_writer *writer, char bracket);
void json_write_key(struct json_writer *writer, struct text key);
void json_write_uuid_key(struct json_writer *writer, struct uuid key);

void json_write_null(struct json_writer *writer);
void json_write_boolean(struct json_writer *writer, bool value);
void json_write_integer(struct json_writer *writer, int64_t value);
void json_write_text(struct json_writer *writer, struct text value);
void json_write_uuid(struct json_writer *writer, struct uuid value);
/* `json` is a value already in JSON's form. */
void json_write_raw(struct json_writer *writer, struct text json);

#endif
