/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_documents.h"

struct holder {
    int64_t generation;
    int64_t used[CLAIM_CLASSES_MAX];
    bool touched; /* by the batch */
};

static void succeed(bool done, const bson_error_t *error)
{
    if (!done)
        bench_die("%s", error->message);
}

static bson_t session_options(struct raw *raw)
{
    bson_t options = BSON_INITIALIZER;
    bson_error_t error;
    succeed(mongoc_client_session_append(raw->session, &options, &error), &error);
    return options;
}

/* --- reads --- */

/* The wanted of one collection, by number; false where there is none of that number. */
typedef bool (*selection)(struct raw *raw, size_t number, const char *name, bson_t *array);

static bool wanted_outcome(struct raw *raw, size_t number, const char *name, bson_t *array)
{
    documents_append_key(array, name, raw->claims[number].number);
    return true;
}

static bool wanted_consumer(struct raw *raw, size_t number, const char *name, bson_t *array)
{
    documents_append_uuid(array, name, raw->claims[number].consumer);
    return true;
}

static bool wanted_provider(struct raw *raw, size_t number, const char *name, bson_t *array)
{
    if (!raw->refcount[number].touched)
        return false;
    documents_append_uuid(array, name, claim_provider((uint32_t)number));
    return true;
}

static int64_t used_of(const bson_t *row, size_t resource_class)
{
    char path[64];
    bson_iter_t iter, found;
    (void)snprintf(path, sizeof path, "inventories.%s.used", claim_classes[resource_class]);
    if (!bson_iter_init(&iter, row) || !bson_iter_find_descendant(&iter, path, &found))
        bench_die("a provider without %s", path);
    return bson_iter_int64(&found);
}

static void take_provider(struct raw *raw, const bson_t *row)
{
    bson_iter_t iter;
    const uint8_t *id = NULL;
    uint32_t length = 0;
    if (bson_iter_init_find(&iter, row, "_id"))
        bson_iter_binary(&iter, NULL, &length, &id);
    uint32_t index = length == UUID_BYTES ? claim_provider_index(id) : UINT32_MAX;
    if (index >= raw->shape.providers || !bson_iter_init_find(&iter, row, "generation"))
        bench_die("a strange provider");
    struct holder *holder = &raw->refcount[index];
    holder->generation = bson_iter_int64(&iter);
    for (size_t i = 0; i < raw->shape.classes; i++)
        holder->used[i] = used_of(row, i);
}

static void append_wanted(struct raw *raw, selection wanted, size_t numbers, bson_t *filter,
                          uint32_t *ret_count)
{
    bson_t condition, array;
    char buffer[16];
    const char *name = NULL;
    uint32_t count = 0;
    bson_append_document_begin(filter, "_id", -1, &condition);
    bson_append_array_begin(&condition, "$in", -1, &array);
    for (size_t i = 0; i < numbers; i++) {
        (void)bson_uint32_to_string(count, &name, buffer, sizeof buffer);
        count += wanted(raw, i, name, &array);
    }
    bson_append_array_end(&condition, &array);
    bson_append_document_end(filter, &condition);
    *ret_count = count;
}

/* Reads one collection; the number of documents that were wanted and there. */
static void find(struct raw *raw, mongoc_collection_t *collection, selection wanted, size_t numbers)
{
    bson_t filter = BSON_INITIALIZER, options = session_options(raw);
    bson_error_t error;
    const bson_t *row = NULL;
    uint32_t count = 0, found = 0;
    append_wanted(raw, wanted, numbers, &filter, &count);
    BSON_APPEND_INT64(&options, "batchSize", (int64_t)count + 1);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &filter, &options, NULL);
    for (; mongoc_cursor_next(cursor, &row); found++)
        if (wanted == wanted_provider)
            take_provider(raw, row);
    succeed(!mongoc_cursor_error(cursor, &error), &error);
    if (found != (wanted == wanted_provider ? count : 0))
        bench_die("%u documents, not those that should be there", found);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    bson_destroy(&filter);
}

/* --- writes --- */

static mongoc_bulk_operation_t *new_bulk(struct raw *raw, mongoc_collection_t *collection)
{
    bson_t options = session_options(raw);
    BSON_APPEND_BOOL(&options, "ordered", true);
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(collection, &options);
    bson_destroy(&options);
    return bulk;
}

static void execute(mongoc_bulk_operation_t *bulk)
{
    bson_error_t error;
    bson_t reply;
    succeed(mongoc_bulk_operation_execute(bulk, &reply, &error) != 0, &error);
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
}

static void add_update(struct raw *raw, mongoc_bulk_operation_t *bulk, uint32_t index)
{
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER, part;
    const struct holder *holder = &raw->refcount[index];
    bson_error_t error;
    char path[64];
    documents_append_uuid(&selector, "_id", claim_provider(index));
    bson_append_document_begin(&update, "$set", -1, &part);
    BSON_APPEND_INT64(&part, "generation", holder->generation);
    for (size_t i = 0; i < raw->shape.classes; i++) {
        (void)snprintf(path, sizeof path, "inventories.%s.used", claim_classes[i]);
        BSON_APPEND_INT64(&part, path, holder->used[i]);
    }
    bson_append_document_end(&update, &part);
    bson_append_document_begin(&update, "$inc", -1, &part);
    BSON_APPEND_INT64(&part, "rev", 1);
    bson_append_document_end(&update, &part);
    succeed(mongoc_bulk_operation_update_one_with_opts(bulk, &selector, &update, NULL, &error),
            &error);
    bson_destroy(&update);
    bson_destroy(&selector);
}

