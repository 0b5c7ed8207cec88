/* SPDX-License-Identifier: Apache-2.0 */
/* Sentinels (schema.h). Internal to common/mongo. */
#ifndef ALLOT_MONGO_SENTINEL_H
#define ALLOT_MONGO_SENTINEL_H

#include "common/mongo/session.h"

/* Returns whether the document is the sentinel of its collection. */
bool sentinel_is(const bson_t *document);
/* Sets `error`: the collection has no sentinel. Returns MISCONFIGURED. */
enum store_status sentinel_missing(enum mongo_collection collection, struct error *error);
/* Sets whether the collection has a sentinel. `options` are those of the find, as for the session
   of a transaction; NULL: none. */
enum store_status sentinel_look(struct mongo_store *store, enum mongo_collection collection,
                                const bson_t *options, bool *ret_found, struct error *error);
/* Deletes the sentinel, so that no transaction of any store can write; may fail. */
void sentinel_delete(struct mongo_store *store, enum mongo_collection collection);
/* Reads the sentinel in the transaction. MISCONFIGURED: there is none. */
enum store_status sentinel_check(struct mongo_store *store, enum mongo_collection collection,
                                 struct error *error);

#endif
