/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *memory_array(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        (void)fputs("allot: out of memory\n", stderr);
        abort();
    }
    return memory;
}

char *memory_string(const void *bytes, size_t length)
{
    char *string = memory_array(length + 1, 1);
    if (length > 0)
        memcpy(string, bytes, length);
    return string;
}
