/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of the database, as data: validators and indexes. Internal to common/mongo. */
#ifndef ALLOT_MONGO_SCHEMA_H
#define ALLOT_MONGO_SCHEMA_H

#include "common/mongo/pool.h"

/* The version of the schema, which each worker writes into its document in `workers`. It grows with
   each change that an older version could not work with. */
enum { SCHEMA_VERSION = 1 };

/* Returns a collection's $jsonSchema validator, as JSON. Static. */
const char *schema_validator(enum mongo_collection collection);
/* Returns the indexes beside that of _id, as a JSON array for the command createIndexes; NULL if
   there are none. Static. */
const char *schema_indexes(enum mongo_collection collection);
/* Returns whether an index of this schema, or that of _id, keeps the keys of this pattern unique,
   in any collection. */
bool schema_is_unique(const bson_t *pattern);

#endif
