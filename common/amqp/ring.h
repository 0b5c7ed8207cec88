/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growth of a ring: an array of `capacity` elements whose `count` used ones begin at `first` and
 * wrap around at the end of the array. The owner indexes it with (first + i) % capacity.
 */
#ifndef ALLOT_AMQP_RING_H
#define ALLOT_AMQP_RING_H

#include <stddef.h>

/*
 * Returns `items` with room for at least one more than `count` elements: the same array, or a
 * larger one that replaces it. Doubles `*capacity`; `first` stays valid. The caller frees the array
 * with free().
 */
void *ring_grown(void *items, size_t first, size_t count, size_t *capacity, size_t size);

#endif
