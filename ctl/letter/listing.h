/* SPDX-License-Identifier: Apache-2.0 */
/* Letters that are collected before they are printed; what lists of letters have in common. */
#ifndef ALLOT_CTL_LETTER_LISTING_H
#define ALLOT_CTL_LETTER_LISTING_H

#include "allot/letter.h"

struct letter_listing {
    struct arena *arena; /* has the records */
    struct letter_record *records;
    size_t count;
    size_t capacity;
    size_t limit;
};

/* Adds a copy of the record; a letter_visit (common/mongo/letters_read.h), whose context is the
   listing. Returns false when the limit is reached. */
bool letter_listing_add(void *context, const struct letter_record *record, struct arena *arena);

/* Returns the detail as a list shows it, in `arena`: without a terminal, only its first part; on a
   terminal the table itself cuts. */
struct text letter_listing_detail(struct text detail, struct arena *arena);

#endif
