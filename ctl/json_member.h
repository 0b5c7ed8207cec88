/* SPDX-License-Identifier: Apache-2.0 */
/* Members of the JSON objects that commands print with --json. Each function appends one. */
#ifndef ALLOT_CTL_JSON_MEMBER_H
#define ALLOT_CTL_JSON_MEMBER_H

#include "common/codec/json_write.h"

/* An absent text becomes null. */
void json_member_text(struct json_writer *writer, const char *name, struct text value);
void json_member_integer(struct json_writer *writer, const char *name, int64_t value);
void json_member_boolean(struct json_writer *writer, const char *name, bool value);
/* Milliseconds since the Unix epoch; 0 becomes null. */
void json_member_time(struct json_writer *writer, const char *name, int64_t time_ms);

#endif
