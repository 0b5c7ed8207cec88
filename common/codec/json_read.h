/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed reading of parsed JSON. A value is reached through its place, which knows its parents: so
 * every failure has a JSON Pointer (RFC 6901). A reader returns false on failure, and its caller
 * stops; only the first failure is kept. It knows nothing of commands.
 */
#ifndef ALLOT_CODEC_JSON_READ_H
#define ALLOT_CODEC_JSON_READ_H

#include <stdint.h>

#include <jansson.h>

#include "common/base/uuid.h"

/*
 * Where a value is, or would be. `parent` and `key` are borrowed: a parent must stay where it is as
 * long as its children are used.
 */
struct json_place {
    const struct json_place *parent; /* NULL: the root */
    struct text key;                 /* absent: an element of an array */
    size_t index;                    /* of an element */
    const json_t *value;             /* borrowed; NULL: missing */
};

struct json_reader {
    struct arena *arena;   /* borrowed; all texts that are read are copied to it */
    struct arena *scratch; /* borrowed; for what is needed only while the body is read */
    struct text pointer;   /* of the first failure; absent: none yet */
    const char *reason;    /* a predicate, such as "must be an integer"; static or in the arena */
};

/* The least and the greatest valid value. */
struct json_range {
    int64_t least;
    int64_t most;
};

#define JSON_ANY_INTEGER ((struct json_range){INT64_MIN, INT64_MAX})

/* A member of an object, with a valid key. */
struct json_entry {
    struct uuid uuid; /* the key, if keys are UUIDs */
    struct json_place place;
};

struct json_entries {
    struct json_entry *items; /* sorted by uuid, or by key; in the scratch arena */
    size_t count;
};

/* How many members an object may have, and the reason of the failure if it has fewer or more. */
struct json_size {
    size_t least;
    size_t most;
    const char *reason;
};

/* Returns NULL if the key is valid, else the reason, a static text. */
typedef const char *(*json_key_check)(struct text key);

/*
 * Records a failure at that place, unless the reader has one already. Always returns false.
 * `reason` is borrowed: static or in the arena.
 */
bool json_fail(struct json_reader *reader, const struct json_place *place, const char *reason);

/* Returns the place of a member, even if it is missing. `name` is borrowed. */
struct json_place json_member(const struct json_place *object, const char *name);
/* Returns whether the place has a value; null counts as one. */
bool json_present(const struct json_place *place);
/* Returns whether the place has a value other than null. */
bool json_given(const struct json_place *place);

/* Checks that the value is an object, and that all its members are in `known`, ended by NULL. */
ALLOT_CHECK bool json_read_object(struct json_reader *reader, const struct json_place *place,
                                  const char *const *known);
/* Reads an object with UUIDs as keys. Two spellings of one UUID are duplicates. */
ALLOT_CHECK bool json_read_uuid_keys(struct json_reader *reader, const struct json_place *place,
                                     struct json_size size, struct json_entries *ret_entries);
/* Reads an object whose keys pass `check`. */
ALLOT_CHECK bool json_read_text_keys(struct json_reader *reader, const struct json_place *place,
                                     struct json_size size, json_key_check check,
                                     struct json_entries *ret_entries);

/* These read the value of a place. They return false if it is missing, of another type or out of
   range. */
ALLOT_CHECK bool json_read_integer(struct json_reader *reader, const struct json_place *place,
                                   struct json_range range, int64_t *ret_integer);
ALLOT_CHECK bool json_read_uuid(struct json_reader *reader, const struct json_place *place,
                                struct uuid *ret_uuid);
/* Reads any string. */
ALLOT_CHECK bool json_read_text(struct json_reader *reader, const struct json_place *place,
                                struct text *ret_text);
/* Reads a string of 1 to `most` code points. */
ALLOT_CHECK bool json_read_chars(struct json_reader *reader, const struct json_place *place,
                                 size_t most, struct text *ret_text);

/* Returns the text of a JSON string, borrowed from it. */
struct text json_text(const json_t *string);

#endif
