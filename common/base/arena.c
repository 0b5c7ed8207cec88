/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

enum { FIRST_BYTES = 4096, GROWTH = 2, FIRST_CAPACITY = 16 };

struct block {
    struct block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *head; /* the newest block, which new allocations come from */
};

static struct block *block_new(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct block))
        memory_exhausted();
    struct block *block = malloc(sizeof *block + size);
    if (block == NULL)
        memory_exhausted();
    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

struct arena *arena_new(size_t first_bytes)
{
    struct arena *arena = malloc(sizeof *arena);
    if (arena == NULL)
        memory_exhausted();
    arena->head = block_new(first_bytes > 0 ? first_bytes : FIRST_BYTES);
    return arena;
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_free(struct arena *arena)
{
    if (arena == NULL)
        return;
    free_blocks(arena->head);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    /* Each new block is at least twice as large as the last, so the newest is the largest. */
    free_blocks(arena->head->next);
    arena->head->next = NULL;
    arena->head->used = 0;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    if (bytes > SIZE_MAX / (2 * GROWTH))
        memory_exhausted();
    size_t need = (bytes + align - 1) / align * align;
    struct block *head = arena->head;
    if (head->size - head->used < need) {
        struct block *block = block_new(larger(head->size * GROWTH, need));
        block->next = head;
        arena->head = head = block;
    }
    void *place = head->bytes + head->used;
    head->used += need;
    return memset(place, 0, need);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes))
        memory_exhausted();
    return arena_alloc(arena, bytes);
}

size_t arena_bytes(const struct arena *arena)
{
    size_t total = 0;
    for (const struct block *block = arena->head; block != NULL; block = block->next)
        total += block->size;
    return total;
}

void *arena_grown(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity > 0 ? *capacity * 2 : FIRST_CAPACITY;
    void *larger = arena_array(arena, *capacity, size);
    if (count > 0)
        memcpy(larger, items, count * size);
    return larger;
}
