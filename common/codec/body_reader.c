/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/body_reader.h"

#include <assert.h>
#include <string.h>

#include "allot/limits.h"
#include "common/codec/digest.h"

enum { NUL_BYTES = 1 };

static size_t kept_bytes(uint64_t size, size_t whole_max)
{
    return size <= whole_max ? (size_t)size : BODY_KEPT_BYTES;
}

size_t body_reader_bytes(uint64_t size, size_t whole_max)
{
    return kept_bytes(size, whole_max) + FINGERPRINT_HEX_DIGITS + 2 * NUL_BYTES;
}

void body_reader_begin(struct body_reader *reader, struct arena *arena, uint64_t size,
                       size_t whole_max)
{
    assert(whole_max >= BODY_KEPT_BYTES);
    size_t kept = kept_bytes(size, whole_max);
    *reader = (struct body_reader){.bytes = arena_alloc(arena, kept + NUL_BYTES),
                                   .kept = kept,
                                   .size = size,
                                   .digest = size > whole_max ? digest_new() : NULL};
}

void body_reader_add(struct body_reader *reader, const void *bytes, size_t length)
{
    assert(length <= reader->size - reader->received);
    if (reader->received < reader->kept) {
        size_t room = reader->kept - (size_t)reader->received;
        memcpy(reader->bytes + reader->received, bytes, length < room ? length : room);
    }
    if (reader->digest != NULL)
        digest_add(reader->digest, bytes, length);
    reader->received += length;
}

struct whole_or_cut body_reader_finish(struct body_reader *reader, struct arena *arena)
{
    struct whole_or_cut result = {.body = text_view(reader->bytes, reader->kept)};
    if (reader->digest != NULL) {
        struct fingerprint fingerprint = digest_end(reader->digest);
        result.cut_size = reader->size;
        result.sha256 = fingerprint_hex(arena, &fingerprint);
    }
    *reader = (struct body_reader){0};
    return result;
}

void body_reader_clear(struct body_reader *reader)
{
    if (reader->digest != NULL)
        (void)digest_end(reader->digest);
    *reader = (struct body_reader){0};
}
