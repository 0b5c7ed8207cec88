/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/ring.h"

#include <string.h>

#include "common/base/memory.h"

void *ring_grown(void *items, size_t first, size_t count, size_t *capacity, size_t size)
{
    size_t old_capacity = *capacity;
    char *grown = memory_grown(items, count, capacity, size);
    /* A ring grows only when it is full, so its wrapped part is [0, first). That part has to follow
       the last element of the old array. */
    if (*capacity > old_capacity && first > 0)
        memcpy(grown + old_capacity * size, grown, first * size);
    return grown;
}
