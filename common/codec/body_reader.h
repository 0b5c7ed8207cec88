/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the body of a message part by part. Keeps a body within the limit whole. Of a larger one it
 * keeps the first BODY_KEPT_BYTES and hashes all, so that a body takes no more memory than the
 * limit, whatever size was announced. Source: docs/protocol.md, section 5.
 */
#ifndef ALLOT_CODEC_BODY_READER_H
#define ALLOT_CODEC_BODY_READER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/text.h"

struct digest;

/* A reader whose members are all zero is empty. */
struct body_reader {
    char *bytes;           /* in the caller's arena */
    size_t kept;           /* how many of the first bytes are kept */
    uint64_t size;         /* as announced */
    uint64_t received;     /* never more than `size` */
    struct digest *digest; /* owned; NULL: the body is kept whole */
};

struct whole_or_cut {
    struct text body;   /* in the caller's arena */
    uint64_t cut_size;  /* the size of a body that was cut; otherwise 0 */
    struct text sha256; /* of a body that was cut: of all of it, 64 hex digits; otherwise absent */
};

/* Returns how many bytes the reader takes from its arena. */
size_t body_reader_bytes(uint64_t size, size_t whole_max);
/* Begins a body of `size` bytes, which is kept whole if it has at most `whole_max`. */
void body_reader_begin(struct body_reader *reader, struct arena *arena, uint64_t size,
                       size_t whole_max);
/* Adds the next part. The parts together must not be larger than announced. */
void body_reader_add(struct body_reader *reader, const void *bytes, size_t length);
/* Returns the body after the last part. The reader is empty again. */
struct whole_or_cut body_reader_finish(struct body_reader *reader, struct arena *arena);
/* Frees what the reader owns. The reader is empty again. */
void body_reader_clear(struct body_reader *reader);

#endif
