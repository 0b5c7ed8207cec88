/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/json_member.h"

void json_member_text(struct json_writer *writer, const char *name, struct text value)
{
    json_write_key(writer, text_of(name));
    if (text_present(value))
        json_write_text(writer, value);
    else
        json_write_null(writer);
}

void json_member_integer(struct json_writer *writer, const char *name, int64_t value)
{
    json_write_key(writer, text_of(name));
    json_write_integer(writer, value);
}

void json_member_boolean(struct json_writer *writer, const char *name, bool value)
{
    json_write_key(writer, text_of(name));
    json_write_boolean(writer, value);
}

void json_member_time(struct json_writer *writer, const char *name, int64_t time_ms)
{
    json_write_key(writer, text_of(name));
    if (time_ms != 0)
        json_write_integer(writer, time_ms);
    else
        json_write_null(writer);
}
