/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letters as lines of JSON, to keep them elsewhere and bring them back. A line is the stored
 * document in MongoDB's canonical extended JSON, which has the type of each value, so nothing is
 * lost.
 */
#ifndef ALLOT_MONGO_LETTER_LINES_H
#define ALLOT_MONGO_LETTER_LINES_H

#include "common/mongo/letters_read.h"

enum { LETTER_LINE_BYTES_MAX = 48 * 1024 * 1024 }; /* a document of 16 MiB, with room for base64 */

/* Handles one line, without its end; borrowed for the call. Returns false to end the export. */
typedef bool (*letter_line)(void *context, struct text line);

/* Calls `line` for each letter of the filter, the oldest first. `store` is one of
   mongo_store_new() that is not in a transaction. */
enum store_status mongo_letters_export(struct store *store, const struct letter_filter *filter,
                                       letter_line line, void *context, struct error *error);

/* Reads a line into a record, whose texts and lists are in `arena`. Returns false, with an error,
   if it is not a letter. */
ALLOT_CHECK bool letter_line_read(struct text line, struct arena *arena,
                                  struct letter_record *ret_record, struct error *error);

#endif
