/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. mongo_prepare() runs these steps:
 *   check_server       member of a replica set, MongoDB 6.0 or newer, primary
 *   the clock          how far the database's clock is from ours (database_clock.c)
 *   read_parameters    the server's limit for transactions, and how often it deletes what has
 *                      expired; one warning for each that is too long
 *   ensure             for each collection: creates what it lacks of its schema (schema_gap.h):
 *                      the collection with its validator, then its indexes, as schema.c has them,
 *                      then its sentinel (schema.h)
 *   the old fences     documents of versions whose fence documents did not expire are deleted
 *
 * Guarantees. All steps are idempotent, and workers may run them at the same time. If another
 * worker has created a collection first, that counts as done; other conflicts are tried again for
 * about a second. What is there already is only read, since collMod locks the collection.
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
#include "common/mongo/hello.h"
#include "common/mongo/schema.h"
#include "common/mongo/schema_gap.h"

enum {
    LIFETIME_WARNING_S = 20, /* a killed worker's transaction locks its documents for that long */
    TTL_WARNING_S = 5,       /* what has expired meanwhile is deleted at once, and commands wait */
    TRIES_MAX = 20,          /* for one collection, after conflicts with other workers */
    PAUSE_MS = 50,
    OLD_FENCES_MS = 1000,
    NAMESPACE_EXISTS = 48,
    UNAUTHORIZED = 13
};

/* --- the server ----------------------------------------------------------------------------- */

