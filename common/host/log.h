/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one JSON object a line, or readable text on a terminal. Only worker/ and ctl/ log, once,
 * where the decision is taken. Safe from any thread; a line goes out in one write(2) to stderr, and
 * a full or broken stderr is ignored (the process has to ignore SIGPIPE).
 */
#ifndef ALLOT_HOST_LOG_H
#define ALLOT_HOST_LOG_H

#include "allot/settings.h"

/* Before any thread; the default is INFO and AUTO (text on a terminal, else JSON). */
void log_configure(enum log_level level, enum log_format format, const char *worker);
bool log_enabled(enum log_level level);

enum log_field_kind { LOG_END, LOG_TEXT, LOG_INTEGER };

struct log_field {
    const char *name;
    enum log_field_kind kind;
    struct text text;
    int64_t integer;
};

/* `event` is a stable word ("command.failed"), `message` a sentence; fields end with LOG_END. */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               const char *format, ...) ALLOT_PRINTF(4, 5);

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
    const char *worker;             /* NULL or empty: left out */
    const struct log_field *fields; /* an absent text is null */
};

/*
 * The line with its '\n', at most LOG_LINE_BYTES_MAX bytes, without a NUL; the result is its
 * length. Control characters are escaped, bytes that are not UTF-8 become U+FFFD. What does not fit
 * is cut at a character, and a member `truncated` says so. Pure. AUTO counts as JSON.
 */
size_t log_format_line(const struct log_line *line, enum log_format format,
                       char buffer[LOG_LINE_BYTES_MAX]);

#endif
