/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare transaction of a batch of new claims, on bare libmongoc.
 *
 * raw_transact() does what the worker does for such a batch: it begins a snapshot transaction,
 * reads the outcomes, consumers and providers, updates the providers, inserts the consumers and
 * outcomes, and commits. Documents and indexes are the worker's (bench_documents.c,
 * bench_database.c); the writes are ordered bulk operations, as the worker's are.
 *
 * Differences to the worker, all in favour of this code: commands are not decoded, nothing is
 * decided (each claim fits), one transaction runs at a time, and a conflict or any other error ends
 * the program. One difference is to its disadvantage: it reads each collection with a find of its
 * own, where the worker loads all three with one aggregate. Each read checks that it found exactly
 * the documents that must exist, so a wrong baseline does not stay unnoticed.
 */
#include "bench/bench_transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_documents.h"

/* A provider as this transaction has read and changed it. */
struct provider_state {
    int64_t generation;
    int64_t used[CLAIM_CLASSES_MAX];
    bool in_batch; /* some claim of the batch has it */
};

static void check(bool succeeded, const bson_error_t *error)
{
    if (!succeeded)
        bench_die("cannot run the bare transaction: %s", error->message);
}

static bson_t session_options(struct raw *raw)
{
    bson_t options = BSON_INITIALIZER;
    bson_error_t error;
    check(mongoc_client_session_append(raw->session, &options, &error), &error);
    return options;
}

/* --- reads --- */

/* Appends the `_id` of one document to the array of those to read from a collection. `number` is
   the document's number. Returns false if none is to be read for this number. */
typedef bool (*append_id)(struct raw *raw, size_t number, const char *name, bson_t *array);

static bool append_outcome_id(struct raw *raw, size_t number, const char *name, bson_t *array)
{
    documents_append_key(array, name, raw->claims[number].number);
    return true;
}

static bool append_consumer_id(struct raw *raw, size_t number, const char *name, bson_t *array)
{
    documents_append_uuid(array, name, raw->claims[number].consumer);
    return true;
}

static bool append_provider_id(struct raw *raw, size_t number, const char *name, bson_t *array)
{
    if (!raw->providers[number].in_batch)
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
        bench_die("missing field '%s' in a provider", path);
    return bson_iter_int64(&found);
}

static void read_provider(struct raw *raw, const bson_t *row)
{
    bson_iter_t iter;
    const uint8_t *id = NULL;
    uint32_t length = 0;
    if (bson_iter_init_find(&iter, row, "_id"))
        bson_iter_binary(&iter, NULL, &length, &id);
    uint32_t index = length == UUID_BYTES ? claim_provider_index(id) : UINT32_MAX;
    if (index >= raw->shape.providers || !bson_iter_init_find(&iter, row, "generation"))
        bench_die("malformed or unknown provider in the database");
    struct provider_state *state = &raw->providers[index];
    state->generation = bson_iter_int64(&iter);
    for (size_t i = 0; i < raw->shape.classes; i++)
        state->used[i] = used_of(row, i);
}

static void append_filter(struct raw *raw, append_id append, size_t numbers, bson_t *filter,
                          uint32_t *ret_count)
{
    bson_t condition, array;
    char buffer[16];
    const char *name = NULL;
    uint32_t count = 0;
    bson_append_document_begin(filter, "_id", -1, &condition);
    array_begin(&condition, "$in", &array);
    for (size_t i = 0; i < numbers; i++) {
        (void)bson_uint32_to_string(count, &name, buffer, sizeof buffer);
        count += append(raw, i, name, &array);
    }
    bson_append_array_end(&condition, &array);
    bson_append_document_end(filter, &condition);
    *ret_count = count;
}

/* Reads one collection. All providers must exist; the consumers and outcomes of new claims must
 * not. */
static void find(struct raw *raw, mongoc_collection_t *collection, append_id append, size_t numbers)
{
    bson_t filter = BSON_INITIALIZER, options = session_options(raw);
    bson_error_t error;
    const bson_t *row = NULL;
    uint32_t count = 0, found = 0;
    append_filter(raw, append, numbers, &filter, &count);
    BSON_APPEND_INT64(&options, "batchSize", (int64_t)count + 1);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &filter, &options, NULL);
    for (; mongoc_cursor_next(cursor, &row); found++)
        if (append == append_provider_id)
            read_provider(raw, row);
    check(!mongoc_cursor_error(cursor, &error), &error);
    uint32_t expected = append == append_provider_id ? count : 0;
    if (found != expected)
        bench_die("wrong number of documents: %u (expected %u)", found, expected);
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
    check(mongoc_bulk_operation_execute(bulk, &reply, &error) != 0, &error);
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
}

