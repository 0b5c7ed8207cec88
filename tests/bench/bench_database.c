/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_database.h"

#include <stdio.h>
#include <stdlib.h>

#include "worker/mongo/schema.h"

static void run(mongoc_database_t *handle, const bson_t *command)
{
    bson_error_t error;
    if (!mongoc_database_write_command_with_opts(handle, command, NULL, NULL, &error))
        bench_die("%s", error.message);
}

static void append_json(bson_t *command, const char *key, const char *json, bool is_array)
{
    bson_t value;
    bson_error_t error;
    if (!bson_init_from_json(&value, json, -1, &error))
        bench_die("%s", error.message);
    if (is_array)
        BSON_APPEND_ARRAY(command, key, &value);
    else
        BSON_APPEND_DOCUMENT(command, key, &value);
    bson_destroy(&value);
}

static void make_collection(mongoc_database_t *handle, enum mongo_collection collection)
{
    const char *name = mongo_collection_name(collection);
    const char *indexes = schema_indexes(collection);
    bson_t create = BSON_INITIALIZER, index = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&create, "create", name);
    append_json(&create, "validator", schema_validator(collection), false);
    run(handle, &create);
    if (indexes != NULL) {
        BSON_APPEND_UTF8(&index, "createIndexes", name);
        append_json(&index, "indexes", indexes, true);
        run(handle, &index);
    }
    bson_destroy(&create);
    bson_destroy(&index);
}

static void append_stock(bson_t *inventories, const char *resource_class)
{
    bson_t record;
    BSON_APPEND_DOCUMENT_BEGIN(inventories, resource_class, &record);
    BSON_APPEND_INT64(&record, "total", INT32_MAX);
    BSON_APPEND_INT64(&record, "reserved", 0);
    BSON_APPEND_INT64(&record, "min_unit", 1);
    BSON_APPEND_INT64(&record, "max_unit", INT32_MAX);
    BSON_APPEND_INT64(&record, "step_size", 1);
    BSON_APPEND_INT64(&record, "ratio", 1000000);
    BSON_APPEND_INT64(&record, "used", 0);
    bson_append_document_end(inventories, &record);
}

static void append_provider(bson_t *document, uint32_t index)
{
    char name[32];
    bson_t inventories;
    struct uuid id = claim_provider(index);
    (void)snprintf(name, sizeof name, "host-%u", index);
    BSON_APPEND_BINARY(document, "_id", BSON_SUBTYPE_UUID, id.bytes, UUID_BYTES);
    BSON_APPEND_UTF8(document, "name", name);
    BSON_APPEND_NULL(document, "parent");
    BSON_APPEND_BINARY(document, "root", BSON_SUBTYPE_UUID, id.bytes, UUID_BYTES);
    BSON_APPEND_INT64(document, "generation", 0);
    BSON_APPEND_INT64(document, "rev", 0);
    BSON_APPEND_DOCUMENT_BEGIN(document, "inventories", &inventories);
    for (size_t i = 0; i < CLAIM_CLASSES; i++)
        append_stock(&inventories, claim_classes[i]);
    bson_append_document_end(document, &inventories);
}

static void seed(struct database *database, uint32_t provider_count)
{
    bson_error_t error;
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(database->providers, NULL);
    for (uint32_t i = 0; i < provider_count; i++) {
        bson_t document = BSON_INITIALIZER;
        append_provider(&document, i);
        mongoc_bulk_operation_insert(bulk, &document);
        bson_destroy(&document);
    }
    if (mongoc_bulk_operation_execute(bulk, NULL, &error) == 0)
        bench_die("%s", error.message);
    mongoc_bulk_operation_destroy(bulk);
}

static mongoc_client_t *connect_client(void)
{
    const char *text = getenv("ALLOT_MONGODB_URI");
    bson_error_t error;
    if (text == NULL)
        bench_die("ALLOT_MONGODB_URI is not set: run it by script/bench");
    mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &error);
    if (uri == NULL)
        bench_die("%s", error.message);
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(write, 0);
    mongoc_write_concern_set_journal(write, true);
    mongoc_uri_set_write_concern(uri, write);
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    mongoc_write_concern_destroy(write);
    mongoc_uri_destroy(uri);
    return client;
}

