/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The repair of a database that lacks a part of its schema. What is missing is created by
 * mongo_prepare(). If that fails, and a unique index is missing, the sentinel of the collection is
 * deleted: so each transaction of each worker ends at its load, and is repaired or waits, until the
 * index is there. Otherwise documents that have to be unique could be written twice meanwhile, and
 * the index could not be made any more.
 *
 * If another worker has made the index just before the sentinel is deleted, the next transaction
 * writes the sentinel again: nothing else is missing then.
 */
#include "common/mongo/session.h"

#include "common/mongo/document.h"
#include "common/mongo/schema.h"
#include "common/mongo/schema_gap.h"

/* Returns whether each transaction ends that would write the collection. */
static bool stops_writes(enum mongo_collection collection, const struct schema_gap *gap)
{
    return gap->unique || (gap->sentinel && schema_sentinel_is_read(collection));
}

static enum store_status find_gaps(struct mongo_store *store, struct schema_gap *ret_gaps,
                                   struct store_gap *ret_gap, struct error *error)
{
    enum store_status status = STORE_OK;
    for (int i = 0; status == STORE_OK && i < MONGO_COLLECTION_COUNT; i++) {
        enum mongo_collection collection = (enum mongo_collection)i;
        status = schema_gap_find(store, collection, &ret_gaps[i], error);
        if (status != STORE_OK)
            break;
        schema_gap_add_names(&ret_gaps[i], collection, &ret_gap->names);
        ret_gap->stops_writes |= stops_writes(collection, &ret_gaps[i]);
    }
    return status;
}

/* A failure does not matter: the next repair tries again. */
static void delete_sentinel(struct mongo_store *store, enum mongo_collection collection)
{
    bson_t *selector = document_from_json("{\"_id\": \"" SCHEMA_SENTINEL "\"}");
    (void)mongoc_collection_delete_one(store->collections[collection], selector, NULL, NULL, NULL);
    bson_destroy(selector);
}

enum store_status mongo_repair(struct store *base, struct store_gap *ret_gap, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct schema_gap gaps[MONGO_COLLECTION_COUNT];
    *ret_gap = (struct store_gap){.names = {""}};
    enum store_status status = find_gaps(store, gaps, ret_gap, error);
    if (status != STORE_OK || ret_gap->names.text[0] == '\0')
        return status;
    status = mongo_prepare(base, error);
    for (int i = 0; status != STORE_OK && i < MONGO_COLLECTION_COUNT; i++) {
        if (gaps[i].unique && !gaps[i].sentinel)
            delete_sentinel(store, (enum mongo_collection)i);
    }
    return status;
}
