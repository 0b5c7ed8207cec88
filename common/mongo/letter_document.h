/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translates between letters and the documents of the collection `letters`. It does no I/O. A text
 * of a letter may have any bytes. It is stored as a string if it is valid UTF-8, which may contain
 * NUL, and as a binary otherwise: the server would take it as a string, but many clients, such as
 * mongosh, could not read the document. Internal to common/mongo.
 */
#ifndef ALLOT_MONGO_LETTER_DOCUMENT_H
#define ALLOT_MONGO_LETTER_DOCUMENT_H

#include "allot/attributes.h"
#include "allot/letter.h"
#include "common/mongo/libmongoc.h"

/* Appends a text of a letter: nothing if it is absent. */
void letter_append_text(bson_t *document, const char *key, struct text value);

/* Sets `ret_borrowed` to the text of a letter that an element holds. Returns false if it holds
   something else. */
ALLOT_CHECK bool letter_read_text(const bson_iter_t *iter, struct text *ret_borrowed);

/* Appends the operators of an upsert that inserts the letter, or adds to the stored one. A
   published letter expires `retention_ms` after `now_ms`. */
void letter_append_upsert(bson_t *update, const struct letter *letter, int64_t now_ms,
                          int64_t retention_ms);

/* Appends a whole document with all that the record has, but as one that is published: it expires
   `retention_ms` after `now_ms`. */
void letter_append_record(bson_t *document, const struct letter_record *record, int64_t now_ms,
                          int64_t retention_ms);

/* Appends {history: {$each: [entry], $slice: ...}}: the operand of $push for an entry that a worker
   did not make. */
void letter_append_action(bson_t *push, const struct letter_event *event);

/* Fills a record from a stored document. All texts and lists are copied into the arena. Returns
   false if the document is malformed; the record may then be filled in part. */
ALLOT_CHECK bool letter_read(const bson_t *document, struct arena *arena,
                             struct letter_record *ret_record);

/* Fills what is known of a stored letter. Texts are copied into the arena. Returns false if the
   document is malformed. */
ALLOT_CHECK bool letter_read_sighting(const bson_t *document, struct arena *arena,
                                      struct letter_sighting *ret_sighting);

#endif