/* Generations count up through the batch, as they do in the worker. */
static void append_outcome(bson_t *document, struct raw *raw, const struct bench_claim *claim)
{
    int64_t generations[CLAIM_PROVIDERS_MAX];
    for (uint32_t i = 0; i < raw->shape.claim_providers; i++)
        generations[i] = raw->refcount[claim_provider_at(claim, i)].generation;
    documents_outcome(document, &raw->shape, claim, generations);
}

static void write_providers(struct raw *raw)
{
    mongoc_bulk_operation_t *bulk = new_bulk(raw, raw->database.providers);
    for (uint32_t i = 0; i < raw->shape.providers; i++)
        if (raw->refcount[i].touched)
            add_update(raw, bulk, i);
    execute(bulk);
}

static void insert_all(struct raw *raw, mongoc_collection_t *collection)
{
    bson_error_t error;
    mongoc_bulk_operation_t *bulk = new_bulk(raw, collection);
    for (size_t i = 0; i < raw->count; i++) {
        bson_t document = BSON_INITIALIZER;
        if (collection == raw->database.consumers)
            documents_consumer(&document, &raw->shape, &raw->claims[i]);
        else
            append_outcome(&document, raw, &raw->claims[i]);
        succeed(mongoc_bulk_operation_insert_with_opts(bulk, &document, NULL, &error), &error);
        bson_destroy(&document);
    }
    execute(bulk);
}

/* --- transactions --- */

static void draw_claims(struct raw *raw, size_t first)
{
    for (uint32_t i = 0; i < raw->shape.providers; i++)
        raw->refcount[i].touched = false;
    for (size_t i = 0; i < raw->count; i++) {
        raw->claims[i] = claim_draw(&raw->shape, first + i, 0);
        for (uint32_t j = 0; j < raw->shape.claim_providers; j++)
            raw->refcount[claim_provider_at(&raw->claims[i], j)].touched = true;
    }
}

static void apply_claims(struct raw *raw)
{
    for (size_t i = 0; i < raw->count; i++) {
        for (uint32_t j = 0; j < raw->shape.claim_providers; j++) {
            struct holder *holder = &raw->refcount[claim_provider_at(&raw->claims[i], j)];
            holder->generation++;
            for (size_t k = 0; k < raw->shape.classes; k++)
                holder->used[k] += claim_amount(k);
        }
    }
}

void raw_transact(struct raw *raw, size_t first, size_t count)
{
    bson_error_t error;
    bson_t reply;
    raw->count = count;
    draw_claims(raw, first);
    succeed(mongoc_client_session_start_transaction(raw->session, NULL, &error), &error);
    find(raw, raw->database.outcomes, wanted_outcome, raw->count);
    find(raw, raw->database.consumers, wanted_consumer, raw->count);
    find(raw, raw->database.providers, wanted_provider, raw->shape.providers);
    apply_claims(raw);
    write_providers(raw);
    insert_all(raw, raw->database.consumers);
    insert_all(raw, raw->database.outcomes);
    succeed(mongoc_client_session_commit_transaction(raw->session, &reply, &error), &error);
    bson_destroy(&reply);
}

static mongoc_client_session_t *open_session(mongoc_client_t *client)
{
    bson_error_t error;
    mongoc_session_opt_t *options = mongoc_session_opts_new();
    mongoc_transaction_opt_t *transaction = mongoc_transaction_opts_new();
    mongoc_read_concern_t *read = mongoc_read_concern_new();
    (void)mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
    mongoc_transaction_opts_set_read_concern(transaction, read);
    mongoc_session_opts_set_default_transaction_opts(options, transaction);
    mongoc_client_session_t *session = mongoc_client_start_session(client, options, &error);
    succeed(session != NULL, &error);
    mongoc_read_concern_destroy(read);
    mongoc_transaction_opts_destroy(transaction);
    mongoc_session_opts_destroy(options);
    return session;
}

struct raw raw_open(const struct shape *shape, size_t batch, size_t seeded)
{
    struct raw raw = {.shape = *shape};
    mongoc_init();
    raw.claims = bench_array(batch, sizeof *raw.claims);
    raw.refcount = bench_array(shape->providers, sizeof *raw.refcount);
    raw.database = database_open("raw", shape, seeded);
    raw.session = open_session(raw.database.client);
    return raw;
}

void raw_audit(struct raw *raw, size_t claims)
{
    int64_t count = (int64_t)claims;
    struct totals totals = {count, count, count * raw->shape.claim_providers};
    database_audit(&raw->database, &totals);
}

void raw_close(struct raw *raw)
{
    mongoc_client_session_destroy(raw->session);
    database_drop(&raw->database);
    free(raw->claims);
    free(raw->refcount);
    mongoc_cleanup();
}
