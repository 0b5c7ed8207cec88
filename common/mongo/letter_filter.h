/* SPDX-License-Identifier: Apache-2.0 */
/* A filter of letters as a query. Internal to common/mongo. */
#ifndef ALLOT_MONGO_LETTER_FILTER_H
#define ALLOT_MONGO_LETTER_FILTER_H

#include "common/mongo/letters_read.h"
#include "common/mongo/libmongoc.h"
#include "common/mongo/session.h"

/* Appends the conditions of the filter, but for its limit. */
void letter_filter_append(bson_t *query, const struct letter_filter *filter);

/* Returns a find with the filter, in this order, with headers, bodies and histories if `whole`;
   NULL if the filter's limit is 0. The caller owns the cursor. */
mongoc_cursor_t *letter_filter_find(struct mongo_store *store, const struct letter_filter *filter,
                                    enum letter_order order, bool whole);

#endif
