/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/acks.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

enum { FIRST_CAPACITY = 256 };

void acks_clear(struct acks *acks)
{
    acks->prefix = 0;
    acks->count = 0;
}

void acks_free(struct acks *acks)
{
    free(acks->above);
    *acks = (struct acks){0};
}

void acks_note(struct acks *acks, uint64_t tag, bool told)
{
    acks->above = memory_grown(acks->above, acks->count, &acks->capacity, sizeof *acks->above);
    acks->above[acks->count++] = (struct finished_tag){tag, told};
}

static int compare_tags(const void *a, const void *b)
{
    const struct finished_tag *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

/*
 * Moves the prefix up over what is settled. The last of it that is news to the broker, or 0: that
 * is the one to name, since the broker closes the channel over a tag that it does not wait for.
 */
static uint64_t extend_prefix(struct acks *acks)
{
    uint64_t news = 0;
    size_t taken = 0;
    while (taken < acks->count && acks->above[taken].tag == acks->prefix + 1) {
        if (!acks->above[taken].told)
            news = acks->above[taken].tag;
        acks->prefix++;
        taken++;
    }
    acks->count -= taken;
    if (taken > 0 && acks->count > 0)
        memmove(acks->above, acks->above + taken, acks->count * sizeof *acks->above);
    return news;
}

bool acks_next(struct acks *acks, struct ack *ret_ack)
{
    if (acks->count == 0)
        return false;
    qsort(acks->above, acks->count, sizeof *acks->above, compare_tags);
    uint64_t news = extend_prefix(acks);
    if (news > 0) {
        *ret_ack = (struct ack){news, true};
        return true;
    }
    for (size_t i = 0; i < acks->count; i++) {
        if (acks->above[i].told)
            continue;
        acks->above[i].told = true;
        *ret_ack = (struct ack){acks->above[i].tag, false};
        return true;
    }
    return false;
}
