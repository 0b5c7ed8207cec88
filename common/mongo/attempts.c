/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which attempts at a command are under way, or ended with their worker. Each change is one
 * document's durable write outside of any transaction; the library repeats it once by itself, and
 * the server counts it once then.
 */
#include "common/mongo/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mongo/document.h"

enum { MARK_ROOM = 96 };

/* "STORE#ATTEMPT" */
static void write_mark(const struct mongo_store *store, uint64_t attempt, char mark[MARK_ROOM])
{
    (void)snprintf(mark, MARK_ROOM, "%s#%" PRIu64, store->name, attempt);
}

static bool is_ours(const struct mongo_store *store, const char *mark)
{
    size_t length = strlen(store->name);
    return strncmp(mark, store->name, length) == 0 && mark[length] == '#';
}

/* The marks before the change that other stores had left. */
static int64_t count_deaths(const struct mongo_store *store, const bson_t *reply)
{
    bson_iter_t iter, marks, mark;
    int64_t deaths = 0;
    if (!bson_iter_init(&iter, reply) || !bson_iter_find_descendant(&iter, "value.marks", &marks) ||
        !BSON_ITER_HOLDS_ARRAY(&marks) || !bson_iter_recurse(&marks, &mark))
        return 0;
    while (bson_iter_next(&mark)) {
        const char *name = BSON_ITER_HOLDS_UTF8(&mark) ? bson_iter_utf8(&mark, NULL) : "";
        deaths += !is_ours(store, name);
    }
    return deaths;
}

/* Runs one findAndModify; `ret_crashed` may be NULL. */
static enum store_status modify(struct mongo_store *store, const bson_t *query,
                                mongoc_find_and_modify_opts_t *options, int64_t *ret_crashed,
                                struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    (void)mongoc_find_and_modify_opts_set_max_time_ms(options,
                                                      (uint32_t)store->pool->server_time_ms);
    if (!mongoc_collection_find_and_modify_with_opts(store->collections[MONGO_ATTEMPTS], query,
                                                     options, &reply, &cause))
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    else if (ret_crashed != NULL)
        *ret_crashed = count_deaths(store, &reply);
    bson_destroy(&reply);
    mongoc_find_and_modify_opts_destroy(options);
    return status;
}

/* {OPERATOR: {marks: MARK}} */
static void append_change(bson_t *update, const char *operator, const char * mark)
{
    bson_t change;
    bson_append_document_begin(update, operator, - 1, &change);
    BSON_APPEND_UTF8(&change, "marks", mark);
    bson_append_document_end(update, &change);
}

enum store_status mongo_record_attempt(struct store *base, struct text principal, struct text key,
                                       uint64_t attempt, int64_t *ret_crashed, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct mongo_pool *pool = store->pool;
    char mark[MARK_ROOM];
    bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER, set;
    write_mark(store, attempt, mark);
    document_command_id(&query, principal, key);
    append_change(&update, "$addToSet", mark);
    bson_append_document_begin(&update, "$set", -1, &set);
    BSON_APPEND_DATE_TIME(&set, "expires_at",
                          pool->clock->wall_ms(pool->clock) + pool->retention_ms);
    bson_append_document_end(&update, &set);
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_update(options, &update);
    (void)mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_UPSERT);
    enum store_status status = modify(store, &query, options, ret_crashed, error);
    bson_destroy(&update);
    bson_destroy(&query);
    return status;
}

enum store_status mongo_withdraw_attempt(struct store *base, struct text principal, struct text key,
                                         uint64_t attempt, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    char mark[MARK_ROOM];
    bson_t query = BSON_INITIALIZER, update = BSON_INITIALIZER;
    write_mark(store, attempt, mark);
    document_command_id(&query, principal, key);
    append_change(&update, "$pull", mark);
    mongoc_find_and_modify_opts_t *options = mongoc_find_and_modify_opts_new();
    (void)mongoc_find_and_modify_opts_set_update(options, &update);
    enum store_status status = modify(store, &query, options, NULL, error);
    bson_destroy(&update);
    bson_destroy(&query);
    return status;
}

enum store_status mongo_clear_attempts(struct store *base, struct text principal, struct text key,
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
