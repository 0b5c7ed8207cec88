/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempt records. The collection `attempts` has one document for each command. Its array `marks`
 * has a text for each record, "STORE#SIZE": the name of the store (of the first of siblings), and
 * how many commands its batch had. A name is never used again, so a store that can be asked about
 * has no record but its own. It begins with the name of the life (workers.c), up to the first ".".
 * The records of a life that ended in order say nothing, so `find_attempts` looks for such lives in
 * the same command.
 *
 * Each change is one write of all its commands, outside of any transaction. Libmongoc repeats it
 * once after a network error (retryable writes). It cannot repeat the removal of many documents,
 * which has the same effect a second time.
 */
#include "common/mongo/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mongo/document.h"
#include "common/mongo/list.h"
#include "common/mongo/queries.h"

enum { RECORD_BYTES = 96 };

/* Appends {_id: {$in: [...]}}. */
static void append_filter(bson_t *filter, const struct attempt_key *keys, size_t count)
{
    struct list list;
    list_begin_in(&list, filter, "_id");
    for (size_t i = 0; i < count; i++) {
        bson_t holder = BSON_INITIALIZER;
        bson_iter_t id;
        document_command_id(&holder, keys[i].principal, keys[i].key);
        if (bson_iter_init_find(&id, &holder, "_id"))
            (void)bson_append_iter(&list.array, list_next(&list), -1, &id);
        bson_destroy(&holder);
    }
    list_end_in(&list, filter);
}

/* --- reading -------------------------------------------------------------------------------- */

struct reading {
    const struct mongo_store *store;
    const struct attempt_key *keys;
    size_t count;
    struct attempt_history *histories;
};

static bool is_own(const struct mongo_store *store, const char *record)
{
    size_t length = strlen(store->family);
    return strncmp(record, store->family, length) == 0 && record[length] == '#';
}

/* Returns the size of the batch; 1 if the record does not say it. */
static size_t size_of(const char *record)
{
    const char *number = strrchr(record, '#');
    unsigned long long size = number != NULL ? strtoull(number + 1, NULL, 10) : 1;
    return size > 0 ? (size_t)size : 1;
}

static void add_record(struct attempt_history *history, size_t size)
{
    history->alone += size == 1;
    if (history->smallest == 0 || size < history->smallest)
        history->smallest = size;
}

/* Returns whether the record is of the life that the element, a document of `workers`, is about. */
static bool is_of_life(const bson_iter_t *element, const char *record)
{
    bson_iter_t id;
    uint32_t length = 0;
    if (!bson_iter_recurse(element, &id) || !bson_iter_find(&id, "_id") ||
        !BSON_ITER_HOLDS_UTF8(&id))
        return false;
    const char *life = bson_iter_utf8(&id, &length);
    return strcspn(record, ".") == length && memcmp(life, record, length) == 0;
}

/* Returns whether the record is of a life that ended in order: one that is in the row's list. */
static bool is_of_stopped(const bson_t *row, const char *record)
{
    bson_iter_t lives, life;
    if (!bson_iter_init_find(&lives, row, "stopped") || !bson_iter_recurse(&lives, &life))
        return false;
    while (bson_iter_next(&life)) {
        if (is_of_life(&life, record))
            return true;
    }
    return false;
}

static void add_records(const struct reading *reading, const bson_t *document,
                        struct attempt_history *history)
{
    bson_iter_t records, record;
    if (!bson_iter_init_find(&records, document, "marks") || !BSON_ITER_HOLDS_ARRAY(&records) ||
        !bson_iter_recurse(&records, &record))
        return;
    while (bson_iter_next(&record)) {
        const char *text = BSON_ITER_HOLDS_UTF8(&record) ? bson_iter_utf8(&record, NULL) : "";
        if (!is_own(reading->store, text) && !is_of_stopped(document, text))
            add_record(history, size_of(text));
    }
}

static struct text member(const bson_t *document, const char *path)
{
    bson_iter_t iter, found;
    uint32_t length = 0;
    if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, path, &found) ||
        !BSON_ITER_HOLDS_UTF8(&found))
        return text_of("");
    const char *bytes = bson_iter_utf8(&found, &length);
    return text_view(bytes, length);
}

static enum store_status read_row(void *context, const bson_t *document, struct error *error)
{
    const struct reading *reading = context;
    (void)error;
    struct text principal = member(document, "_id.principal"), key = member(document, "_id.key");
    for (size_t i = 0; i < reading->count; i++) {
        if (text_equal(principal, reading->keys[i].principal) &&
            text_equal(key, reading->keys[i].key))
            add_records(reading, document, &reading->histories[i]);
    }
    return STORE_OK;
}

/* The records of a document, and the life that a record names. Both work for a damaged document. */
#define RECORDS "{\"$cond\": [{\"$isArray\": \"$marks\"}, \"$marks\", []]}"
#define RECORD_TEXT                                                                                \
    "{\"$convert\": {\"input\": \"$$mark\", \"to\": \"string\", \"onError\": \"\", "               \
    "\"onNull\": \"\"}}"
#define LIFE "{\"$arrayElemAt\": [{\"$split\": [" RECORD_TEXT ", \".\"]}, 0]}"

