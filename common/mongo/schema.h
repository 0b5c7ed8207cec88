/* SPDX-License-Identifier: Apache-2.0 */
/* What the database has to look like: data only. Inside of common/mongo. */
#ifndef ALLOT_MONGO_SCHEMA_H
#define ALLOT_MONGO_SCHEMA_H

#include "common/mongo/pool.h"

/* A $jsonSchema validator, as JSON. */
const char *schema_validator(enum mongo_collection collection);
/* The indexes beside that of _id, as the JSON array of `createIndexes`; NULL where there is none.
 */
const char *schema_indexes(enum mongo_collection collection);

#endif
