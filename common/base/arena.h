/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena: a region of memory that is freed as a whole. Each batch and each delivery has its own.
 * No function reports a failed allocation: each aborts the process when there is no memory. That
 * loses nothing, because the broker delivers unacknowledged commands again.
 */
#ifndef ALLOT_BASE_ARENA_H
#define ALLOT_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* --- life cycle --- */

/* Creates an arena whose first block has `first_bytes` bytes (0: a default). The caller owns it. */
struct arena *arena_new(size_t first_bytes);
/* Frees the arena and everything allocated from it. NULL is allowed. */
void arena_free(struct arena *arena);
/* Frees everything allocated from the arena, but keeps its largest block for the next use. */
void arena_reset(struct arena *arena);

/* --- allocation: the arena owns what these return --- */

/* Allocates `bytes` zeroed bytes, aligned for any type. Never returns NULL, also for 0 bytes. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* Allocates `count` zeroed elements of `size` bytes. Aborts if the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/*
 * Returns `items` with room for at least one more than `count` elements: the same array, or a
 * larger copy in the arena. Doubles `*capacity`. Pointers into the old array stay readable.
 */
void *arena_grown(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_array((arena), (count), sizeof(type)))

/* --- queries --- */

/* Returns the size of all blocks of the arena, used or not. */
size_t arena_bytes(const struct arena *arena);

#endif
