/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that goes all at once: a batch or a delivery allocates from its arena and frees the arena.
 * It knows nothing of what lies in it. Running out of memory aborts the process: an allocation that
 * fails is never reported, since a worker that dies loses nothing (the broker delivers again).
 */
#ifndef ALLOT_BASE_ARENA_H
#define ALLOT_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* A new arena whose first block holds `first_bytes` (0: a default). Owned by the caller. */
struct arena *arena_new(size_t first_bytes);
/* Frees it and all that came from it. NULL is allowed. */
void arena_free(struct arena *arena);
/* Forgets all that came from it, and keeps its largest block for the next use. */
void arena_reset(struct arena *arena);

/* `bytes` zeroed bytes, aligned for any type; never NULL, also for 0. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* `count` zeroed elements of `size` bytes; aborts where the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/*
 * Returns `items` with room for at least one more than `count` elements: the same array, or a
 * larger copy in the arena. Doubles `*capacity`. Pointers into the old array stay readable.
 */
void *arena_grown(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size);
/* The bytes that its blocks take from the heap. */
size_t arena_bytes(const struct arena *arena);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_array((arena), (count), sizeof(type)))

#endif
