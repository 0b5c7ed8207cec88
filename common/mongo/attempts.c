/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempt records. The collection `attempts` has one document for each command. Its array `marks`
 * has a text for each attempt, "STORE#ATTEMPT", where STORE is the name of the store.
 *
 * Each change is one findAndModify outside of any transaction. Libmongoc repeats it once after a
 * network error (retryable writes), and the server applies it only once.
 */
#include "common/mongo/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mongo/document.h"

enum { RECORD_BYTES = 96 };

static void format_record(const struct mongo_store *store, uint64_t attempt,
                          char ret_record[RECORD_BYTES])
{
    (void)snprintf(ret_record, RECORD_BYTES, "%s#%" PRIu64, store->name, attempt);
}

static bool is_own(const struct mongo_store *store, const char *record)
{
    size_t length = strlen(store->name);
    return strncmp(record, store->name, length) == 0 && record[length] == '#';
}

/* Counts the records of other stores. The reply has the document as it was before. */
static int64_t count_crashed(const struct mongo_store *store, const bson_t *reply)
{
    bson_iter_t iter, records, record;
    int64_t crashed = 0;
    if (!bson_iter_init(&iter, reply) ||
        !bson_iter_find_descendant(&iter, "value.marks", &records) ||
        !BSON_ITER_HOLDS_ARRAY(&records) || !bson_iter_recurse(&records, &record))
        return 0;
    while (bson_iter_next(&record)) {
        const char *text = BSON_ITER_HOLDS_UTF8(&record) ? bson_iter_utf8(&record, NULL) : "";
        crashed += !is_own(store, text);
    }
    return crashed;
}

/* Runs one findAndModify, and destroys the options. `ret_crashed` may be NULL. */
static enum store_status modify(struct mongo_store *store, const bson_t *selector,
                                mongoc_find_and_modify_opts_t *options, int64_t *ret_crashed,
                                struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    (void)mongoc_find_and_modify_opts_set_max_time_ms(options,
                                                      (uint32_t)store->pool->server_time_ms);
    if (!mongoc_collection_find_and_modify_with_opts(store->collections[MONGO_ATTEMPTS], selector,
                                                     options, &reply, &cause))
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    else if (ret_crashed != NULL)
        *ret_crashed = count_crashed(store, &reply);
    bson_destroy(&reply);
    mongoc_find_and_modify_opts_destroy(options);
    return status;
}

/* Appends {action: {marks: RECORD}}. */
static void append_change(bson_t *update, const char *action, const struct mongo_store *store,
                          uint64_t attempt)
{
    char record[RECORD_BYTES];
    bson_t change;
    format_record(store, attempt, record);
    bson_append_document_begin(update, action, -1, &change);
    BSON_APPEND_UTF8(&change, "marks", record);
    bson_append_document_end(update, &change);
}

static void append_expiry(bson_t *update, const struct mongo_pool *pool)
{
    bson_t set;
    bson_append_document_begin(update, "$set", -1, &set);
    BSON_APPEND_DATE_TIME(&set, "expires_at",
                          pool->clock->wall_ms(pool->clock) + pool->retention_ms);
    bson_append_document_end(update, &set);
}

enum store_status mongo_record_attempt(struct store *base, struct text principal, struct text key,
                                       uint64_t attempt, int64_t *ret_crashed, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER;
    document_command_id(&selector, principal, key);
    append_change(&update, "$addToSet", store, attempt);
    append_expiry(&update, store->pool);
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_update(options, &update);
    (void)mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_UPSERT);
    enum store_status status = modify(store, &selector, options, ret_crashed, error);
    bson_destroy(&update);
    bson_destroy(&selector);
    return status;
}

enum store_status mongo_withdraw_attempt(struct store *base, struct text principal, struct text key,
                                         uint64_t attempt, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER;
    document_command_id(&selector, principal, key);
    append_change(&update, "$pull", store, attempt);
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_update(options, &update);
    enum store_status status = modify(store, &selector, options, NULL, error);
    bson_destroy(&update);
    bson_destroy(&selector);
    return status;
}

enum store_status mongo_clear_attempts(struct store *base, struct text principal, struct text key,
                                       struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t selector = BSON_INITIALIZER;
    document_command_id(&selector, principal, key);
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_REMOVE);
    enum store_status status = modify(store, &selector, options, NULL, error);
    bson_destroy(&selector);
    return status;
}
