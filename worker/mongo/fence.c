/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes of no meaning by themselves: what counts is that a transaction has made them. The fence of
 * a store is its own, so that no two readers meet; the turn is one for all, so that all who take it
 * do.
 */
#include "worker/mongo/session.h"

#include <stdio.h>

static void append_fence_id(bson_t *selector, const struct mongo_store *store)
{
    char number[32];
    bson_t id;
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)store->number);
    bson_append_document_begin(selector, "_id", -1, &id);
    BSON_APPEND_UTF8(&id, "worker", store->pool->worker);
    BSON_APPEND_UTF8(&id, "store", number);
    bson_append_document_end(selector, &id);
}

static void append_turn_id(bson_t *selector)
{
    bson_t id;
    bson_append_document_begin(selector, "_id", -1, &id);
    BSON_APPEND_UTF8(&id, "turn", "apply");
    bson_append_document_end(selector, &id);
}

static enum store_status raise_number(struct mongo_store *store, const bson_t *selector,
                                      struct error *error)
{
    bson_t update = BSON_INITIALIZER, options, increment, reply;
    bson_error_t cause;
    enum store_status status = STORE_MISUSE;
    bson_append_document_begin(&update, "$inc", -1, &increment);
    BSON_APPEND_INT64(&increment, "n", 1);
    bson_append_document_end(&update, &increment);
    if (mongo_session_options(store, &options, error)) {
        BSON_APPEND_BOOL(&options, "upsert", true);
        status = STORE_OK;
        if (!mongoc_collection_update_one(store->collections[MONGO_FENCES], selector, &update,
                                          &options, &reply, &cause))
            status = mongo_failed(store, MOMENT_RUN, &cause, &reply, error);
        bson_destroy(&reply);
    }
    bson_destroy(&options);
    bson_destroy(&update);
    return status;
}

enum store_status mongo_write_fence(struct mongo_store *store, struct error *error)
{
    bson_t selector = BSON_INITIALIZER;
    append_fence_id(&selector, store);
    enum store_status status = raise_number(store, &selector, error);
    bson_destroy(&selector);
    return status;
}

enum store_status mongo_take_turn(struct store *base, struct error *error)
{
    bson_t selector = BSON_INITIALIZER;
    append_turn_id(&selector);
    enum store_status status = raise_number((struct mongo_store *)base, &selector, error);
    bson_destroy(&selector);
    return status;
}