struct database database_open(const char *name, uint32_t provider_count)
{
    struct database database = {.client = connect_client()};
    bson_error_t error;
    database.handle = mongoc_client_get_database(database.client, name);
    if (!mongoc_database_drop(database.handle, &error))
        bench_die("%s", error.message);
    for (enum mongo_collection i = 0; i < MONGO_COLLECTION_COUNT; i++)
        make_collection(database.handle, i);
    database.providers = mongoc_database_get_collection(database.handle, "providers");
    database.consumers = mongoc_database_get_collection(database.handle, "consumers");
    database.outcomes = mongoc_database_get_collection(database.handle, "outcomes");
    seed(&database, provider_count);
    return database;
}

void database_drop(struct database *database)
{
    bson_error_t error;
    if (!mongoc_database_drop(database->handle, &error))
        bench_die("%s", error.message);
    mongoc_collection_destroy(database->providers);
    mongoc_collection_destroy(database->consumers);
    mongoc_collection_destroy(database->outcomes);
    mongoc_database_destroy(database->handle);
    mongoc_client_destroy(database->client);
}

/* The one number of a pipeline, under "n"; 0 where it gives nothing. */
static int64_t number(mongoc_collection_t *collection, const char *format,
                      const char *resource_class)
{
    char pipeline[512];
    bson_t stages;
    bson_error_t error;
    bson_iter_t iter;
    const bson_t *row = NULL;
    int64_t n = 0;
    (void)snprintf(pipeline, sizeof pipeline, format, resource_class);
    if (!bson_init_from_json(&stages, pipeline, -1, &error))
        bench_die("%s", error.message);
    mongoc_cursor_t *cursor =
        mongoc_collection_aggregate(collection, MONGOC_QUERY_NONE, &stages, NULL, NULL);
    if (mongoc_cursor_next(cursor, &row) && bson_iter_init_find(&iter, row, "n"))
        n = bson_iter_as_int64(&iter);
    if (mongoc_cursor_error(cursor, &error))
        bench_die("%s", error.message);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&stages);
    return n;
}

static void expect(const char *what, int64_t found, int64_t expected)
{
    if (found != expected)
        bench_die("audit: %s is %lld, not %lld", what, (long long)found, (long long)expected);
}

void database_audit(struct database *database, size_t claims)
{
    static const char count[] = "[{\"$count\":\"n\"}]";
    static const char used[] =
        "[{\"$group\":{\"_id\":null,\"n\":{\"$sum\":\"$inventories.%s.used\"}}}]";
    static const char held[] = "[{\"$unwind\":\"$allocations\"},{\"$group\":{\"_id\":null,"
                               "\"n\":{\"$sum\":\"$allocations.resources.%s\"}}}]";
    static const char generations[] =
        "[{\"$group\":{\"_id\":null,\"n\":{\"$sum\":\"$generation\"}}}]";
    for (size_t i = 0; i < CLAIM_CLASSES; i++) {
        int64_t expected = (int64_t)claims * CLAIM_PROVIDERS * claim_amount(i);
        expect("usage", number(database->providers, used, claim_classes[i]), expected);
        expect("allocation", number(database->consumers, held, claim_classes[i]), expected);
    }
    expect("consumers", number(database->consumers, count, ""), (int64_t)claims);
    expect("outcomes", number(database->outcomes, count, ""), (int64_t)claims);
    expect("generations", number(database->providers, generations, ""),
           (int64_t)claims * CLAIM_PROVIDERS);
}

int64_t database_transactions(struct database *database)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t error;
    bson_iter_t iter, found;
    BSON_APPEND_INT32(&command, "serverStatus", 1);
    if (!mongoc_client_command_simple(database->client, "admin", &command, NULL, &reply, &error))
        bench_die("%s", error.message);
    if (!bson_iter_init(&iter, &reply) ||
        !bson_iter_find_descendant(&iter, "transactions.totalCommitted", &found))
        bench_die("the server does not count transactions");
    int64_t committed = bson_iter_as_int64(&found);
    bson_destroy(&reply);
    bson_destroy(&command);
    return committed;
}
