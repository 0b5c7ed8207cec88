/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of the database, as data: validators and indexes. Internal to common/mongo. */
#ifndef ALLOT_MONGO_SCHEMA_H
#define ALLOT_MONGO_SCHEMA_H

#include "common/mongo/pool.h"

/* The version of the schema, which each worker writes into its document in `workers`. It grows with
   each change of a validator or a unique index, and with each other change that an older version
   could not work with. While a worker with a newer one runs, others repair nothing (repair.c). */
enum { SCHEMA_VERSION = 2 };

/*
 * The _id of the sentinel of each collection: a document that is written after the validator and
 * the indexes exist. If somebody drops the collection, it is gone, although the next insert makes
 * the collection again, without validator and indexes. Transactions read the sentinels of the
 * collections in which something is lost or written twice without them:
 *   providers, consumers, outcomes   at the first load
 *   letters                          before the first letter is written
 * A drop then waits for the end of the transaction. The others are only looked at by a repair, once
 * a minute (repair.c):
 *   attempts, workers, notifications
 *                       written outside of transactions. Nothing but _id is unique; until the
 *                       repair only their expiry waits, and what they hold counts as before
 *   fences              the same. The transactions write it, but only to exclude each other, which
 *                       needs no index but that of _id
 */
#define SCHEMA_SENTINEL "allotd.sentinel"

/* Returns whether transactions that write the collection read its sentinel before. */
bool schema_sentinel_is_read(enum mongo_collection collection);

/* Returns a collection's validator, as JSON: a $jsonSchema, which the sentinel need not fit.
   Static. */
const char *schema_validator(enum mongo_collection collection);
/* Returns its validationLevel. Static. */
const char *schema_validation_level(enum mongo_collection collection);
/* The validationAction of all collections. */
#define SCHEMA_VALIDATION_ACTION "error"
/* Returns the indexes beside that of _id, as a JSON array for the command createIndexes; NULL if
   there are none. Static. */
const char *schema_indexes(enum mongo_collection collection);
/* Compares two key patterns. Their numbers may have any type: 1 and 1.0 make the same index. */
bool schema_same_pattern(const bson_t *one, const bson_t *other);
/* Returns whether an index of this schema, or that of _id, keeps the keys of this pattern unique,
   in any collection. */
bool schema_is_unique(const bson_t *pattern);

#endif
