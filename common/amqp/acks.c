/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/acks.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

void acks_restart(struct acks *acks)
{
    acks->prefix = 0;
    acks->count = 0;
}

void acks_clear(struct acks *acks)
{
    free(acks->above);
    *acks = (struct acks){0};
}

static void add(struct acks *acks, uint64_t tag, bool sent)
{
    acks->above = memory_grown(acks->above, acks->count, &acks->capacity, sizeof *acks->above);
    acks->above[acks->count++] = (struct finished_tag){tag, sent};
}

void acks_add(struct acks *acks, uint64_t tag)
{
    add(acks, tag, false);
}

void acks_add_nacked(struct acks *acks, uint64_t tag)
{
    add(acks, tag, true);
}

static int compare_tags(const void *a, const void *b)
{
    const struct finished_tag *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

/*
 * Advances the prefix over the finished tags that follow it. Returns the last of them that was not
 * sent yet, or 0. An ack with `multiple` has to name that one: RabbitMQ closes the channel (406)
 * over a tag that was acked or nacked before.
 */
static uint64_t extend_prefix(struct acks *acks)
{
    uint64_t last_unsent = 0;
    size_t done = 0;
    while (done < acks->count && acks->above[done].tag == acks->prefix + 1) {
        if (!acks->above[done].sent)
            last_unsent = acks->above[done].tag;
        acks->prefix++;
        done++;
    }
    acks->count -= done;
    if (done > 0 && acks->count > 0)
        memmove(acks->above, acks->above + done, acks->count * sizeof *acks->above);
    return last_unsent;
}

bool acks_next(struct acks *acks, struct ack *ret_ack)
{
    if (acks->count == 0)
        return false;
    qsort(acks->above, acks->count, sizeof *acks->above, compare_tags);
    uint64_t last_unsent = extend_prefix(acks);
    if (last_unsent > 0) {
        *ret_ack = (struct ack){last_unsent, true};
        return true;
    }
    for (size_t i = 0; i < acks->count; i++) {
        if (acks->above[i].sent)
            continue;
        acks->above[i].sent = true;
        *ret_ack = (struct ack){acks->above[i].tag, false};
        return true;
    }
    return false;
}
