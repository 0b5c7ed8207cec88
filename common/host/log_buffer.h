/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines that wait to be written, oldest first, in a ring of fixed size. A part of the room is
 * kept for important lines: other lines are refused while there is still room for those. Pure, and
 * without a lock.
 */
#ifndef ALLOT_HOST_LOG_BUFFER_H
#define ALLOT_HOST_LOG_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/host/log.h"

/* Who may fill how much of the buffer: five eighths, three quarters, all of it. */
enum log_rank { LOG_RANK_USUAL, LOG_RANK_ERROR, LOG_RANK_AUDIT };

enum { LOG_BUFFER_BYTES = 1024 * 1024 };

/* All zero is empty. */
struct log_buffer {
    size_t first; /* place of the oldest line */
    size_t used;  /* bytes */
    char bytes[LOG_BUFFER_BYTES];
};

/* Copies a line of 1 to LOG_LINE_BYTES_MAX bytes. Returns false if lines of its rank have no room
   now. */
ALLOT_CHECK bool log_buffer_put(struct log_buffer *buffer, enum log_rank rank, const char *line,
                                size_t length);
/* Moves the oldest line to `line`, and returns its length; 0: the buffer is empty. */
ALLOT_CHECK size_t log_buffer_take(struct log_buffer *buffer, char line[LOG_LINE_BYTES_MAX],
                                   enum log_rank *ret_rank);

#endif
