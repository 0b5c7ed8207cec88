/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client pool. It is a pool even for one thread, since only a pool monitors the servers in the
 * background and so notices a fail-over while the threads are idle. A single client scans in the
 * foreground, every 60 s, and with libmongoc 1.23 it can deadlock on a network error (fixed in
 * 1.24.3).
 *
 * Whatever the URI says, the pool has: time limits for each call (libmongoc's default for sockets
 * is 300 s); durable writes, majority reads, and reads from the primary; and error API version 2,
 * since in version 1, the default, server errors and library errors share numbers.
 *
 * Not here: sessions, transactions and retries; see store.c.
 */
#include "common/mongo/pool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEARTBEAT_MS = 1000, /* libmongoc's default of 10 s would delay each fail-over by that long */
    SERVER_TIME_PERCENT = 75,
    APP_NAME_MAX = 128,  /* limit of MongoDB's protocol */
    CLIENTS_MAX = 100000 /* each store has one; a limit would only make the next store fail */
};

const char *mongo_collection_name(enum mongo_collection collection)
{
    switch (collection) {
#define X(id, name)                                                                                \
    case MONGO_##id: return name;
        MONGO_COLLECTIONS(X)
#undef X
    case MONGO_COLLECTION_COUNT: break;
    }
    return "";
}

static void count_command(const mongoc_apm_command_started_t *event)
{
    struct mongo_pool *pool = mongoc_apm_command_started_get_context(event);
    if (strcmp(mongoc_apm_command_started_get_command_name(event), "hello") != 0)
        pool->commands++;
}

static uint64_t batch_length(const bson_t *reply, const char *batch)
{
    bson_iter_t iter, found, documents;
    uint64_t count = 0;
    if (!bson_iter_init(&iter, reply) || !bson_iter_find_descendant(&iter, batch, &found) ||
        !BSON_ITER_HOLDS_ARRAY(&found) || !bson_iter_recurse(&found, &documents))
        return 0;
    while (bson_iter_next(&documents))
        count++;
    return count;
}

static void count_documents(const mongoc_apm_command_succeeded_t *event)
{
    struct mongo_pool *pool = mongoc_apm_command_succeeded_get_context(event);
    const bson_t *reply = mongoc_apm_command_succeeded_get_reply(event);
    pool->documents_returned +=
        batch_length(reply, "cursor.firstBatch") + batch_length(reply, "cursor.nextBatch");
}

static bool is_primary(const mongoc_server_description_t *server)
{
    return strcmp(mongoc_server_description_type(server), "RSPrimary") == 0;
}

/* Runs under a lock of libmongoc, in any thread. A primary that was lost and found counts too. */
static void note_primary(const mongoc_apm_server_changed_t *event)
{
    struct mongo_pool *pool = mongoc_apm_server_changed_get_context(event);
    if (is_primary(mongoc_apm_server_changed_get_new_description(event)) &&
        !is_primary(mongoc_apm_server_changed_get_previous_description(event)))
        pool->primary_changes++;
}

/* A pool takes callbacks once. Those for commands make libmongoc copy each command. */
static void set_callbacks(struct mongo_pool *pool, bool counting)
{
    mongoc_apm_callbacks_t *callbacks = mongoc_apm_callbacks_new();
    mongoc_apm_set_server_changed_cb(callbacks, note_primary);
    if (counting) {
        mongoc_apm_set_command_started_cb(callbacks, count_command);
        mongoc_apm_set_command_succeeded_cb(callbacks, count_documents);
    }
    (void)mongoc_client_pool_set_apm_callbacks(pool->clients, callbacks, pool);
    mongoc_apm_callbacks_destroy(callbacks);
}

/* Lowers a time option of the URI to `limit_ms`; returns the option's value, which is lower if the
   URI asks for less. */
static int32_t limit_wait(mongoc_uri_t *uri, const char *option, int64_t limit_ms)
{
    int32_t given = mongoc_uri_get_option_as_int32(uri, option, 0);
    if (given > 0 && given <= limit_ms)
        return given;
    (void)mongoc_uri_set_option_as_int32(uri, option, (int32_t)limit_ms);
    return (int32_t)limit_ms;
}

/* Limits each wait, so that no call takes much longer than `timeout_ms`. The server's limit is
   lower than the socket's: then the server answers with an error code, and the connection stays. */
