/* SPDX-License-Identifier: Apache-2.0 */
/* A class of a provider as a bar of what is used, reserved and free, with the numbers in words. */
#ifndef ALLOT_CTL_WEB_BAR_H
#define ALLOT_CTL_WEB_BAR_H

#include "common/core/snapshot.h"
#include "ctl/web/html.h"

/* Amounts after the allocation ratio, so that they can be compared with what is used. */
struct bar {
    struct text resource_class;
    int64_t used;
    int64_t reserved;
    int64_t free; /* 0 if more is used than there is */
    int64_t over; /* used beyond the capacity */
};

struct bar bar_of(const struct inventory_record *record);
/* Adds the amounts of `other`, of the same class. A sum beyond 64 bits stays at the largest. */
void bar_add(struct bar *bar, const struct bar *other);
/* Writes the bar. `record` gives total and ratio; NULL: it is a sum. */
void bar_write(struct html *html, const struct bar *bar, const struct inventory_record *record);

#endif
