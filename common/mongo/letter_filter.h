/* SPDX-License-Identifier: Apache-2.0 */
/* A filter of letters as a query. Internal to common/mongo. */
#ifndef ALLOT_MONGO_LETTER_FILTER_H
#define ALLOT_MONGO_LETTER_FILTER_H

#include "common/mongo/letters_read.h"
#include "common/mongo/libmongoc.h"

/* Appends the conditions of the filter, but for its limit. */
void letter_filter_append(bson_t *query, const struct letter_filter *filter);

#endif
