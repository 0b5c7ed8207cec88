/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads letters for people: allotctl shows what these functions return. They change nothing, and
 * need no transaction. `store` is one of mongo_store_new() that is not in a transaction.
 */
#ifndef ALLOT_MONGO_LETTERS_READ_H
#define ALLOT_MONGO_LETTERS_READ_H

#include "common/mongo/mongo_store.h"

enum { LETTER_PREFIX_DIGITS_MIN = 8 };

/*
 * Finds the letter whose id begins with `prefix`, which may be the whole id. Sets `ret_matches` to
 * 0: there is none; 1: it is in `ret_record`, whose texts and lists are in `arena`; 2: there are
 * several. A prefix that is not LETTER_PREFIX_DIGITS_MIN to LETTER_ID_DIGITS hexadecimal digits, in
 * lower case, matches nothing. REFUSED: the stored document is malformed.
 */
enum store_status mongo_letter_find(struct store *store, struct text prefix, struct arena *arena,
                                    struct letter_record *ret_record, size_t *ret_matches,
                                    struct error *error);

/* Finds the letter that has this id in its `edited_to`: whose command was edited to that of the
   letter with this id. Sets its id, in `arena`; absent: there is none. */
enum store_status mongo_letter_edited_from(struct store *store, struct text id, struct arena *arena,
                                           struct text *ret_from, struct error *error);

/* What a list contains: letters with all that is given. An absent text asks for nothing. */
struct letter_filter {
    const struct text *ids; /* only these, if `id_count` is not 0 */
    size_t id_count;
    struct text reason;
    struct text principal;
    struct text command;
    struct text project;
    struct text group;
    bool has_provider; /* the letter names it */
    struct uuid provider;
    struct text run; /* of its latest replay */
    bool has_phase;  /* of its latest replay */
    enum letter_phase phase;
    bool has_state;
    enum letter_state state;
    int64_t since_ms; /* last dead-lettered at this time of the database or later; 0: at any time */
    int64_t until_ms; /* last dead-lettered before this time; 0: at any time */
    size_t limit;     /* at most so many letters */
};

/* The order of a list. LETTER_BY_PLACE is that of a run, which the filter must name. With a filter
   that has ids, mongo_letters_read() returns the order of the ids, and mongo_letters_each() has
   none. */
enum letter_order { LETTER_NEWEST_FIRST, LETTER_OLDEST_FIRST, LETTER_BY_PLACE };

/* A letter of a list. `arena` has its texts, and is emptied after the call. Returns false to end
   the list. */
typedef bool (*letter_visit)(void *context, const struct letter_record *record,
                             struct arena *arena);

/* Calls `visit` for each letter of the filter, in this order, with its headers, body and history if
   `whole`. REFUSED: a stored document is malformed. */
enum store_status mongo_letters_each(struct store *store, const struct letter_filter *filter,
                                     enum letter_order order, bool whole, letter_visit visit,
                                     void *context, struct error *error);

/* Letters of one cause. Texts are those of the sample. */
struct letter_group_row {
    struct text group;
    struct text reason;
    struct text command;
    struct text detail; /* without what differs from letter to letter */
    int64_t count;
    int64_t first_at_ms; /* of all its letters */
    int64_t last_at_ms;
    struct text sample; /* the id of the newest letter */
};

/* Groups letters, the group with the newest letter first, and at most filter->limit of them. Sets
   the list, which is in `arena`. Without a filter by anything but state, time and group it reads
   no letter but the samples, only an index. */
enum store_status mongo_letter_groups(struct store *store, const struct letter_filter *filter,
                                      struct arena *arena, struct letter_group_row **ret_groups,
                                      size_t *ret_count, struct error *error);

/* Letters that were read. */
struct letter_list {
    struct letter_record *records;
    size_t count;
};

/* Reads all letters of the filter in this order; the list is in `arena` with all its texts. With
   headers, bodies and histories if `whole`. REFUSED: a stored document is malformed. */
enum store_status mongo_letters_read(struct store *store, const struct letter_filter *filter,
                                     enum letter_order order, bool whole, struct arena *arena,
                                     struct letter_list *ret_list, struct error *error);

#endif
