/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often workers died on a command. Each change is one document's durable write outside of any
 * transaction; the library repeats it once by itself, and the server counts it once then.
 */
#include "worker/mongo/session.h"

#include "worker/mongo/document.h"

/* Runs one findAndModify. `ret_before`, if any: the count before it, 0 where there was none. */
static enum store_status modify(struct mongo_store *store, const bson_t *query,
                                mongoc_find_and_modify_opts_t *options, int64_t *ret_before,
                                struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    bson_iter_t iter, count;
    enum store_status status = STORE_OK;
    (void)mongoc_find_and_modify_opts_set_max_time_ms(options,
                                                      (uint32_t)store->pool->server_time_ms);
    if (!mongoc_collection_find_and_modify_with_opts(store->collections[MONGO_ATTEMPTS], query,
                                                     options, &reply, &cause))
        status = mongo_failed(store, MOMENT_RUN, &cause, &reply, error);
    else if (ret_before != NULL)
        *ret_before =
            bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "value.count", &count)
                ? bson_iter_as_int64(&count)
                : 0;
    bson_destroy(&reply);
    mongoc_find_and_modify_opts_destroy(options);
    return status;
}

static void append_step(bson_t *update, int64_t step)
{
    bson_t increment;
    bson_append_document_begin(update, "$inc", -1, &increment);
    BSON_APPEND_INT64(&increment, "count", step);
    bson_append_document_end(update, &increment);
}

enum store_status mongo_mark_attempt(struct store *base, struct text principal, struct text key,
                                     int64_t *ret_before, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct mongo_pool *pool = store->pool;
    bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER, set;
    document_command_id(&query, principal, key);
    append_step(&update, 1);
    bson_append_document_begin(&update, "$set", -1, &set);
    BSON_APPEND_DATE_TIME(&set, "expires_at",
                          pool->clock->wall_ms(pool->clock) + pool->retention_ms);
    bson_append_document_end(&update, &set);
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_update(options, &update);
    (void)mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_UPSERT);
    enum store_status status = modify(store, &query, options, ret_before, error);
    bson_destroy(&update);
    bson_destroy(&query);
    return status;
}

enum store_status mongo_unmark_attempt(struct store *base, struct text principal, struct text key,
                                       struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER, positive;
    document_command_id(&query, principal, key);
    bson_append_document_begin(&query, "count", -1, &positive);
    BSON_APPEND_INT64(&positive, "$gt", 0);
    bson_append_document_end(&query, &positive);
    append_step(&update, -1);
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_update(options, &update);
    enum store_status status = modify(store, &query, options, NULL, error);
    bson_destroy(&update);
    bson_destroy(&query);
    return status;
}

enum store_status mongo_forget_attempts(struct store *base, struct text principal, struct text key,
                                        struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t query = BSON_INITIALIZER;
    document_command_id(&query, principal, key);
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_REMOVE);
    enum store_status status = modify(store, &query, options, NULL, error);
    bson_destroy(&query);
    return status;
}
