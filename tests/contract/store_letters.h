/* SPDX-License-Identifier: Apache-2.0 */
/* Letters for the tests of the storage port: how to make, write, read and compare them. */
#ifndef ALLOT_STORE_LETTERS_H
#define ALLOT_STORE_LETTERS_H

#include "tests/contract/store_world.h"

/* Makes the id of a letter, which is unique. The world's arena owns it. */
struct text world_letter_id(struct store_world *world);
/* Makes a letter with a new id, and a value in each of its members. */
struct letter full_letter(struct store_world *world);
/* Makes a letter with a new id, a source and nothing else. */
struct letter bare_letter(struct store_world *world);

enum store_status session_write_letters(struct session *session, const struct letter *letters,
                                        size_t count);
/* Writes letters in a transaction of their own. */
void world_add_letters(struct store_world *world, const struct letter *letters, size_t count);
void world_add_letter(struct store_world *world, const struct letter *letter);

enum store_status session_publish(struct session *session, const struct text *ids, size_t count);
enum store_status session_refuse(struct session *session, struct text id, struct text reason);

/* Looks for one letter; its texts are in the session's arena. */
struct letter_sighting session_find(struct session *session, struct text id);

struct claimed {
    struct letter *letters; /* in the session's arena */
    size_t count;
};
/* Claims up to `max` letters. */
struct claimed session_claim(struct session *session, size_t max);
/* As session_claim(), but bounds the bytes as well, and returns the status. */
enum store_status session_try_claim(struct session *session, size_t max, size_t bytes_max,
                                    struct claimed *ret_claimed);

/* Gives a stored letter another state, past the port. */
void world_set_state(struct store_world *world, struct text id, enum letter_state new_state);
/* Lets the time pass for all letters. On MongoDB it changes the times in the documents. */
void world_pass_time(struct store_world *world, int64_t by_ms);
/* Marks all letters as published, so that the next test finds none to claim. */
void world_publish_all(struct store_world *world);
/* Returns what is stored under the id, in the world's arena. `ret_stored` may be NULL; then the
   letter must exist. */
struct letter_record world_letter(struct store_world *world, struct text id, bool *ret_stored);

/* Compare all members but `times` and `at_ms`. */
void assert_same_letter(const struct letter *expected, const struct letter *actual);

#endif