/* Runs a command whose members all have the value 1; NULL ends their names. */
static enum store_status admin_command(struct mongo_store *store, const char *const *members,
                                       bson_t *ret_reply, bson_error_t *ret_cause)
{
    bson_t command = BSON_INITIALIZER;
    for (; *members != NULL; members++)
        BSON_APPEND_INT32(&command, *members, 1);
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

static enum store_status check_server(struct mongo_store *store, struct error *error)
{
    static const char *const hello[] = {"hello", NULL};
    bson_t reply;
    bson_error_t cause;
    enum store_status status = admin_command(store, hello, &reply, &cause);
    if (status == STORE_OK)
        status = hello_check(&reply, error);
    else
        status = mongo_failed(store, PHASE_PREPARE, &cause, &reply, error);
    bson_destroy(&reply);
    return status;
}

#define LIFETIME_PARAMETER "transactionLifetimeLimitSeconds"
#define TTL_PARAMETER "ttlMonitorSleepSecs"

static void warn_of_lifetime(struct mongo_pool *pool, int64_t seconds)
{
    if (seconds > LIFETIME_WARNING_S && !atomic_exchange(&pool->lifetime_warned, true))
        mongoc_log(MONGOC_LOG_LEVEL_WARNING, MONGO_WARNING_DOMAIN,
                   "%s is %lld (recommended: 10): a worker that is killed locks its documents for "
                   "up to that many seconds",
                   LIFETIME_PARAMETER, (long long)seconds);
}

static void warn_of_ttl(struct mongo_pool *pool, int64_t seconds)
{
    if (seconds > TTL_WARNING_S && !atomic_exchange(&pool->ttl_warned, true))
        mongoc_log(
            MONGOC_LOG_LEVEL_WARNING, MONGO_WARNING_DOMAIN,
            "%s is %lld (recommended: 1): expired documents are deleted in bursts that delay "
            "all commands; on each member of the replica set run "
            "db.adminCommand({setParameter: 1, %s: 1})",
            TTL_PARAMETER, (long long)seconds, TTL_PARAMETER);
}

/* Keeps MongoDB's default of the lifetime, and says nothing, if the user is not authorized to read
   the parameters. The lifetime only serves to tell EXPIRED from CONFLICT. */
static enum store_status read_parameters(struct mongo_store *store, struct error *error)
{
    static const char *const parameters[] = {"getParameter", LIFETIME_PARAMETER, TTL_PARAMETER,
                                             NULL};
    bson_t reply;
    bson_error_t cause;
    enum store_status status = admin_command(store, parameters, &reply, &cause);
    int64_t lifetime_s = status == STORE_OK ? integer_in(&reply, LIFETIME_PARAMETER) : 0;
    if (lifetime_s > 0)
        store->pool->lifetime_ms = lifetime_s * 1000;
    warn_of_lifetime(store->pool, lifetime_s);
    warn_of_ttl(store->pool, status == STORE_OK ? integer_in(&reply, TTL_PARAMETER) : 0);
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

static enum store_status ensure_collection(struct mongo_store *store,
                                           enum mongo_collection collection,
                                           const struct schema_gap *gap, struct error *error)
{
    bson_t command = BSON_INITIALIZER;
    bson_t *validator = document_from_json(schema_validator(collection));
    BSON_APPEND_UTF8(&command, gap->collection ? "create" : "collMod",
                     mongo_collection_name(collection));
    BSON_APPEND_DOCUMENT(&command, "validator", validator);
    BSON_APPEND_UTF8(&command, "validationLevel", schema_validation_level(collection));
    BSON_APPEND_UTF8(&command, "validationAction", SCHEMA_VALIDATION_ACTION);
    enum store_status status = run(store, &command, gap->collection, error);
    bson_destroy(validator);
    bson_destroy(&command);
    return status;
}

static enum store_status ensure_indexes(struct mongo_store *store, enum mongo_collection collection,
                                        struct error *error)
{
    if (schema_indexes(collection) == NULL)
        return STORE_OK;
    bson_t command = BSON_INITIALIZER;
    bson_t *indexes = document_from_json(schema_indexes(collection));
    BSON_APPEND_UTF8(&command, "createIndexes", mongo_collection_name(collection));
    BSON_APPEND_ARRAY(&command, "indexes", indexes);
    enum store_status status = run(store, &command, false, error);
    bson_destroy(indexes);
    bson_destroy(&command);
    return status;
}

/* Writes the sentinel, which says that the collection has its validator and its indexes. */
static enum store_status ensure_sentinel(struct mongo_store *store,
                                         enum mongo_collection collection, struct error *error)
{
    bson_t command = BSON_INITIALIZER;
    bson_t *updates = document_from_json("[{\"q\": {\"_id\": \"" SCHEMA_SENTINEL
                                         "\"}, \"u\": {\"$setOnInsert\": {}}, "
                                         "\"upsert\": true}]");
    BSON_APPEND_UTF8(&command, "update", mongo_collection_name(collection));
    BSON_APPEND_ARRAY(&command, "updates", updates);
    enum store_status status = run(store, &command, false, error);
    bson_destroy(updates);
    bson_destroy(&command);
    return status;
}

/* Creates what is missing. The indexes come before another validator, since the right to change
   that is one that the role readWrite does not have. Before a sentinel is written, all indexes are
   created in any case: those that somebody else is building are listed already, and the command
   waits for their end. */
static enum store_status fill(struct mongo_store *store, enum mongo_collection collection,
                              const struct schema_gap *gap, struct error *error)
{
    enum store_status status = STORE_OK;
    if (gap->collection)
        status = ensure_collection(store, collection, gap, error);
    if (status == STORE_OK && (gap->indexes != 0 || gap->sentinel))
        status = ensure_indexes(store, collection, error);
    if (status == STORE_OK && gap->validation && !gap->collection)
        status = ensure_collection(store, collection, gap, error);
    if (status == STORE_OK && gap->sentinel)
        status = ensure_sentinel(store, collection, error);
    return status;
}

/* Sets `error` to what was created, but is missing again. */
static enum store_status still_missing(const struct schema_gap *gap,
                                       enum mongo_collection collection, struct error *error)
{
    struct error names = {""};
    schema_gap_add_names(gap, collection, &names);
    error_set(error, "mongodb: still missing after it was created: %s", names.text);
    return STORE_CONFLICT;
}

/* Compares, creates what is missing, and compares again, since somebody may drop the collection
   meanwhile: then the sentinel was written into one without indexes. */
static enum store_status ensure_all(struct mongo_store *store, enum mongo_collection collection,
                                    struct error *error)
{
    struct schema_gap gap;
    enum store_status status = schema_gap_find(store, collection, &gap, error);
    if (status != STORE_OK || schema_gap_is_none(&gap))
        return status;
    status = fill(store, collection, &gap, error);
    if (status == STORE_OK)
        status = schema_gap_find(store, collection, &gap, error);
    if (status == STORE_OK && !schema_gap_is_none(&gap))
        status = still_missing(&gap, collection, error);
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
        status = ensure_all(store, collection, error);
    }
    if (status != STORE_OK)
        error_prefix(error, "collection %s", mongo_collection_name(collection));
    return status == STORE_CONFLICT ? STORE_UNAVAILABLE : status;
}

/* A collection that cannot be made as it has to be does not keep others from it. Returns the first
   failure, with its error. */
static enum store_status ensure_each(struct mongo_store *store, struct error *error)
{
    enum store_status first = STORE_OK;
    for (size_t i = 0; first != STORE_UNAVAILABLE && i < MONGO_COLLECTION_COUNT; i++) {
        bool failed = first != STORE_OK;
        enum store_status status = ensure(store, (enum mongo_collection)i, failed ? NULL : error);
        if (!failed)
            first = status;
    }
    return first;
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
        status = read_parameters(store, error);
    if (status == STORE_OK)
        status = ensure_each(store, error);
    if (status == STORE_OK)
        delete_old_fences(store);
    return status;
}