static void add_update(struct raw *raw, mongoc_bulk_operation_t *bulk, uint32_t index)
{
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER, part;
    const struct provider_state *state = &raw->providers[index];
    bson_error_t error;
    char path[64];
    documents_append_uuid(&selector, "_id", claim_provider(index));
    bson_append_document_begin(&update, "$set", -1, &part);
    BSON_APPEND_INT64(&part, "generation", state->generation);
    for (size_t i = 0; i < raw->shape.classes; i++) {
        (void)snprintf(path, sizeof path, "inventories.%s.used", claim_classes[i]);
        BSON_APPEND_INT64(&part, path, state->used[i]);
    }
    bson_append_document_end(&update, &part);
    bson_append_document_begin(&update, "$inc", -1, &part);
    BSON_APPEND_INT64(&part, "rev", 1);
    bson_append_document_end(&update, &part);
    check(mongoc_bulk_operation_update_one_with_opts(bulk, &selector, &update, NULL, &error),
          &error);
    bson_destroy(&update);
    bson_destroy(&selector);
}

/* The generations are those after the batch, where the worker's reply has those after the command;
   they have about the same number of digits. */
static void append_outcome(bson_t *document, struct raw *raw, const struct bench_claim *claim)
{
    int64_t generations[CLAIM_PROVIDERS_MAX];
    for (uint32_t i = 0; i < raw->shape.claim_providers; i++)
        generations[i] = raw->providers[claim_provider_at(claim, i)].generation;
    documents_outcome(document, &raw->shape, claim, generations);
}

static void write_providers(struct raw *raw)
{
    mongoc_bulk_operation_t *bulk = new_bulk(raw, raw->database.providers);
    for (uint32_t i = 0; i < raw->shape.providers; i++)
        if (raw->providers[i].in_batch)
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
        check(mongoc_bulk_operation_insert_with_opts(bulk, &document, NULL, &error), &error);
        bson_destroy(&document);
    }
    execute(bulk);
}

/* --- transactions --- */

static void draw_claims(struct raw *raw, size_t first)
{
    for (uint32_t i = 0; i < raw->shape.providers; i++)
        raw->providers[i].in_batch = false;
    for (size_t i = 0; i < raw->count; i++) {
        raw->claims[i] = claim_draw(&raw->shape, first + i, 0);
        for (uint32_t j = 0; j < raw->shape.claim_providers; j++)
            raw->providers[claim_provider_at(&raw->claims[i], j)].in_batch = true;
    }
}

static void apply_claims(struct raw *raw)
{
    for (size_t i = 0; i < raw->count; i++) {
        for (uint32_t j = 0; j < raw->shape.claim_providers; j++) {
            struct provider_state *state = &raw->providers[claim_provider_at(&raw->claims[i], j)];
            state->generation++;
            for (size_t k = 0; k < raw->shape.classes; k++)
                state->used[k] += claim_amount(k);
        }
    }
}

void raw_transact(struct raw *raw, size_t first, size_t count)
{
    bson_error_t error;
    bson_t reply;
    raw->count = count;
    draw_claims(raw, first);
    check(mongoc_client_session_start_transaction(raw->session, NULL, &error), &error);
    find(raw, raw->database.outcomes, append_outcome_id, raw->count);
    find(raw, raw->database.consumers, append_consumer_id, raw->count);
    find(raw, raw->database.providers, append_provider_id, raw->shape.providers);
    apply_claims(raw);
    write_providers(raw);
    insert_all(raw, raw->database.consumers);
    insert_all(raw, raw->database.outcomes);
    check(mongoc_client_session_commit_transaction(raw->session, &reply, &error), &error);
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
    check(session != NULL, &error);
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
    raw.providers = bench_array(shape->providers, sizeof *raw.providers);
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
    free(raw->providers);
    mongoc_cleanup();
}
