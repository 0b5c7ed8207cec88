/* SPDX-License-Identifier: Apache-2.0 */
/* Message headers as JSON, for people and scripts that look at them. Pure. */
#ifndef ALLOT_CTL_HEADERS_JSON_H
#define ALLOT_CTL_HEADERS_JSON_H

#include "common/codec/field_table.h"
#include "common/codec/json_write.h"

/*
 * Writes an encoded field table as an object, in the order of the table; a name that occurs twice
 * is written twice. Arrays and tables are decoded too. A timestamp is its number of seconds. Bytes
 * are base64. In a text, each byte that is not UTF-8 becomes U+FFFD. Null stands for no value, for
 * a number that JSON does not have, and for what is nested too deeply or malformed.
 */
void headers_json_write(struct json_writer *writer, struct text table);

/* Writes the value of one field. */
void headers_json_write_value(struct json_writer *writer, const struct field *field);

#endif
