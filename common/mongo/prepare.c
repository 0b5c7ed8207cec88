/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. mongo_prepare() runs these steps:
 *   check_server       member of a replica set, MongoDB 6.0 or newer, primary
 *   the clock          how far the database's clock is from ours (database_clock.c)
 *   read_lifetime      the server's limit for transactions, with a warning if it is long
 *   ensure             for each collection: the collection with its validator, then its indexes, as
 *                      schema.c has them
 *   the old fences     documents of versions whose fence documents did not expire are deleted
 *
 * Guarantees. All steps are idempotent, and workers may run them at the same time. If another
 * worker has created a collection first, that counts as done; other conflicts are tried again for
 * about a second. A validator is changed only if it differs, since collMod locks the collection.
 * No collection and no index is ever dropped: an index that differs is an error for the operator.
 *
 * Not here: retrying during a database outage (the worker's lane), and migrating other documents,
 * of which there is none. `allotctl audit` finds documents that are older than their validator.
 */
#include "common/mongo/session.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "common/mongo/document.h"
#include "common/mongo/schema.h"

enum {
    WIRE_VERSION_MIN = 17,   /* MongoDB 6.0 */
    LIFETIME_WARNING_S = 20, /* a killed worker's transaction locks its documents for that long */
    TRIES_MAX = 20,          /* for one collection, after conflicts with other workers */
    PAUSE_MS = 50,
    OLD_FENCES_MS = 1000,
    NAMESPACE_EXISTS = 48,
    UNAUTHORIZED = 13
};

#define LIFETIME "transactionLifetimeLimitSeconds"

/* --- the server ----------------------------------------------------------------------------- */

static enum store_status admin_command(struct mongo_store *store, const char *name,
                                       const char *parameter, bson_t *ret_reply,
                                       bson_error_t *ret_cause)
{
    bson_t command = BSON_INITIALIZER;
    BSON_APPEND_INT32(&command, name, 1);
    if (parameter != NULL)
        BSON_APPEND_INT32(&command, parameter, 1);
    bool done =
        mongoc_client_command_simple(store->client, "admin", &command, NULL, ret_reply, ret_cause);
    bson_destroy(&command);
    return done ? STORE_OK : STORE_UNAVAILABLE;
}

static int64_t integer_in(const bson_t *document, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, document, key) ? bson_iter_as_int64(&iter) : 0;
}

static enum store_status check_hello(const bson_t *hello, struct error *error)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, hello, "setName")) {
        error_set(error, "mongodb: transactions need a replica set, but the server is not a "
                         "replica set member");
        return STORE_MISCONFIGURED;
    }
    if (integer_in(hello, "maxWireVersion") < WIRE_VERSION_MIN) {
        error_set(error, "mongodb: the server is too old: MongoDB 6.0 or newer is required");
        return STORE_MISCONFIGURED;
    }
    if (bson_iter_init_find(&iter, hello, "isWritablePrimary") && bson_iter_as_bool(&iter))
        return STORE_OK;
    error_set(error, "mongodb: the server is not the primary of its replica set");
    return STORE_UNAVAILABLE;
}

static enum store_status check_server(struct mongo_store *store, struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = admin_command(store, "hello", NULL, &reply, &cause);
    if (status == STORE_OK)
        status = check_hello(&reply, error);
    else
        status = mongo_failed(store, PHASE_PREPARE, &cause, &reply, error);
    bson_destroy(&reply);
    return status;
}

/* Warns when it finds a long limit; not again for each thread that prepares the database. */
static void warn_of_lifetime(struct mongo_store *store, int64_t seconds)
{
    bool is_long = seconds > LIFETIME_WARNING_S;
    bool was_long = atomic_exchange(&store->pool->lifetime_is_long, is_long);
    if (is_long && !was_long)
        mongoc_log(MONGOC_LOG_LEVEL_WARNING, MONGO_WARNING_DOMAIN,
                   LIFETIME " is %lld (recommended: 10): a worker that is killed locks its "
                            "documents for up to that time",
                   (long long)seconds);
}

