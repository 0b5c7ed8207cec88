/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed reading of parsed JSON. A value is reached through its place, which knows the way back to
 * the root: so every failure has a JSON Pointer (RFC 6901). The first failure is kept, and each
 * reader returns false from then on, or rather its caller stops. It knows nothing of commands.
 */
#ifndef ALLOT_CODEC_JSON_READ_H
#define ALLOT_CODEC_JSON_READ_H

#include <stdint.h>

#include <jansson.h>

#include "common/base/uuid.h"

/* Where a value is, or would be. Places live on the stack or in the reader's arena. */
struct json_place {
    const struct json_place *parent; /* NULL: the root */
    struct text key;                 /* absent: an element of an array */
    size_t index;
    const json_t *value; /* NULL: nothing is there */
};

struct json_reader {
    struct arena *arena; /* gets all texts that are read */
    struct text pointer; /* absent while nothing failed */
    const char *reason;
};

/* Both ends are allowed. */
struct json_range {
    int64_t least;
    int64_t most;
};

#define JSON_ANY_INTEGER ((struct json_range){INT64_MIN, INT64_MAX})

/* A member whose key was judged; `uuid` counts where the keys are UUIDs. */
struct json_entry {
    struct uuid uuid;
    struct json_place place;
};

struct json_entries {
    struct json_entry *items; /* in order of uuid, or of key */
    size_t count;
};

/* How many members an object must have, and what to say where it has not. */
struct json_size {
    size_t least;
    size_t most;
    const char *reason;
};

/* Judges the key of a member: NULL, or the reason why it may not be one. */
typedef const char *(*json_key_check)(struct text key);

/* Records a failure at that place; always false. `reason` is static. */
bool json_fail(struct json_reader *reader, const struct json_place *place, const char *reason);

/* The place of a member, be it there or not; `name` is static. */
struct json_place json_member(const struct json_place *object, const char *name);
/* Is there anything? JSON's null is something. */
bool json_present(const struct json_place *place);
/* Is there anything but null? */
bool json_given(const struct json_place *place);

/* An object whose members are all in `known`, a NULL-terminated list. */
ALLOT_CHECK bool json_read_object(struct json_reader *reader, const struct json_place *place,
                                  const char *const *known);
/* An object with UUIDs for keys, each once however it is spelt. */
ALLOT_CHECK bool json_read_uuid_keys(struct json_reader *reader, const struct json_place *place,
                                     struct json_size size, struct json_entries *ret_entries);
/* An object whose keys pass `check`. */
ALLOT_CHECK bool json_read_text_keys(struct json_reader *reader, const struct json_place *place,
                                     struct json_size size, json_key_check check,
                                     struct json_entries *ret_entries);

/* The values at a place; false where there is none or one of another type. */
ALLOT_CHECK bool json_read_integer(struct json_reader *reader, const struct json_place *place,
                                   struct json_range range, int64_t *ret_integer);
ALLOT_CHECK bool json_read_uuid(struct json_reader *reader, const struct json_place *place,
                                struct uuid *ret_uuid);
/* Any string, copied to the arena. */
ALLOT_CHECK bool json_read_text(struct json_reader *reader, const struct json_place *place,
                                struct text *ret_text);
/* A string of 1 to `most` code points. */
ALLOT_CHECK bool json_read_chars(struct json_reader *reader, const struct json_place *place,
                                 size_t most, struct text *ret_text);

/* A view of a JSON string; it lives as long as the value. */
struct text json_text(const json_t *string);

#endif
