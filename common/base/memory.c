/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void memory_exhausted(void)
{
    (void)fputs("allot: out of memory\n", stderr);
    abort();
}

void *memory_array(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        memory_exhausted();
    return memory;
}

char *memory_string(const void *bytes, size_t length)
{
    char *string = memory_array(length + 1, 1);
    if (length > 0)
        memcpy(string, bytes, length);
    return string;
}

void *memory_grown(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity > 0 ? *capacity * 2 : FIRST_CAPACITY;
    void *larger = reallocarray(items, *capacity, size);
    if (larger == NULL)
        memory_exhausted();
    return larger;
}
