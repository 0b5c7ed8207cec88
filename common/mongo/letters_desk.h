/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of letters that people make: allotctl calls these functions. Each is one durable write
 * (majority) outside of any transaction, and adds an entry to the history of each letter that it
 * changes. `store` is one of mongo_store_new() that is not in a transaction. REFUSED: the database
 * has validators of an older version of allotd.
 */
#ifndef ALLOT_MONGO_LETTERS_DESK_H
#define ALLOT_MONGO_LETTERS_DESK_H

#include "common/mongo/mongo_store.h"

/* An entry for the history. Absent texts are left out. */
struct letter_note {
    enum letter_action action;
    struct text by;
    struct text note;
    struct text key;
};

/* Which letters a change concerns: those of the ids that are in one of the states. */
struct letter_set {
    const struct text *ids;
    size_t count;
    bool states[LETTER_DISCARDED + 1]; /* by enum letter_state */
    int64_t last_at_ms; /* only if it was not dead-lettered after this time; 0: at any time */
};

/* Sets the state of the letters. Sets how many were changed. */
enum store_status mongo_letters_close(struct store *store, const struct letter_set *set,
                                      enum letter_state state, const struct letter_note *note,
                                      size_t *ret_changed, struct error *error);

/* A change of one letter. */
struct letter_change {
    struct text id;
    bool from[LETTER_DISCARDED + 1]; /* only if it is in one of these states */
    int64_t last_at_ms;              /* as in struct letter_set */
    enum letter_state to;
    struct letter_note note;
};

/* Makes the changes, in this order, in one write. Sets how many letters were changed; which ones,
   only reading them tells. */
enum store_status mongo_letters_change(struct store *store, const struct letter_change *changes,
                                       size_t count, size_t *ret_changed, struct error *error);

/* Makes open letters, in this order, the letters of a run: SELECTED, with their places from
   replay->place on. Of `replay`, also `run` and `by` count. Adds no history. */
enum store_status mongo_letters_select(struct store *store, const struct letter_replay *replay,
                                       const struct text *ids, size_t count, size_t *ret_changed,
                                       struct error *error);
/* Gives an open letter the key for its replays, unless another call has changed its key since it
   was read: `old_key` is what it had, or absent. Adds no history. */
enum store_status mongo_letter_set_key(struct store *store, struct text id, struct text old_key,
                                       struct text new_key, bool *ret_changed, struct error *error);
/* Links a letter to the command that is sent in its place, under note->key: sets `edited_to`; the
   letter becomes replayed, and SENDING in the run. Only if it is open, or already SENDING an edited
   command under this key. */
enum store_status mongo_letter_set_edited(struct store *store, struct text id, struct text run,
                                          struct text edited_to, const struct letter_note *note,
                                          bool *ret_changed, struct error *error);
/* The letters of the run become replayed and SENDING: those that are open and SELECTED. They are
   not linked to an edited command any more. */
enum store_status mongo_letters_begin_send(struct store *store, struct text run,
                                           const struct text *ids, size_t count,
                                           const struct letter_note *note, size_t *ret_changed,
                                           struct error *error);
/* Those of the run that are SENDING become SENT. */
enum store_status mongo_letters_end_send(struct store *store, struct text run,
                                         const struct text *ids, size_t count, struct error *error);

/* Stores letters that were exported, with all that they had, but not as unpublished. A letter whose
   id is stored already is left as it is. Sets how many were stored. */
enum store_status mongo_letters_insert(struct store *store, const struct letter_record *records,
                                       size_t count, size_t *ret_inserted, struct error *error);

#endif
