/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/incoming.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

enum { CAPACITY_MIN = 64 };

void incoming_clear(struct incoming *incoming)
{
    free(incoming->reason);
    arena_free(incoming->arena);
    memset(incoming, 0, sizeof *incoming);
}

static void grow(struct incoming_queue *queue)
{
    size_t capacity = queue->capacity > 0 ? queue->capacity * 2 : CAPACITY_MIN;
    struct incoming *items = memory_array(capacity, sizeof *items);
    for (size_t i = 0; i < queue->count; i++)
        items[i] = queue->items[(queue->first + i) % queue->capacity];
    free(queue->items);
    queue->items = items;
    queue->capacity = capacity;
    queue->first = 0;
}

void incoming_push(struct incoming_queue *queue, const struct incoming *incoming)
{
    if (queue->count == queue->capacity)
        grow(queue);
    queue->items[(queue->first + queue->count) % queue->capacity] = *incoming;
    queue->count++;
}

bool incoming_pop(struct incoming_queue *queue, struct incoming *ret_incoming)
{
    if (queue->count == 0)
        return false;
    *ret_incoming = queue->items[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    return true;
}

void incoming_queue_clear(struct incoming_queue *queue)
{
    struct incoming incoming;
    while (incoming_pop(queue, &incoming))
        incoming_clear(&incoming);
    free(queue->items);
    *queue = (struct incoming_queue){0};
}
