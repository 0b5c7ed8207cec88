/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the database lacks of its schema: collections, validators, indexes and sentinels that are
 * missing, or differ from schema.c. Only reads. Internal to common/mongo.
 */
#ifndef ALLOT_MONGO_SCHEMA_GAP_H
#define ALLOT_MONGO_SCHEMA_GAP_H

#include "common/mongo/session.h"

/* What one collection lacks. A collection that does not exist lacks all. */
struct schema_gap {
    bool collection;
    bool validation;  /* the validator, or the way in which the server applies it */
    uint32_t indexes; /* bit i: the index i of schema_indexes(), from 0 */
    bool unique;      /* one of these indexes is unique */
    bool sentinel;
};

/* Compares a collection with its schema. Not in a transaction. */
enum store_status schema_gap_find(struct mongo_store *store, enum mongo_collection collection,
                                  struct schema_gap *ret_gap, struct error *error);

bool schema_gap_is_none(const struct schema_gap *gap);

/* Adds what the collection lacks to a list for people: "providers: index 'name', sentinel". A list
   that is longer than an error's text is truncated. */
void schema_gap_add_names(const struct schema_gap *gap, enum mongo_collection collection,
                          struct error *list);

#endif