/* Keeps MongoDB's default if the user is not authorized to read the limit. The limit only serves to
   tell EXPIRED from CONFLICT. */
static enum store_status read_lifetime(struct mongo_store *store, struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = admin_command(store, "getParameter", LIFETIME, &reply, &cause);
    int64_t seconds = status == STORE_OK ? integer_in(&reply, LIFETIME) : 0;
    if (seconds > 0)
        store->pool->lifetime_ms = seconds * 1000;
    warn_of_lifetime(store, seconds);
    if (status != STORE_OK && mongo_is_code(&cause, UNAUTHORIZED))
        status = STORE_OK;
    else if (status != STORE_OK)
        status = mongo_failed(store, PHASE_PREPARE, &cause, &reply, error);
    bson_destroy(&reply);
    return status;
}

/* --- collections ---------------------------------------------------------------------------- */

/* Runs a command on the database of allotd, with write concern majority. With `may_exist`, it is
   no failure that another worker has created the collection first. */
static enum store_status run(struct mongo_store *store, bson_t *command, bool may_exist,
                             struct error *error)
{
    bson_t reply, options = BSON_INITIALIZER, concern;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    bson_append_document_begin(&options, "writeConcern", -1, &concern);
    BSON_APPEND_UTF8(&concern, "w", "majority");
    bson_append_document_end(&options, &concern);
    BSON_APPEND_INT64(command, "maxTimeMS", store->pool->server_time_ms);
    if (!mongoc_client_write_command_with_opts(store->client, store->pool->database, command,
                                               &options, &reply, &cause) &&
        !(may_exist && mongo_is_code(&cause, NAMESPACE_EXISTS)))
        status = mongo_failed(store, PHASE_PREPARE, &cause, &reply, error);
    bson_destroy(&reply);
    bson_destroy(&options);
    return status;
}

/* Workers update many letters in one command, which must not fail because one of them is malformed.
   With "moderate", MongoDB does not check updates of documents that violate the validator already.
   Workers may not bypass it: that takes a right of administrators. */
static const char *validation_level(enum mongo_collection collection)
{
    return collection == MONGO_LETTERS ? "moderate" : "strict";
}

struct found {
    bool exists;
    bool same_validation;
    const bson_t *validator; /* that of schema.c; borrowed */
    const char *level;       /* of validation */
};

static bool has_level(const bson_t *document, const char *level)
{
    bson_iter_t iter, found;
    return bson_iter_init(&iter, document) &&
           bson_iter_find_descendant(&iter, "options.validationLevel", &found) &&
           BSON_ITER_HOLDS_UTF8(&found) && strcmp(bson_iter_utf8(&found, NULL), level) == 0;
}

static enum store_status found_collection(void *context, const bson_t *document,
                                          struct error *error)
{
    struct found *found = context;
    bson_iter_t iter, validator;
    bson_t stored;
    (void)error;
    found->exists = true;
    found->same_validation = bson_iter_init(&iter, document) &&
                             bson_iter_find_descendant(&iter, "options.validator", &validator) &&
                             document_view(&validator, &stored) &&
                             bson_equal(&stored, found->validator) &&
                             has_level(document, found->level);
    return STORE_OK;
}

static enum store_status look_up(struct mongo_store *store, enum mongo_collection collection,
                                 struct found *found, struct error *error)
{
    bson_t options = BSON_INITIALIZER, filter;
    bson_append_document_begin(&options, "filter", -1, &filter);
    BSON_APPEND_UTF8(&filter, "name", mongo_collection_name(collection));
    bson_append_document_end(&options, &filter);
    mongoc_cursor_t *cursor = mongoc_database_find_collections_with_opts(store->database, &options);
    enum store_status status =
        mongo_each_row(store, PHASE_PREPARE, cursor, found_collection, found, error);
    bson_destroy(&options);
    return status;
}

