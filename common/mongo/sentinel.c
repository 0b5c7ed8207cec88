/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/sentinel.h"

#include <string.h>

#include "common/mongo/document.h"
#include "common/mongo/schema.h"

bool sentinel_is(const bson_t *document)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, document, "_id") && BSON_ITER_HOLDS_UTF8(&iter) &&
           strcmp(bson_iter_utf8(&iter, NULL), SCHEMA_SENTINEL) == 0;
}

enum store_status sentinel_missing(enum mongo_collection collection, struct error *error)
{
    error_set(error,
              "mongodb: the collection '%s' was dropped, or is not prepared: it has no sentinel",
              mongo_collection_name(collection));
    return STORE_MISCONFIGURED;
}

static bson_t *new_selector(void)
{
    return document_from_json("{\"_id\": \"" SCHEMA_SENTINEL "\"}");
}

static enum store_status found(void *context, const bson_t *document, struct error *error)
{
    (void)error;
    *(bool *)context = sentinel_is(document);
    return STORE_OK;
}

enum store_status sentinel_look(struct mongo_store *store, enum mongo_collection collection,
                                const bson_t *options, bool *ret_found, struct error *error)
{
    bson_t *filter = new_selector();
    bson_t limited = BSON_INITIALIZER;
    enum mongo_phase phase = options == NULL ? PHASE_PREPARE : PHASE_RUN;
    *ret_found = false;
    if (options != NULL)
        bson_concat(&limited, options);
    BSON_APPEND_INT64(&limited, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collections[collection], filter, &limited, NULL);
    enum store_status status = mongo_each_row(store, phase, cursor, found, ret_found, error);
    bson_destroy(&limited);
    bson_destroy(filter);
    return status;
}

void sentinel_delete(struct mongo_store *store, enum mongo_collection collection)
{
    bson_t *selector = new_selector();
    (void)mongoc_collection_delete_one(store->collections[collection], selector, NULL, NULL, NULL);
    bson_destroy(selector);
}

enum store_status sentinel_check(struct mongo_store *store, enum mongo_collection collection,
                                 struct error *error)
{
    bool seen = false;
    bson_t options;
    enum store_status status = STORE_MISCONFIGURED;
    if (mongo_session_options(store, &options, error))
        status = sentinel_look(store, collection, &options, &seen, error);
    if (status == STORE_OK && !seen)
        status = sentinel_missing(collection, error);
    bson_destroy(&options);
    return status;
}
