/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/acks.h"

#include <stdlib.h>

#include "common/amqp/ring.h"
#include "common/base/memory.h"

enum tag_state { TAG_OPEN, TAG_FINISHED, TAG_SENT /* an ack or a nack */ };

/* A tag further ahead is not noted in the window: only a mistake of the caller could fill it. Such
   a tag is acknowledged singly, and no run passes it. */
enum { WINDOW_TAGS_MAX = 64 * 1024 * 1024 };

void acks_restart(struct acks *acks)
{
    acks->prefix = 0;
    acks->first = acks->count = 0;
    acks->next_unsent = acks->unsent_count = 0;
}

void acks_clear(struct acks *acks)
{
    free(acks->window);
    free(acks->unsent);
    *acks = (struct acks){0};
}

/* --- finished tags -------------------------------------------------------------------------- */

/* Returns the state of a tag in the window. */
static uint8_t *state_of(struct acks *acks, uint64_t tag)
{
    acks->steps++;
    return &acks->window[(acks->first + (size_t)(tag - acks->prefix - 1)) % acks->capacity];
}

/* Extends the window to `tag`; the tags in between are open. Returns false if it cannot have a
   state: it is acknowledged already, or too far ahead. */
static bool reach(struct acks *acks, uint64_t tag)
{
    if (tag <= acks->prefix || tag - acks->prefix > WINDOW_TAGS_MAX)
        return false;
    while (acks->count < tag - acks->prefix) {
        acks->window = ring_grown(acks->window, acks->first, acks->count, &acks->capacity,
                                  sizeof *acks->window);
        acks->count++;
        *state_of(acks, acks->prefix + acks->count) = TAG_OPEN;
    }
    return true;
}

/* Sets the state of an open tag. Returns false if the tag is not open in the window. */
static bool finish(struct acks *acks, uint64_t tag, enum tag_state state)
{
    if (!reach(acks, tag) || *state_of(acks, tag) != TAG_OPEN)
        return false;
    *state_of(acks, tag) = (uint8_t)state;
    return true;
}

void acks_add(struct acks *acks, uint64_t tag)
{
    bool known = finish(acks, tag, TAG_FINISHED);
    acks->unsent = memory_grown(acks->unsent, acks->unsent_count, &acks->unsent_capacity,
                                sizeof *acks->unsent);
    acks->unsent[acks->unsent_count++] = (struct unsent_tag){tag, known};
    acks->sorted = false;
}

void acks_add_nacked(struct acks *acks, uint64_t tag)
{
    (void)finish(acks, tag, TAG_SENT);
}

/* --- acks ----------------------------------------------------------------------------------- */

/*
 * Advances the prefix over the finished tags that follow it. Returns the last of them that was not
 * sent yet, or 0. An ack with `multiple` has to name that one: RabbitMQ closes the channel (406)
 * over a tag that was acked or nacked before.
 */
static uint64_t extend_prefix(struct acks *acks)
{
    uint64_t last_unsent = 0;
    while (acks->count > 0) {
        uint8_t state = *state_of(acks, acks->prefix + 1);
        if (state == TAG_OPEN)
            break;
        acks->prefix++;
        acks->first = (acks->first + 1) % acks->capacity;
        acks->count--;
        if (state == TAG_FINISHED)
            last_unsent = acks->prefix;
    }
    return last_unsent;
}

static int compare_tags(const void *a, const void *b)
{
    const struct unsent_tag *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

static void sort_unsent(struct acks *acks)
{
    if (!acks->sorted)
        qsort(acks->unsent + acks->next_unsent, acks->unsent_count - acks->next_unsent,
              sizeof *acks->unsent, compare_tags);
    acks->sorted = true;
}

/* Takes the lowest unsent tag. Returns false if there is none. */
static bool take_unsent(struct acks *acks, struct unsent_tag *ret_unsent)
{
    if (acks->next_unsent == acks->unsent_count) {
        acks->next_unsent = acks->unsent_count = 0;
        return false;
    }
    acks->steps++;
    *ret_unsent = acks->unsent[acks->next_unsent++];
    return true;
}

bool acks_next(struct acks *acks, struct ack *ret_ack)
{
    uint64_t last_unsent = extend_prefix(acks);
    if (last_unsent > 0) {
        *ret_ack = (struct ack){last_unsent, true};
        return true;
    }
    struct unsent_tag unsent;
    if (acks->next_unsent < acks->unsent_count)
        sort_unsent(acks);
    while (take_unsent(acks, &unsent)) {
        if (unsent.known && unsent.tag <= acks->prefix)
            continue; /* an ack with `multiple` was sent for it */
        if (unsent.known)
            *state_of(acks, unsent.tag) = TAG_SENT;
        *ret_ack = (struct ack){unsent.tag, false};
        return true;
    }
    return false;
}