static void limit_waits(struct mongo_pool *pool, mongoc_uri_t *uri)
{
    (void)limit_wait(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, pool->timeout_ms);
    (void)limit_wait(uri, MONGOC_URI_CONNECTTIMEOUTMS, pool->timeout_ms);
    (void)limit_wait(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, pool->timeout_ms);
    (void)limit_wait(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, HEARTBEAT_MS);
    int32_t socket_ms = limit_wait(uri, MONGOC_URI_SOCKETTIMEOUTMS, pool->timeout_ms);
    pool->server_time_ms = (int64_t)socket_ms * SERVER_TIME_PERCENT / 100;
    if (pool->server_time_ms < 1)
        pool->server_time_ms = 1;
}

/* Overrides the URI: writes must be durable, and reads must not see what can be rolled back. */
static void set_concerns(mongoc_uri_t *uri)
{
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(write, 0);
    mongoc_write_concern_set_journal(write, true);
    mongoc_read_concern_t *read = mongoc_read_concern_new();
    (void)mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    mongoc_read_prefs_t *preference = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_uri_set_write_concern(uri, write);
    mongoc_uri_set_read_concern(uri, read);
    mongoc_uri_set_read_prefs_t(uri, preference);
    mongoc_read_prefs_destroy(preference);
    mongoc_read_concern_destroy(read);
    mongoc_write_concern_destroy(write);
}

static void set_app_name(mongoc_client_pool_t *clients, const char *worker)
{
    char name[APP_NAME_MAX];
    (void)snprintf(name, sizeof name, "allotd:%s", worker);
    (void)mongoc_client_pool_set_appname(clients, name);
}

static mongoc_client_pool_t *open_clients(struct mongo_pool *pool, mongoc_uri_t *uri,
                                          struct error *error)
{
    bson_error_t cause;
    limit_waits(pool, uri);
    set_concerns(uri);
    mongoc_client_pool_t *clients = mongoc_client_pool_new_with_error(uri, &cause);
    if (clients == NULL) {
        error_set(error, "mongodb.uri: %s", cause.message);
        return NULL;
    }
    (void)mongoc_client_pool_set_error_api(clients, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_max_size(clients, CLIENTS_MAX);
    set_app_name(clients, pool->worker);
    return clients;
}

struct mongo_pool *mongo_pool_new(const struct mongo_options *options, struct error *error)
{
    assert(options->timeout_ms > 0 && options->timeout_ms <= INT32_MAX);
    mongoc_uri_t *uri = mongo_uri_parse(options->uri, error);
    if (uri == NULL)
        return NULL;
    struct mongo_pool *pool = bson_malloc0(sizeof *pool);
    pool->database = bson_strndup(options->database.bytes, options->database.length);
    bson_oid_t process_id;
    bson_oid_init(&process_id, NULL);
    bson_oid_to_string(&process_id, pool->process_id);
    pool->worker = bson_strndup(text_present(options->worker) ? options->worker.bytes : "",
                                options->worker.length);
    pool->clock = options->clock;
    pool->started_ms = options->clock->monotonic_ms(options->clock);
    pool->timeout_ms = options->timeout_ms;
    pool->retention_ms = options->retention_ms;
    pool->letters_retention_ms = options->letters_retention_ms;
    pool->lifetime_ms = LIFETIME_DEFAULT_MS;
    pool->clients = open_clients(pool, uri, error);
    mongoc_uri_destroy(uri);
    if (pool->clients == NULL) {
        mongo_pool_free(pool);
        return NULL;
    }
    set_callbacks(pool, options->counting);
    return pool;
}

void mongo_pool_free(struct mongo_pool *pool)
{
    if (pool == NULL)
        return;
    if (pool->clients != NULL)
        mongoc_client_pool_destroy(pool->clients);
    bson_free(pool->database);
    bson_free(pool->worker);
    bson_free(pool);
}

void mongo_pool_leave(struct mongo_pool *pool)
{
    static struct mongo_pool *left; /* so that the leak check finds the pool */
    if (pool == NULL)
        return;
    pool->next_left = left;
    left = pool;
}

struct mongo_counters mongo_pool_counters(const struct mongo_pool *pool)
{
    return (struct mongo_counters){.commands = pool->commands,
                                   .documents_returned = pool->documents_returned,
                                   .clock_measurements = pool->clock_measurements};
}
