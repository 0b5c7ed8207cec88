/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates and seeds the databases of the benchmark.
 *
 * - Collections: database_open() creates them with the worker's own validators and indexes
 *   (common/mongo/schema.h), so the server checks and indexes what it would in production.
 * - Documents: providers and consumers of bench_documents.c, inserted in bulk with write concern 1.
 *   The write concern of everything else is majority with journal, as it is in the worker.
 * - Servers: every node gets a cache of 4 GB. After a large seeding all nodes write to disk, since
 *   this work is not to be measured later.
 *
 * The database's name has the process id, so two runs on the same servers do not meet. A run that
 * dies leaves its database behind; the servers of script/bench are removed afterwards. The audit
 * and the server's counters are in bench_audit.c.
 */
#include "bench/bench_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bench_documents.h"
#include "common/mongo/schema.h"

enum { BULK_DOCUMENTS = 5000, FLUSH_FROM = 100000 };

void database_command(struct database *database, const char *on, const bson_t *command,
                      bson_t *ret_reply)
{
    bson_error_t error;
    if (!mongoc_client_command_simple(database->client, on, command, NULL, ret_reply, &error))
        bench_die("cannot run a command on database %s: %s", on, error.message);
}

/* --- collections --- */

static void run_command(mongoc_database_t *handle, const bson_t *command)
{
    bson_error_t error;
    if (!mongoc_database_write_command_with_opts(handle, command, NULL, NULL, &error))
        bench_die("cannot create a collection or its indexes: %s", error.message);
}

static void append_json(bson_t *command, const char *key, const char *json, bool is_array)
{
    bson_t value;
    bson_error_t error;
    if (!bson_init_from_json(&value, json, -1, &error))
        bench_die("cannot parse the JSON of '%s': %s", key, error.message);
    if (is_array)
        BSON_APPEND_ARRAY(command, key, &value);
    else
        BSON_APPEND_DOCUMENT(command, key, &value);
    bson_destroy(&value);
}

static void create_collection(mongoc_database_t *handle, enum mongo_collection collection)
{
    bson_t create = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&create, "create", mongo_collection_name(collection));
    append_json(&create, "validator", schema_validator(collection), false);
    run_command(handle, &create);
    bson_destroy(&create);
}

/* Called after the documents are inserted, because this is much faster with a million of them. */
static void create_indexes(mongoc_database_t *handle, enum mongo_collection collection)
{
    const char *indexes = schema_indexes(collection);
    bson_t index = BSON_INITIALIZER;
    if (indexes != NULL) {
        BSON_APPEND_UTF8(&index, "createIndexes", mongo_collection_name(collection));
        append_json(&index, "indexes", indexes, true);
        run_command(handle, &index);
    }
    bson_destroy(&index);
}

/* --- documents --- */

typedef void (*document_maker)(bson_t *document, struct database *database, uint64_t index);

static void make_provider(bson_t *document, struct database *database, uint64_t index)
{
    documents_provider(document, &database->shape, (uint32_t)index,
                       database->provider_claims[index]);
}

static void make_consumer(bson_t *document, struct database *database, uint64_t index)
{
    struct bench_claim claim = claim_draw(&database->shape, SEEDED_FIRST + index, 0);
    documents_consumer(document, &database->shape, &claim);
    for (uint32_t i = 0; i < database->shape.claim_providers; i++)
        database->provider_claims[claim_provider_at(&claim, i)]++;
}

/* Seeding does not wait for the majority, since it is not measured. */
static void append_bulk_options(bson_t *options)
{
    bson_t concern;
    BSON_APPEND_BOOL(options, "ordered", false);
    bson_append_document_begin(options, "writeConcern", -1, &concern);
    BSON_APPEND_INT32(&concern, "w", 1);
    bson_append_document_end(options, &concern);
}

static void insert_bulk(struct database *database, mongoc_collection_t *collection,
                        document_maker make, uint64_t first, uint64_t end)
{
    bson_error_t error;
    bson_t options = BSON_INITIALIZER;
    append_bulk_options(&options);
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(collection, &options);
    for (uint64_t i = first; i < end; i++) {
        bson_t document = BSON_INITIALIZER;
        make(&document, database, i);
        mongoc_bulk_operation_insert(bulk, &document);
        bson_destroy(&document);
    }
    if (mongoc_bulk_operation_execute(bulk, NULL, &error) == 0)
        bench_die("cannot seed the database: %s", error.message);
    mongoc_bulk_operation_destroy(bulk);
    bson_destroy(&options);
}

