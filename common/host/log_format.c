/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a line of the log. A line is built in a sink, which has a limit. Once something does not
 * fit, the sink is cut and takes nothing more; room for the end of the line (TAIL_BYTES) is kept,
 * so that a cut line is still valid JSON and says that it is cut. A text value that does not fit is
 * cut, and its quote closed. Any other field that does not fit is removed.
 *
 * Why not jansson: it allocates, rejects texts that are not UTF-8, and cannot cut a line. Why not
 * syslog(3): the service manager reads stderr and adds what it needs; containers have no syslog.
 */
#include "common/host/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/utf8.h"
#include "common/codec/settings_table.h"

static const char cut_json[] = ",\"truncated\":true", cut_text[] = " truncated=true";

/* Kept for the end of a cut line: a quote, the mark above, "}\n". */
enum { TAIL_BYTES = sizeof cut_json + 4 };

/* A line that is being built. After a cut it takes only the tail. */
struct sink {
    char *bytes;
    size_t length;
    size_t room;
    bool cut;
};

static bool put(struct sink *sink, const char *bytes, size_t length)
{
    if (sink->cut || sink->length + length > sink->room) {
        sink->cut = true;
        return false;
    }
    memcpy(sink->bytes + sink->length, bytes, length);
    sink->length += length;
    return true;
}

static bool put_string(struct sink *sink, const char *string)
{
    return put(sink, string, strlen(string));
}

static void put_character(struct sink *sink, struct text character)
{
    if (utf8_is_control(character)) {
        char escape[8];
        (void)snprintf(escape, sizeof escape, "\\u%04x", utf8_code_point(character) & 0xffffU);
        (void)put_string(sink, escape);
    } else if (character.bytes[0] == '"' || character.bytes[0] == '\\') {
        char escape[3] = {'\\', character.bytes[0], '\0'};
        (void)put_string(sink, escape);
    } else {
        (void)put(sink, character.bytes, character.length);
    }
}

static void put_escaped(struct sink *sink, struct text text)
{
    while (text.length > 0 && !sink->cut) {
        size_t length = utf8_sequence(text);
        if (length == 0)
            (void)put_string(sink, "\xef\xbf\xbd");
        else
            put_character(sink, text_view(text.bytes, length));
        length = length > 0 ? length : 1;
        text = text_view(text.bytes + length, text.length - length);
    }
}

/* The closing quote of an opened string is always written: it may use the room of the tail. */
static void put_quoted(struct sink *sink, struct text text)
{
    if (!put_string(sink, "\""))
        return;
    put_escaped(sink, text);
    sink->bytes[sink->length++] = '"';
}

static void put_timestamp(struct sink *sink, int64_t wall_ms, const char *format)
{
    int64_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0);
    struct tm calendar = {.tm_mday = 1, .tm_year = 70};
    const time_t when = (time_t)seconds;
    char text[64];
    (void)gmtime_r(&when, &calendar);
    size_t length = strftime(text, sizeof text, format, &calendar);
    (void)put(sink, text, length);
    (void)snprintf(text, sizeof text, ".%03d", (int)((wall_ms % 1000 + 1000) % 1000));
    (void)put_string(sink, text);
}

static void put_integer(struct sink *sink, int64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRId64, value);
    (void)put_string(sink, digits);
}

/* Returns the level for a text line; all have the same width, so that the columns align. */
static const char *level_column(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR: return " ERROR ";
    case LOG_LEVEL_WARNING: return " WARN  ";
    case LOG_LEVEL_INFO: return " INFO  ";
    case LOG_LEVEL_DEBUG: return " DEBUG ";
    }
    return "";
}

static void put_member_name(struct sink *sink, const char *name)
{
    size_t before = sink->length;
    (void)put_string(sink, ",\"");
    (void)put_string(sink, name);
    /* Without room for the shortest value, the name would be half a member. */
    if (!put_string(sink, "\":") || sink->length + sizeof "null" > sink->room) {
        sink->cut = true;
        sink->length = before;
    }
}

static void put_json_text(struct sink *sink, const char *name, const char *value)
{
    put_member_name(sink, name);
    put_quoted(sink, text_of(value));
}

/* Writes the value; if it does not fit, removes the field, whose name begins at `before`. */
static void put_number_or_null(struct sink *sink, const struct log_field *field, size_t before)
{
    if (field->kind == LOG_INTEGER)
        put_integer(sink, field->integer);
    else
        (void)put_string(sink, "null");
    if (sink->cut)
        sink->length = before;
}

static void put_json_field(struct sink *sink, const struct log_field *field)
{
    size_t before = sink->length;
    put_member_name(sink, field->name);
    if (field->kind == LOG_TEXT && text_present(field->text)) {
        put_quoted(sink, field->text);
        return;
    }
    put_number_or_null(sink, field, before);
}

static void format_json(struct sink *sink, const struct log_line *line)
{
    (void)put_string(sink, "{\"ts\":\"");
    put_timestamp(sink, line->wall_ms, "%Y-%m-%dT%H:%M:%S");
    (void)put_string(sink, "Z\"");
    put_json_text(sink, "level", setting_words(SETTING_LEVEL)[line->level]);
    put_json_text(sink, "event", line->event);
    put_json_text(sink, "message", line->message);
    if (line->worker != NULL && line->worker[0] != '\0')
        put_json_text(sink, "worker", line->worker);
    for (const struct log_field *field = line->fields; field->kind != LOG_END; field++)
        put_json_field(sink, field);
}

/* Returns whether the value needs no quotes: visible ASCII without quotes, backslashes and '='. */
static bool is_bare(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.bytes[i];
        if (byte <= ' ' || byte > '~' || byte == '"' || byte == '\\' || byte == '=')
            return false;
    }
    return text.length > 0;
}

static void put_text_value(struct sink *sink, struct text value)
{
    if (is_bare(value))
        put_escaped(sink, value);
    else
        put_quoted(sink, value);
}

static void put_text_field(struct sink *sink, const struct log_field *field, const char *gap)
{
    size_t before = sink->length;
    (void)put_string(sink, gap);
    (void)put_string(sink, field->name);
    if (!put_string(sink, "=")) {
        sink->length = before;
        return;
    }
    if (field->kind == LOG_TEXT && text_present(field->text)) {
        put_text_value(sink, field->text);
        return;
    }
    put_number_or_null(sink, field, before);
}

static void format_text(struct sink *sink, const struct log_line *line)
{
    put_timestamp(sink, line->wall_ms, "%Y-%m-%d %H:%M:%S");
    (void)put_string(sink, level_column(line->level));
    put_escaped(sink, text_of(line->event));
    (void)put_string(sink, "  ");
    put_escaped(sink, text_of(line->message));
    const char *gap = "  ";
    for (const struct log_field *field = line->fields; field->kind != LOG_END; field++) {
        put_text_field(sink, field, gap);
        gap = " ";
    }
}

size_t log_format_line(const struct log_line *line, enum log_format format,
                       char buffer[LOG_LINE_BYTES_MAX])
{
    struct sink sink = {.bytes = buffer, .room = LOG_LINE_BYTES_MAX - TAIL_BYTES};
    bool text = format == LOG_FORMAT_TEXT;
    if (text)
        format_text(&sink, line);
    else
        format_json(&sink, line);

    bool cut = sink.cut;
    sink.cut = false;
    sink.room = LOG_LINE_BYTES_MAX;
    if (cut)
        (void)put_string(&sink, text ? cut_text : cut_json);
    (void)put_string(&sink, text ? "\n" : "}\n");
    return sink.length;
}