/* Appends the stages that add to each document the list `stopped`: the lives of its records that
   ended in order. */
static void append_stopped(bson_t *pipeline)
{
    pipeline_append_json(
        pipeline, "[{\"$set\": {\"lives\": {\"$map\": {\"input\": " RECORDS ", \"as\": \"mark\", "
                  "\"in\": " LIFE "}}}}, "
                  "{\"$lookup\": {\"from\": \"workers\", \"localField\": \"lives\", "
                  "\"foreignField\": \"_id\", \"as\": \"stopped\", \"pipeline\": "
                  "[{\"$match\": {\"state\": \"stopped\"}}, {\"$project\": {\"_id\": 1}}]}}]");
}

enum store_status mongo_find_attempts(struct store *base, const struct attempt_key *keys,
                                      size_t count, struct attempt_history *ret_histories,
                                      struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct reading reading = {store, keys, count, ret_histories};
    bson_t filter = BSON_INITIALIZER, pipeline = BSON_INITIALIZER, options = BSON_INITIALIZER;
    memset(ret_histories, 0, count * sizeof *ret_histories);
    append_filter(&filter, keys, count);
    pipeline_append(&pipeline, "$match", &filter);
    append_stopped(&pipeline);
    BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor = mongoc_collection_aggregate(
        store->collections[MONGO_ATTEMPTS], MONGOC_QUERY_NONE, &pipeline, &options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, read_row, &reading, error);
    bson_destroy(&options);
    bson_destroy(&pipeline);
    bson_destroy(&filter);
    return status;
}

/* --- writing -------------------------------------------------------------------------------- */

static mongoc_bulk_operation_t *new_bulk(struct mongo_store *store)
{
    bson_t options = BSON_INITIALIZER;
    BSON_APPEND_BOOL(&options, "ordered", false);
    mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(
        store->collections[MONGO_ATTEMPTS], &options);
    bson_destroy(&options);
    return bulk;
}

/* Adds the update of each command. `options` may be NULL. */
static void update_each(mongoc_bulk_operation_t *bulk, const struct attempt_key *keys, size_t count,
                        const bson_t *update, const bson_t *options)
{
    for (size_t i = 0; i < count; i++) {
        bson_t selector = BSON_INITIALIZER;
        document_command_id(&selector, keys[i].principal, keys[i].key);
        (void)mongoc_bulk_operation_update_one_with_opts(bulk, &selector, update, options, NULL);
        bson_destroy(&selector);
    }
}

/* Runs the bulk operation, and destroys it. */
static enum store_status execute(struct mongo_store *store, mongoc_bulk_operation_t *bulk,
                                 struct error *error)
{
    enum store_status status = mongo_execute(store, bulk, error);
    mongoc_bulk_operation_destroy(bulk);
    return status;
}

static void append_expiry(bson_t *update, struct mongo_store *store)
{
    bson_t set;
    bson_append_document_begin(update, "$set", -1, &set);
    BSON_APPEND_DATE_TIME(&set, "expires_at",
                          mongo_now_ms(&store->base) + store->pool->retention_ms);
    bson_append_document_end(update, &set);
}

enum store_status mongo_record_attempts(struct store *base, const struct attempt_key *keys,
                                        size_t count, size_t batch, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK)
        return status;
    mongoc_bulk_operation_t *bulk = new_bulk(store);
    bson_t update = BSON_INITIALIZER, upsert = BSON_INITIALIZER, change;
    char record[RECORD_BYTES];
    (void)snprintf(record, sizeof record, "%s#%zu", store->family, batch);
    bson_append_document_begin(&update, "$addToSet", -1, &change);
    BSON_APPEND_UTF8(&change, "marks", record);
    bson_append_document_end(&update, &change);
    append_expiry(&update, store);
    BSON_APPEND_BOOL(&upsert, "upsert", true);
    update_each(bulk, keys, count, &update, &upsert);
    bson_destroy(&upsert);
    bson_destroy(&update);
    return execute(store, bulk, error);
}

enum store_status mongo_withdraw_attempts(struct store *base, const struct attempt_key *keys,
                                          size_t count, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    mongoc_bulk_operation_t *bulk = new_bulk(store);
    bson_t update = BSON_INITIALIZER, change;
    char pattern[RECORD_BYTES];
    (void)snprintf(pattern, sizeof pattern, "^\\Q%s\\E#", store->family);
    bson_append_document_begin(&update, "$pull", -1, &change);
    BSON_APPEND_REGEX(&change, "marks", pattern, "");
    bson_append_document_end(&update, &change);
    update_each(bulk, keys, count, &update, NULL);
    bson_destroy(&update);
    return execute(store, bulk, error);
}

enum store_status mongo_clear_attempts(struct store *base, const struct attempt_key *keys,
                                       size_t count, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    mongoc_bulk_operation_t *bulk = new_bulk(store);
    bson_t filter = BSON_INITIALIZER;
    append_filter(&filter, keys, count);
    (void)mongoc_bulk_operation_remove_many_with_opts(bulk, &filter, NULL, NULL);
    bson_destroy(&filter);
    return execute(store, bulk, error);
}
