/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qsort() and bsearch() for arrays that may be empty. The C library forbids a NULL array even where
 * it has no elements, and an empty array here usually is NULL.
 */
#ifndef ALLOT_BASE_ARRAY_H
#define ALLOT_BASE_ARRAY_H

#include <stddef.h>

/* Compares as for qsort() and bsearch(): negative, 0 or positive. */
typedef int (*array_compare)(const void *a, const void *b);

/* Sorts `count` elements of `size` bytes in place. */
void array_sort(void *items, size_t count, size_t size, array_compare compare);
/*
 * Finds an element that is equal to `key` in a sorted array; returns a pointer into the array, or
 * NULL. `compare` is called with the key first.
 */
void *array_find(const void *key, const void *items, size_t count, size_t size,
                 array_compare compare);

#endif
