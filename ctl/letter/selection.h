/* SPDX-License-Identifier: Apache-2.0 */
/* The letters that a command changes: fixed once, then read in blocks. */
#ifndef ALLOT_CTL_LETTER_SELECTION_H
#define ALLOT_CTL_LETTER_SELECTION_H

#include "ctl/desk_session.h"

enum { SELECTION_MAX = 1000 * 1000, SELECTION_BLOCK_MAX = 512 };

struct letter_selection {
    struct text *ids;
    int64_t *bytes; /* that each letter counts for */
    size_t count;
    size_t capacity, bytes_capacity;
    struct arena *arena;
};

/* Returns whether ids, a filter or --all say which letters; otherwise prints an error on stderr.
   Ids may not be given together with the others. */
ALLOT_CHECK bool letter_selection_check(const struct options *options);

/*
 * Selects the letters: those of the ids, in their order; or those of the filters, the oldest first,
 * that are open unless --state says otherwise. Returns false, with an error.
 */
ALLOT_CHECK bool letter_selection_read(const struct options *options,
                                       const struct desk_session *session, struct arena *arena,
                                       struct letter_selection *ret_selection, struct error *error);

/* Handles one block; the records are whole, in the order of the selection, and without those that
   are gone. `arena` has them, and is freed after the call. */
typedef bool (*letter_block)(void *context, struct letter_record *records, size_t count,
                             struct arena *arena, struct error *error);

/* Reads the selected letters in blocks of at most SELECTION_BLOCK_MAX, and 64 MiB. A call that
   returns false ends it. */
ALLOT_CHECK bool letter_selection_each(const struct letter_selection *selection,
                                       struct store *store, letter_block block, void *context,
                                       struct error *error);

#endif
