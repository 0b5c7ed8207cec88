/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two writes whose content does not matter; only that a transaction makes them. Both raise a
 * counter in the collection `fences`.
 *
 * Fence write: a transaction that only reads would commit without asking the other nodes. With this
 * write it needs a majority, so the commit fails if the node that was read is no longer the
 * primary. Each store has its own document, so fence writes never conflict. A store's name is never
 * used again, so the document expires FENCE_KEPT_MS after the last write.
 *
 * Advisory lock: one document for all stores, {"turn": "apply"}. MongoDB lets only one open
 * transaction write a document. So the second one gets a write conflict at once, until the first
 * one has ended. `holder` names the store that had the lock last.
 */
#include "common/mongo/session.h"

#include <string.h>

enum { FENCE_KEPT_MS = 3600 * 1000 };

static void append_fence_id(bson_t *selector, const struct mongo_store *store)
{
    bson_t id;
    bson_append_document_begin(selector, "_id", -1, &id);
    BSON_APPEND_UTF8(&id, "store", store->name);
    bson_append_document_end(selector, &id);
}

static void append_increment(bson_t *update)
{
    bson_t increment;
    bson_append_document_begin(update, "$inc", -1, &increment);
    BSON_APPEND_INT64(&increment, "n", 1);
    bson_append_document_end(update, &increment);
}

static void append_fence_change(bson_t *update, struct mongo_store *store)
{
    bson_t set;
    append_increment(update);
    bson_append_document_begin(update, "$set", -1, &set);
    BSON_APPEND_DATE_TIME(&set, "expires_at", mongo_now_ms(&store->base) + FENCE_KEPT_MS);
    bson_append_document_end(update, &set);
}

enum store_status mongo_write_fence(struct mongo_store *store, struct error *error)
{
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER, options, reply;
    bson_error_t cause;
    enum store_status status = STORE_MISCONFIGURED;
    append_fence_id(&selector, store);
    append_fence_change(&update, store);
    if (mongo_session_options(store, &options, error)) {
        BSON_APPEND_BOOL(&options, "upsert", true);
        status = STORE_OK;
        if (!mongoc_collection_update_one(store->collections[MONGO_FENCES], &selector, &update,
                                          &options, &reply, &cause))
            status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
        bson_destroy(&reply);
    }
    bson_destroy(&options);
    bson_destroy(&update);
    bson_destroy(&selector);
    return status;
}

static void append_lock_id(bson_t *selector)
{
    bson_t id;
    bson_append_document_begin(selector, "_id", -1, &id);
    BSON_APPEND_UTF8(&id, "turn", "apply");
    bson_append_document_end(selector, &id);
}

static void append_lock_change(bson_t *update, const struct mongo_store *store)
{
    bson_t set;
    append_increment(update);
    bson_append_document_begin(update, "$set", -1, &set);
    BSON_APPEND_UTF8(&set, "holder", store->name);
    bson_append_document_end(update, &set);
}

/* The reply has the document as it was before. */
static bool was_anothers(const struct mongo_store *store, const bson_t *reply)
{
    bson_iter_t iter, holder;
    return bson_iter_init(&iter, reply) &&
           bson_iter_find_descendant(&iter, "value.holder", &holder) &&
           BSON_ITER_HOLDS_UTF8(&holder) && strcmp(bson_iter_utf8(&holder, NULL), store->name) != 0;
}

enum store_status mongo_take_advisory_lock(struct store *base, bool *ret_contended,
                                           struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER, options, reply;
    bson_error_t cause;
    enum store_status status = STORE_MISCONFIGURED;
    mongoc_find_and_modify_opts_t *modify = mongoc_find_and_modify_opts_new();
    append_lock_id(&selector);
    append_lock_change(&update, store);
    (void)mongoc_find_and_modify_opts_set_update(modify, &update);
    (void)mongoc_find_and_modify_opts_set_flags(modify, MONGOC_FIND_AND_MODIFY_UPSERT);
    if (mongo_session_options(store, &options, error)) {
        (void)mongoc_find_and_modify_opts_append(modify, &options);
        status = STORE_OK;
        if (!mongoc_collection_find_and_modify_with_opts(store->collections[MONGO_FENCES],
                                                         &selector, modify, &reply, &cause))
            status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
        *ret_contended = status == STORE_OK && was_anothers(store, &reply);
        bson_destroy(&reply);
    }
    bson_destroy(&options);
    mongoc_find_and_modify_opts_destroy(modify);
    bson_destroy(&update);
    bson_destroy(&selector);
    return status;
}
