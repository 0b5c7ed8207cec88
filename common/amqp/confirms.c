/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/confirms.h"

#include <stdlib.h>

#include "common/base/memory.h"

enum { CAPACITY_MIN = 256 };

struct confirm {
    uint64_t sequence;
    bool resolved;
};

void confirms_restart(struct confirms *confirms)
{
    confirms->first = 0;
    confirms->count = 0;
    confirms->first_tag = 1;
}

void confirms_clear(struct confirms *confirms)
{
    free(confirms->ring);
    *confirms = (struct confirms){.first_tag = 1};
}

static struct confirm *at(struct confirms *confirms, size_t index)
{
    return &confirms->ring[(confirms->first + index) % confirms->capacity];
}

static void grow(struct confirms *confirms)
{
    size_t capacity = confirms->capacity > 0 ? confirms->capacity * 2 : CAPACITY_MIN;
    struct confirm *ring = memory_array(capacity, sizeof *ring);
    for (size_t i = 0; i < confirms->count; i++)
        ring[i] = *at(confirms, i);
    free(confirms->ring);
    confirms->ring = ring;
    confirms->capacity = capacity;
    confirms->first = 0;
}

bool confirms_add(struct confirms *confirms, uint64_t sequence)
{
    if (confirms->count == CONFIRMS_MAX)
        return false;
    if (confirms->count == confirms->capacity)
        grow(confirms);
    *at(confirms, confirms->count) = (struct confirm){sequence, false};
    confirms->count++;
    return true;
}

static void drop_resolved(struct confirms *confirms)
{
    while (confirms->count > 0 && at(confirms, 0)->resolved) {
        confirms->first = (confirms->first + 1) % confirms->capacity;
        confirms->first_tag++;
        confirms->count--;
    }
}

bool confirms_resolve(struct confirms *confirms, uint64_t tag, bool multiple,
                      uint64_t *ret_sequence)
{
    /* The oldest is never a resolved one, so "all up to" is a matter of the first alone. */
    if (tag < confirms->first_tag || confirms->count == 0)
        return false;
    uint64_t index = multiple ? 0 : tag - confirms->first_tag;
    if (index >= confirms->count || at(confirms, (size_t)index)->resolved)
        return false;
    struct confirm *confirm = at(confirms, (size_t)index);
    confirm->resolved = true;
    *ret_sequence = confirm->sequence;
    drop_resolved(confirms);
    return true;
}
