/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The repair of a database that lacks a part of its schema. What is missing is created by
 * mongo_prepare(). If that fails, and a unique index is missing still, the sentinel of the
 * collection is deleted: so each transaction of each worker ends at its load, and is repaired or
 * waits, until the index is there. Otherwise documents that have to be unique could be written
 * twice meanwhile, and the index could not be made any more. All else does not stop transactions.
 *
 * While a worker with a newer schema runs, nothing is repaired: what differs from this version's
 * schema is what the newer one has made, and it repairs the rest.
 *
 * If another worker has made the index just before the sentinel is deleted, the next transaction
 * writes the sentinel again: nothing else is missing then.
 */
#include "common/mongo/session.h"

#include <stdio.h>

#include "common/mongo/document.h"
#include "common/mongo/schema.h"
#include "common/mongo/schema_gap.h"
#include "common/mongo/sentinel.h"

/* A worker reports every 5 s. */
#define RUNS_WITHIN_MS "15000"

static enum store_status note_row(void *context, const bson_t *document, struct error *error)
{
    (void)document;
    (void)error;
    *(bool *)context = true;
    return STORE_OK;
}

static enum store_status find_newer(struct mongo_store *store, bool *ret_newer, struct error *error)
{
    char json[256];
    bson_t options = BSON_INITIALIZER;
    (void)snprintf(json, sizeof json,
                   "{\"state\": \"%s\", \"schema\": {\"$gt\": %d}, \"$expr\": {\"$gt\": [\"$at\", "
                   "{\"$subtract\": [\"$$NOW\", " RUNS_WITHIN_MS "]}]}}",
                   worker_state_name(WORKER_RUNNING), SCHEMA_VERSION);
    bson_t *filter = document_from_json(json);
    BSON_APPEND_INT64(&options, "limit", 1);
    BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
    *ret_newer = false;
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collections[MONGO_WORKERS], filter, &options, NULL);
    enum store_status status =
        mongo_each_row(store, PHASE_PREPARE, cursor, note_row, ret_newer, error);
    bson_destroy(&options);
    bson_destroy(filter);
    return status;
}

/* Returns whether each transaction ends that would write the collection. */
static bool stops_writes(enum mongo_collection collection, const struct schema_gap *gap)
{
    return gap->unique || (gap->sentinel && schema_sentinel_is_read(collection));
}

/* What all collections lack. */
struct look {
    struct schema_gap gaps[MONGO_COLLECTION_COUNT];
    struct error names;
    bool stops_writes;
};

static enum store_status look_at_all(struct mongo_store *store, struct look *ret_look,
                                     struct error *error)
{
    *ret_look = (struct look){.names = {""}};
    for (int i = 0; i < MONGO_COLLECTION_COUNT; i++) {
        enum mongo_collection collection = (enum mongo_collection)i;
        struct schema_gap *gap = &ret_look->gaps[i];
        enum store_status status = schema_gap_find(store, collection, gap, error);
        if (status != STORE_OK)
            return status;
        schema_gap_add_names(gap, collection, &ret_look->names);
        ret_look->stops_writes |= stops_writes(collection, gap);
    }
    return STORE_OK;
}

/* Looks what is missing still, after a repair that failed, and stops the writes if names could be
   given twice. If it cannot look, nothing is known to have changed. */
static void look_again(struct mongo_store *store, struct store_gap *gap)
{
    struct look look;
    gap->left = gap->names;
    if (look_at_all(store, &look, NULL) != STORE_OK)
        return;
    gap->left = look.names;
    gap->stops_writes = look.stops_writes;
    for (int i = 0; i < MONGO_COLLECTION_COUNT; i++) {
        if (look.gaps[i].unique && !look.gaps[i].sentinel)
            sentinel_delete(store, (enum mongo_collection)i);
    }
}

enum store_status mongo_repair(struct store *base, struct store_gap *ret_gap, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct look look;
    bool newer = false;
    *ret_gap = (struct store_gap){.names = {""}, .left = {""}};
    enum store_status status = find_newer(store, &newer, error);
    if (status == STORE_OK && !newer)
        status = look_at_all(store, &look, error);
    if (status != STORE_OK || newer)
        return status;
    ret_gap->names = look.names;
    ret_gap->stops_writes = look.stops_writes;
    if (look.names.text[0] == '\0')
        return STORE_OK;
    status = mongo_prepare(base, error);
    if (status != STORE_OK)
        look_again(store, ret_gap);
    return status;
}