static void insert_all(struct database *database, mongoc_collection_t *collection,
                       document_maker make, uint64_t count)
{
    for (uint64_t first = 0; first < count; first += BULK_DOCUMENTS) {
        uint64_t end = first + BULK_DOCUMENTS < count ? first + BULK_DOCUMENTS : count;
        insert_bulk(database, collection, make, first, end);
    }
}

/* --- the database --- */

static mongoc_client_t *connect_client(void)
{
    bson_error_t error;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(bench_environment("ALLOT_MONGODB_URI"), &error);
    if (uri == NULL)
        bench_die("invalid ALLOT_MONGODB_URI: %s", error.message);
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(write, 0);
    mongoc_write_concern_set_journal(write, true);
    mongoc_uri_set_write_concern(uri, write);
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    mongoc_write_concern_destroy(write);
    mongoc_uri_destroy(uri);
    return client;
}

static void command_node(const mongoc_host_list_t *host, const bson_t *command)
{
    char text[sizeof host->host_and_port + 64];
    bson_error_t error;
    (void)snprintf(text, sizeof text, "mongodb://%s/?directConnection=true", host->host_and_port);
    mongoc_client_t *client = mongoc_client_new(text);
    if (client == NULL ||
        !mongoc_client_command_simple(client, "admin", command, NULL, NULL, &error))
        bench_die("cannot run an admin command on %s: %s", host->host_and_port,
                  client == NULL ? "invalid URI" : error.message);
    mongoc_client_destroy(client);
}

void database_each_node(const struct database *database, const char *command)
{
    bson_t parsed;
    bson_error_t error;
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(mongoc_client_get_uri(database->client));
    if (!bson_init_from_json(&parsed, command, -1, &error))
        bench_die("cannot parse an admin command: %s", error.message);
    for (; host != NULL; host = host->next)
        command_node(host, &parsed);
    bson_destroy(&parsed);
}

/* The servers of script/bench start with a small cache. In production, documents and indexes fit
   into the cache, and changed pages take only a small part of it. When changed pages exceed a
   twentieth of the cache, the server writes them to disk all the time. */
static void enlarge_cache(const struct database *database)
{
    database_each_node(database, "{\"setParameter\":1,\"wiredTigerEngineRuntimeConfig\":"
                                 "\"cache_size=4G\"}");
}

/* Makes all nodes write the seeded documents to disk, before anything is measured. */
static void flush_to_disk(const struct database *database)
{
    database_each_node(database, "{\"fsync\":1}");
}

static void drop_database(struct database *database)
{
    bson_error_t error;
    if (!mongoc_database_drop(database->handle, &error))
        bench_die("cannot drop database %s: %s", database->name, error.message);
}

struct database database_open(const char *purpose, const struct shape *shape, size_t seeded)
{
    struct database database = {.client = connect_client(), .shape = *shape, .seeded = seeded};
    (void)snprintf(database.name, sizeof database.name, "allot_bench_%s_%d", purpose,
                   (int)getpid());
    database.provider_claims = bench_array(shape->providers, sizeof *database.provider_claims);
    database.handle = mongoc_client_get_database(database.client, database.name);
    database.providers = mongoc_database_get_collection(database.handle, "providers");
    database.consumers = mongoc_database_get_collection(database.handle, "consumers");
    database.outcomes = mongoc_database_get_collection(database.handle, "outcomes");
    drop_database(&database);
    for (enum mongo_collection i = 0; i < MONGO_COLLECTION_COUNT; i++)
        create_collection(database.handle, i);
    enlarge_cache(&database);
    insert_all(&database, database.consumers, make_consumer, seeded);
    insert_all(&database, database.providers, make_provider, shape->providers);
    for (enum mongo_collection i = 0; i < MONGO_COLLECTION_COUNT; i++)
        create_indexes(database.handle, i);
    if (seeded >= FLUSH_FROM)
        flush_to_disk(&database);
    return database;
}

void database_drop(struct database *database)
{
    drop_database(database);
    mongoc_collection_destroy(database->providers);
    mongoc_collection_destroy(database->consumers);
    mongoc_collection_destroy(database->outcomes);
    mongoc_database_destroy(database->handle);
    mongoc_client_destroy(database->client);
    free(database->provider_claims);
}
