/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: lines on stderr, each a JSON object, or text for people on a terminal. Only the programs
 * log (worker/ and ctl/): an event is logged once, by the code that decides what to do about it.
 * The libraries in common/ return an error or a status instead. Safe from any thread. A line is one
 * write(2); a stderr that is full or closed is ignored, for which the process must ignore SIGPIPE.
 */
#ifndef ALLOT_HOST_LOG_H
#define ALLOT_HOST_LOG_H

#include "allot/settings.h"

/*
 * Sets the least urgent level that is logged, the form, and the worker's name, which is copied.
 * Call it before there are threads. The default is INFO and AUTO (text on a terminal, else JSON).
 */
void log_configure(enum log_level level, enum log_format format, const char *worker);
/* Whether lines of that level are written. */
bool log_enabled(enum log_level level);

enum log_field_kind { LOG_END, LOG_TEXT, LOG_INTEGER };

/* A field of a line; made by the macros below. Borrowed for the call. */
struct log_field {
    const char *name;
    enum log_field_kind kind;
    struct text text; /* absent: null */
    int64_t integer;
};

/*
 * Writes a line, if its level is enabled. `event` is a stable name ("command.failed"), the message
 * a sentence for people; `fields` end with LOG_END. Keeps errno.
 */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               const char *format, ...) ALLOT_PRINTF(4, 5);

/* Fields: of a struct text, of a C string, of an integer; and lists of fields. */
#define LOG_T(name, value) ((struct log_field){(name), LOG_TEXT, (value), 0})
#define LOG_S(name, value) ((struct log_field){(name), LOG_TEXT, text_of(value), 0})
#define LOG_I(name, value) ((struct log_field){(name), LOG_INTEGER, TEXT_NONE, (value)})
#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {NULL, LOG_END, TEXT_NONE, 0}})
#define LOG_NONE ((const struct log_field[]){{NULL, LOG_END, TEXT_NONE, 0}})

enum { LOG_LINE_BYTES_MAX = 16 * 1024 };

struct log_line {
    int64_t wall_ms; /* since the epoch */
    enum log_level level;
    const char *event;
    const char *message;
    const char *worker;             /* NULL or empty: left out of the line */
    const struct log_field *fields; /* end with LOG_END */
};

/*
 * Writes the line to `buffer` and returns its length, at most LOG_LINE_BYTES_MAX. It ends with a
 * line end and contains no NUL. Control characters are escaped; bytes that are not UTF-8 become
 * U+FFFD. What does not fit is cut at a character, and a member `truncated` says so. AUTO is JSON
 * here. Pure.
 */
size_t log_format_line(const struct log_line *line, enum log_format format,
                       char buffer[LOG_LINE_BYTES_MAX]);

#endif
