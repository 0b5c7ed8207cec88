/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/log_buffer.h"

#include <string.h>

/* Stands before each line in the ring. */
struct header {
    size_t length;
    enum log_rank rank;
};

static size_t limit_of(enum log_rank rank)
{
    switch (rank) {
    case LOG_RANK_USUAL: return LOG_BUFFER_BYTES / 8 * 5;
    case LOG_RANK_ERROR: return LOG_BUFFER_BYTES / 8 * 6;
    case LOG_RANK_AUDIT: return LOG_BUFFER_BYTES;
    }
    return 0;
}

/* Returns how many of `length` bytes are in one piece from `place` to the end of the ring. */
static size_t first_piece(size_t place, size_t length)
{
    size_t room = LOG_BUFFER_BYTES - place;
    return length < room ? length : room;
}

static void append(struct log_buffer *buffer, const void *bytes, size_t length)
{
    size_t place = (buffer->first + buffer->used) % LOG_BUFFER_BYTES;
    size_t piece = first_piece(place, length);
    memcpy(buffer->bytes + place, bytes, piece);
    memcpy(buffer->bytes, (const char *)bytes + piece, length - piece);
    buffer->used += length;
}

static void remove_first(struct log_buffer *buffer, void *bytes, size_t length)
{
    size_t piece = first_piece(buffer->first, length);
    memcpy(bytes, buffer->bytes + buffer->first, piece);
    memcpy((char *)bytes + piece, buffer->bytes, length - piece);
    buffer->first = (buffer->first + length) % LOG_BUFFER_BYTES;
    buffer->used -= length;
}

bool log_buffer_put(struct log_buffer *buffer, enum log_rank rank, const char *line, size_t length)
{
    struct header header = {length, rank};
    if (buffer->used + sizeof header + length > limit_of(rank))
        return false;
    append(buffer, &header, sizeof header);
    append(buffer, line, length);
    return true;
}

size_t log_buffer_take(struct log_buffer *buffer, char line[LOG_LINE_BYTES_MAX],
                       enum log_rank *ret_rank)
{
    struct header header;
    if (buffer->used == 0)
        return 0;
    remove_first(buffer, &header, sizeof header);
    remove_first(buffer, line, header.length);
    *ret_rank = header.rank;
    return header.length;
}
