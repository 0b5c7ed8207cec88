/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts log lines that repeat. The first line of a kind is to be written at once. Those that
 * follow within 10 s are counted; then one line stands for them, and the next 10 s begin. Pure: it
 * is told the time. Without a lock.
 */
#ifndef ALLOT_HOST_LOG_REPEATS_H
#define ALLOT_HOST_LOG_REPEATS_H

#include "common/host/log.h"

enum {
    LOG_REPEATS_MS = 10000,
    LOG_REPEATS_MAX = 256, /* kinds that are remembered; lines of others are not limited */
    LOG_REPEAT_BYTES = 1024,
    LOG_REPEAT_TEXTS = 8,
};

/*
 * A kind of line: its event, its message and the texts of its fields, except those that name one
 * command. Its numbers do not matter. Texts are cut at LOG_REPEAT_BYTES in all.
 */
struct log_repeat {
    const char *event; /* static */
    enum log_level level;
    size_t count;                        /* of the texts; the message is the first */
    const char *names[LOG_REPEAT_TEXTS]; /* static; of the fields */
    size_t ends[LOG_REPEAT_TEXTS];       /* of the texts in `bytes`, each before its NUL */
    size_t length;
    char bytes[LOG_REPEAT_BYTES];
    int64_t due_ms;     /* monotonic: end of the 10 s */
    int64_t not_logged; /* lines since the last one that was written */
};

/* All zero is empty. */
struct log_repeats {
    size_t count;
    int64_t next_ms; /* the first `due_ms`, or sooner; meaningless if `count` is 0 */
    struct log_repeat kinds[LOG_REPEATS_MAX];
};

/* Returns true if a line of this kind was written in the last 10 s; then it is counted. */
bool log_repeats_add(struct log_repeats *repeats, const struct log_line *line, int64_t now_ms);
/* Copies a kind whose 10 s are over and that has lines to count, and sets its number to 0. Returns
   false if there is none (any more). Forgets kinds that were not repeated for 10 s. */
bool log_repeats_take(struct log_repeats *repeats, int64_t now_ms, struct log_repeat *ret_repeat);

/* The line that stands for the lines that were not logged: their texts, and `not_logged`. Has texts
   of `repeat`, and `fields`, both borrowed. */
struct log_line log_repeat_line(const struct log_repeat *repeat, const char *worker,
                                int64_t wall_ms, struct log_field fields[LOG_REPEAT_TEXTS + 1]);

#endif
