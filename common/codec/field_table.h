/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMQP 0-9-1 field tables (message headers) in their encoded form: four bytes of length, then
 * entries of name, kind and value, in the dialect of RabbitMQ. Entries are walked without looking
 * into nested values, so that depth costs nothing. Pure; it knows no library.
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

struct field {
    struct text name;
    enum field_kind kind;
    int64_t integer; /* also the boolean */
    struct text text;
    struct text encoded; /* the entry as it stands in the table */
};

/* An absent table is an empty one; so is what is not a table. */
struct field_cursor {
    const char *at;
    const char *end;
};

struct field_cursor field_table_begin(struct text table);
/* False at the end, and where what follows is no entry. */
ALLOT_CHECK bool field_table_next(struct field_cursor *cursor, struct field *ret_field);
/* The first entry of that name. */
ALLOT_CHECK bool field_table_find(struct text table, const char *name, struct field *ret_field);
/* Whether it is a table from the first byte to the last. */
ALLOT_CHECK bool field_table_well_formed(struct text table);

/*
 * `table` without the entries named in `headers`, followed by `headers`. Names are at most
 * FIELD_NAME_BYTES_MAX long. The result is a table in `arena`, also when it is empty.
 */
struct text field_table_merge(struct arena *arena, struct text table,
                              const struct outgoing_header *headers, size_t count);
/* `table` without the entries of these names. */
struct text field_table_without(struct arena *arena, struct text table, const char *const *names,
                                size_t count);

/*
 * What the worker reads from a delivery's `raw_headers`: fills delivery_count (0 where there is
 * none, or a negative one), deadline, deadline_ms, traceparent.
 */
void field_table_read_delivery(struct delivery *delivery);

#endif
