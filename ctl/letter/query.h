/* SPDX-License-Identifier: Apache-2.0 */
/* Which letters a command is about: by its filters, or by their ids. */
#ifndef ALLOT_CTL_LETTER_QUERY_H
#define ALLOT_CTL_LETTER_QUERY_H

#include "common/mongo/letters_read.h"
#include "ctl/options.h"

enum { LETTER_TEXT_MAX = 10000 }; /* letters that --text looks at */

struct letter_query {
    struct letter_filter filter; /* with the limit; the caller sets it */
    struct text text;            /* in the detail, the key or the body; absent: any */
    enum letter_order order;     /* the caller sets it; at first the newest come first */
};

/* How far a query with a text came. */
struct letter_query_end {
    bool stopped;    /* after LETTER_TEXT_MAX letters, and there may be more */
    int64_t last_at; /* of the last one that was looked at */
};

/* Returns whether one of the filters is given. */
bool letter_query_has_filters(const struct options *options);

/* Reads the filters, as far as that needs no server. For a value that is invalid it prints an error
   on stderr and returns false. */
ALLOT_CHECK bool letter_query_check(const struct options *options);

/* Reads the filters; durations are before `now_ms`, the time of the database. `arena` has what is
   read. Returns false, with an error, if the database does not answer or has not the letter of
   --group. */
ALLOT_CHECK bool letter_query_read(const struct options *options, struct store *store,
                                   int64_t now_ms, struct arena *arena,
                                   struct letter_query *ret_query, struct error *error);

/* Calls `visit` for each letter of the query (mongo_letters_each). */
ALLOT_CHECK bool letter_query_each(const struct letter_query *query, struct store *store,
                                   bool whole, letter_visit visit, void *context,
                                   struct letter_query_end *ret_end, struct error *error);
/* Prints on stderr where a query with a text stopped, if it did. */
void letter_query_print_end(const struct letter_query *query, const struct letter_query_end *end);

/* Reads the id of a letter, or its first digits, into `ret_id`, in lower case. Otherwise prints an
   error on stderr and returns false. */
ALLOT_CHECK bool letter_id_read(const char *given, struct arena *arena, struct text *ret_id);
/* Finds one letter by its id or the first digits. Returns false, with an error, if none or several
   begin with them, or the database does not answer. */
ALLOT_CHECK bool letter_find_one(struct store *store, struct text id, struct arena *arena,
                                 struct letter_record *ret_record, struct error *error);

#endif
