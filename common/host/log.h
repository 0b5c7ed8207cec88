/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: lines on stderr, each a JSON object, or text for people on a terminal. Only the programs
 * log (worker/ and ctl/): an event is logged once, by the code that decides what to do about it.
 * The libraries in common/ return an error or a status instead. Any thread may log.
 *
 * A program with threads that must not wait calls log_start. From then on log_write only copies the
 * line into a buffer of 1 MiB, and a thread of the log writes it. If stderr takes no lines, the
 * buffer becomes full and new lines are dropped and counted: first those that are neither errors
 * nor audit events, then errors, and audit events (named "audit.*") last. The line
 * LOG_EVENT_DROPPED has their number, as soon as something can be written again. Lines in the
 * buffer are lost if the process dies without log_flush.
 *
 * Before log_start, log_write writes to stderr itself, and waits if stderr makes it wait. Lines
 * that cannot be written are lost without an error. The process must ignore SIGPIPE.
 */
#ifndef ALLOT_HOST_LOG_H
#define ALLOT_HOST_LOG_H

#include "allot/settings.h"

/*
 * Sets the least urgent level that is logged, the form, and the worker's name, which is copied.
 * Call it before there are threads. The default is INFO and AUTO (text on a terminal, else JSON).
 */
void log_configure(enum log_level level, enum log_format format, const char *worker);
/* Returns whether lines of that level are written. */
bool log_enabled(enum log_level level);

enum log_field_kind { LOG_END, LOG_TEXT, LOG_INTEGER };

/* A field of a line, made by the macros below. Its texts are borrowed until log_write returns. */
struct log_field {
    const char *name;
    enum log_field_kind kind;
    struct text text; /* absent: null */
    int64_t integer;
};

/* What a line is, besides its texts. */
struct log_kind {
    enum log_level level;
    const char *event; /* a stable name ("command.failed"); static */
    bool limited;      /* see log_write */
};

/*
 * Writes a line, if its level is enabled. `format` makes the message, a sentence for people;
 * `fields` end with LOG_END. Keeps errno.
 *
 * After log_start, a warning or an error that is `limited` is written at most once in 10 s for the
 * same event, message and texts of fields; `message_id`, `traceparent` and numbers may differ. Its
 * repeats are written at debug, and counted: after 10 s, one line at the level of the first says
 * how many they were (`not_logged`).
 */
void log_write(struct log_kind kind, const struct log_field *fields, const char *format, ...)
    ALLOT_PRINTF(3, 4);

#define LOG_EVENT_DROPPED "log.dropped"
enum { LOG_FLUSH_MS = 1000 }; /* the usual limit of log_flush */

/* Starts the thread that writes, with all signals blocked. Call it once, after log_configure and
   before other threads log. Returns false if there is no thread; then log_write writes itself. */
ALLOT_CHECK bool log_start(void);
/*
 * Waits until all lines so far are written, with the numbers of lines that were dropped or not
 * logged. Returns false if that takes longer than `timeout_ms`: stderr takes no lines. Call it
 * before the process ends, by whatever way. Does nothing before log_start.
 */
bool log_flush(int timeout_ms);

/* These make a field from a struct text, a C string or an integer; then a list of fields, and the
   empty list. */
#define LOG_T(name, value) ((struct log_field){(name), LOG_TEXT, (value), 0})
#define LOG_S(name, value) ((struct log_field){(name), LOG_TEXT, text_of(value), 0})
#define LOG_I(name, value) ((struct log_field){(name), LOG_INTEGER, TEXT_NONE, (value)})
#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {NULL, LOG_END, TEXT_NONE, 0}})
#define LOG_NONE ((const struct log_field[]){{NULL, LOG_END, TEXT_NONE, 0}})

enum { LOG_LINE_BYTES_MAX = 16 * 1024 };

struct log_line {
    int64_t wall_ms; /* since the Unix epoch */
    enum log_level level;
    const char *event;
    const char *message;
    const char *worker;             /* NULL or empty: left out of the line */
    const struct log_field *fields; /* end with LOG_END */
};

/*
 * Writes the line to `buffer` and returns its length, at most LOG_LINE_BYTES_MAX. It ends with a
 * line end and contains no NUL. Control characters are escaped; bytes that are not UTF-8 become
 * U+FFFD. A line that does not fit is cut between two characters, and has a member `truncated`.
 * AUTO is JSON here. Pure.
 */
size_t log_format_line(const struct log_line *line, enum log_format format,
                       char buffer[LOG_LINE_BYTES_MAX]);

#endif
