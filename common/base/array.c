/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/array.h"

#include <stdlib.h>

void array_sort(void *items, size_t count, size_t size, array_compare compare)
{
    if (count > 0)
        qsort(items, count, size, compare);
}

void *array_find(const void *key, const void *items, size_t count, size_t size,
                 array_compare compare)
{
    /* The cast is for C libraries whose bsearch returns a const pointer from a const list. */
    return count > 0 ? (void *)bsearch(key, items, count, size, compare) : NULL;
}
