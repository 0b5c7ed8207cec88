/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file in the place of stderr, so that a test can read what was logged. It works if the log is
 * written by the thread that logs, as it is unless log_start was called. A failure fails the test.
 */
#ifndef ALLOT_CAPTURED_LOG_H
#define ALLOT_CAPTURED_LOG_H

#include <stdio.h>

enum { CAPTURED_LOG_BYTES = 256 * 1024 };

struct captured_log {
    FILE *file;
    int saved; /* stderr */
    char text[CAPTURED_LOG_BYTES];
};

void captured_log_begin(struct captured_log *log);
/* Returns what was logged since the last call, valid until the next one. */
const char *captured_log_read(struct captured_log *log);
/* Puts stderr back. */
void captured_log_end(struct captured_log *log);

/* Counts how often `part` stands in a text. */
size_t occurrences(const char *text, const char *part);

#endif
