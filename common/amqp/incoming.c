/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/incoming.h"

#include <stdlib.h>
#include <string.h>

#include "common/amqp/ring.h"

void incoming_clear(struct incoming *incoming)
{
    free(incoming->reason);
    arena_free(incoming->arena);
    memset(incoming, 0, sizeof *incoming);
}

void incoming_push(struct incoming_queue *queue, const struct incoming *incoming)
{
    queue->ring =
        ring_grown(queue->ring, queue->first, queue->count, &queue->capacity, sizeof *queue->ring);
    queue->ring[(queue->first + queue->count) % queue->capacity] = *incoming;
    queue->count++;
}

bool incoming_pop(struct incoming_queue *queue, struct incoming *ret_incoming)
{
    if (queue->count == 0)
        return false;
    *ret_incoming = queue->ring[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
    return true;
}

void incoming_queue_clear(struct incoming_queue *queue)
{
    struct incoming incoming;
    while (incoming_pop(queue, &incoming))
        incoming_clear(&incoming);
    free(queue->ring);
    *queue = (struct incoming_queue){0};
}
