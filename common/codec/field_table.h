/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMQP 0-9-1 field tables (message headers) in their encoded form, in the dialect of RabbitMQ: four
 * bytes of length, then entries of name, kind and value. Nested values are not entered. Pure; it
 * uses no AMQP library.
 */
#ifndef ALLOT_CODEC_FIELD_TABLE_H
#define ALLOT_CODEC_FIELD_TABLE_H

#include "allot/message.h"

enum { FIELD_NAME_BYTES_MAX = 255 };

enum field_kind {
    FIELD_BOOLEAN,
    FIELD_INTEGER, /* of any width; an unsigned one above INT64_MAX is INT64_MAX */
    FIELD_TEXT,    /* a long string */
    FIELD_OTHER    /* decimal, float, timestamp, array, table, bytes, void */
};

/* One entry. All texts are borrowed from the table. */
struct field {
    struct text name;
    enum field_kind kind;
    int64_t integer;     /* of an integer or a boolean; otherwise 0 */
    struct text text;    /* of a text; otherwise absent */
    struct text encoded; /* the whole entry, as in the table */
};

/* The place of the next entry. */
struct field_cursor {
    const char *at;
    const char *end;
};

/* Returns a cursor at the first entry; at the end if the table is absent, or shorter than its
   length says. */
struct field_cursor field_table_begin(struct text table);
/* Reads the next entry. Returns false at the end, and if the next bytes are not a valid entry. */
ALLOT_CHECK bool field_table_next(struct field_cursor *cursor, struct field *ret_field);
/* Finds the first entry with that name. Returns false if there is none. */
ALLOT_CHECK bool field_table_find(struct text table, const char *name, struct field *ret_field);
/* Returns whether all bytes are one table of valid entries. */
ALLOT_CHECK bool field_table_well_formed(struct text table);

/*
 * Returns a table in `arena`: `table` without the entries that `headers` has too, then `headers`.
 * Names have at most FIELD_NAME_BYTES_MAX bytes.
 */
struct text field_table_merge(struct arena *arena, struct text table,
                              const struct outgoing_header *headers, size_t count);
/* Returns a table in `arena`: `table` without the entries with these names. */
struct text field_table_without(struct arena *arena, struct text table, const char *const *names,
                                size_t count);
/* Returns a table in `arena`: `table` without the entries whose names `keeps` rejects. */
struct text field_table_filter(struct arena *arena, struct text table,
                               bool (*keeps)(struct text name));

/*
 * Fills the members of a delivery that come from its `raw_headers`: deadline, deadline_ms, and
 * traceparent (absent if it is not valid).
 */
void field_table_read_delivery(struct delivery *delivery);

#endif