static enum store_status ensure_collection(struct mongo_store *store,
                                           enum mongo_collection collection, struct error *error)
{
    bson_t command = BSON_INITIALIZER;
    bson_t *validator = document_from_json(schema_validator(collection));
    struct found found = {.validator = validator, .level = validation_level(collection)};
    enum store_status status = look_up(store, collection, &found, error);
    if (status == STORE_OK && !found.same_validation) {
        BSON_APPEND_UTF8(&command, found.exists ? "collMod" : "create",
                         mongo_collection_name(collection));
        BSON_APPEND_DOCUMENT(&command, "validator", validator);
        BSON_APPEND_UTF8(&command, "validationLevel", found.level);
        BSON_APPEND_UTF8(&command, "validationAction", "error");
        status = run(store, &command, !found.exists, error);
    }
    bson_destroy(validator);
    bson_destroy(&command);
    return status;
}

static enum store_status ensure_indexes(struct mongo_store *store, enum mongo_collection collection,
                                        struct error *error)
{
    const char *json = schema_indexes(collection);
    if (json == NULL)
        return STORE_OK;
    bson_t command = BSON_INITIALIZER;
    bson_t *indexes = document_from_json(json);
    BSON_APPEND_UTF8(&command, "createIndexes", mongo_collection_name(collection));
    BSON_APPEND_ARRAY(&command, "indexes", indexes);
    enum store_status status = run(store, &command, false, error);
    bson_destroy(indexes);
    bson_destroy(&command);
    return status;
}

static enum store_status ensure_both(struct mongo_store *store, enum mongo_collection collection,
                                     struct error *error)
{
    enum store_status status = ensure_collection(store, collection, error);
    if (status == STORE_OK)
        status = ensure_indexes(store, collection, error);
    return status;
}

/* Tries again after a conflict. Returns UNAVAILABLE if the conflict lasts, since `prepare` of the
   port does not return CONFLICT. */
static enum store_status ensure(struct mongo_store *store, enum mongo_collection collection,
                                struct error *error)
{
    enum store_status status = STORE_CONFLICT;
    for (int tries = 0; tries < TRIES_MAX && status == STORE_CONFLICT; tries++) {
        if (tries > 0)
            (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
        status = ensure_both(store, collection, error);
    }
    if (status != STORE_OK)
        error_prefix(error, "collection %s", mongo_collection_name(collection));
    return status == STORE_CONFLICT ? STORE_UNAVAILABLE : status;
}

/* --- old fences ----------------------------------------------------------------------------- */

/* Deletes as many as it can in OLD_FENCES_MS; the next start deletes the rest. So a failure does
   not matter. An older worker that still runs writes its document again. */
static void delete_old_fences(struct mongo_store *store)
{
    bson_t reply;
    bson_t *command = document_from_json(
        "{\"delete\": \"fences\", \"deletes\": [{\"q\": {\"_id.worker\": {\"$exists\": true}, "
        "\"expires_at\": {\"$exists\": false}}, \"limit\": 0}]}");
    BSON_APPEND_INT64(command, "maxTimeMS", OLD_FENCES_MS);
    (void)mongoc_client_write_command_with_opts(store->client, store->pool->database, command, NULL,
                                                &reply, NULL);
    bson_destroy(&reply);
    bson_destroy(command);
}

enum store_status mongo_prepare(struct store *base, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    enum store_status status = check_server(store, error);
    if (status == STORE_OK)
        status = mongo_measure_clock(store, PHASE_PREPARE, error);
    if (status == STORE_OK)
        status = read_lifetime(store, error);
    for (size_t i = 0; status == STORE_OK && i < MONGO_COLLECTION_COUNT; i++)
        status = ensure(store, (enum mongo_collection)i, error);
    if (status == STORE_OK)
        delete_old_fences(store);
    return status;
}
