/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/confirms.h"

#include <stdlib.h>

#include "common/amqp/ring.h"

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

bool confirms_add(struct confirms *confirms, uint64_t sequence)
{
    if (confirms->count == CONFIRMS_MAX)
        return false;
    confirms->ring = ring_grown(confirms->ring, confirms->first, confirms->count,
                                &confirms->capacity, sizeof *confirms->ring);
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
    if (tag < confirms->first_tag || confirms->count == 0)
        return false;
    /* The first one is never resolved (drop_resolved), so `multiple` always resolves the first. */
    uint64_t index = multiple ? 0 : tag - confirms->first_tag;
    if (index >= confirms->count || at(confirms, (size_t)index)->resolved)
        return false;
    struct confirm *confirm = at(confirms, (size_t)index);
    confirm->resolved = true;
    *ret_sequence = confirm->sequence;
    drop_resolved(confirms);
    return true;
}
