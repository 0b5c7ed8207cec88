/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap memory for objects that do not belong to an arena. Each function aborts the process when
 * there is no memory. That loses nothing, because the broker delivers unacknowledged commands
 * again.
 */
#ifndef ALLOT_BASE_MEMORY_H
#define ALLOT_BASE_MEMORY_H

#include <stddef.h>

/* Prints "allot: out of memory" to stderr and aborts. */
_Noreturn void memory_exhausted(void);
/* Allocates `count` zeroed elements of `size` bytes; the caller frees them with free(). */
void *memory_array(size_t count, size_t size);
#define MEMORY_NEW(type) ((type *)memory_array(1, sizeof(type)))
/* Copies `length` bytes to a new C string; the caller frees it with free(). */
char *memory_string(const void *bytes, size_t length);
/*
 * Returns `items` with room for at least one more than `count` elements: the same array, or a
 * larger one that replaces it, whose new elements are not set. Doubles `*capacity`. The caller
 * frees the array with free().
 */
void *memory_grown(void *items, size_t count, size_t *capacity, size_t size);

#endif
