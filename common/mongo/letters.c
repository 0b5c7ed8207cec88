/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Letters are documents of the collection `letters` (letter_document.h). Sections: the
 * write in the transaction, the marks after a publish, the claims of the sweep, the search for
 * letters that a message names.
 *
 * A claim is three commands. The first finds the oldest letters that may be claimed. The second
 * claims those of them that may still be claimed: the server checks the condition again under the
 * lock of each document, so two stores never get the same letter. The third reads what was claimed.
 * Each letter gets the name of the call: that of the store, and how many calls of it succeeded
 * before. A call that is repeated after a failure has the same name, and so gets what was claimed
 * before the answer was lost. A later call does not get it: the worker may be publishing it.
 *
 * Guarantees. Marks and claims are durable before the call returns, since the pool sets a write
 * concern of journaled majority. They compare times with the database's clock only ($$NOW).
 *
 * Rejected: findAndModify, which would be one command for each letter.
 *
 * Not here: publishing (the worker), expiry (the index in schema.c), and lists for people
 * (letters_read.c).
 */
#include "common/mongo/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/array.h"
#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/list.h"
#include "common/mongo/sentinel.h"
#include "common/mongo/schema.h"

enum {
    DOCUMENT_BYTES_MAX = 16 * 1024 * 1024, /* the server's limit */
    JSON_MAX = 1024
};

/* --- the write in the transaction ----------------------------------------------------------- */

/* Libmongoc rejects a larger operation itself, with an error that looks like a bug of allotd. */
static enum store_status check_size(const bson_t *update, struct text id, struct error *error)
{
    if (update->len < DOCUMENT_BYTES_MAX)
        return STORE_OK;
    error_set(error, "mongodb: letter %.*s is too large: %" PRIu32 " bytes (limit %d)",
              TEXT_ARGS(id), update->len, DOCUMENT_BYTES_MAX);
    return STORE_REFUSED;
}

static enum store_status add_upsert(struct mongo_store *store, mongoc_bulk_operation_t *bulk,
                                    const struct letter *letter, struct error *error)
{
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER, options = BSON_INITIALIZER;
    bson_error_t cause;
    document_append_text(&selector, "_id", letter->id);
    letter_append_upsert(&update, letter, mongo_now_ms(&store->base),
                         store->pool->letters_retention_ms);
    BSON_APPEND_BOOL(&options, "upsert", true);
    enum store_status status = check_size(&update, letter->id, error);
    if (status == STORE_OK &&
        !mongoc_bulk_operation_update_one_with_opts(bulk, &selector, &update, &options, &cause)) {
        error_set(error, "mongodb: %s", cause.message);
        status = STORE_MISCONFIGURED;
    }
    bson_destroy(&options);
    bson_destroy(&update);
    bson_destroy(&selector);
    return status;
}

/* Libmongoc sends the operations as one command, or as several if they are larger than 48 MB. */
enum store_status mongo_write_letters(struct store *base, const struct letter *letters,
                                      size_t count, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    enum store_status status = STORE_MISCONFIGURED;
    bson_t options;
    if (count == 0)
        return STORE_OK;
    if (mongo_session_options(store, &options, error)) {
        BSON_APPEND_BOOL(&options, "ordered", true); /* the first error ends the transaction */
        mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(
            store->collections[MONGO_LETTERS], &options);
        status = sentinel_check(store, MONGO_LETTERS, error);
        for (size_t i = 0; status == STORE_OK && i < count; i++)
            status = add_upsert(store, bulk, &letters[i], error);
        if (status == STORE_OK)
            status = mongo_execute(store, bulk, error);
        mongoc_bulk_operation_destroy(bulk);
    }
    bson_destroy(&options);
    return status;
}

/* --- marks ---------------------------------------------------------------------------------- */

static void append_ids(bson_t *filter, const struct text *ids, size_t count)
{
    struct list list;
    list_begin_in(&list, filter, "_id");
    for (size_t i = 0; i < count; i++)
        list_add_text(&list, ids[i]);
    list_end_in(&list, filter);
}

static enum store_status update_many(struct mongo_store *store, const bson_t *filter,
                                     const bson_t *update, struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    if (!mongoc_collection_update_many(store->collections[MONGO_LETTERS], filter, update, NULL,
                                       &reply, &cause))
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    bson_destroy(&reply);
    return status;
}

/* A letter that is marked already is left out, so that a repeated call does not delay its expiry.
   A confirm counts more than a refusal: the message is in the queue. */
enum store_status mongo_mark_letters_published(struct store *base, const struct text *ids,
                                               size_t count, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t filter = BSON_INITIALIZER, absent;
    char json[JSON_MAX];
    if (count == 0)
        return STORE_OK;
    append_ids(&filter, ids, count);
    bson_append_document_begin(&filter, "published_at", -1, &absent);
    BSON_APPEND_BOOL(&absent, "$exists", false);
    bson_append_document_end(&filter, &absent);
    (void)snprintf(json, sizeof json,
                   "[{\"$set\": {\"published_at\": \"$$NOW\", \"expires_at\": {\"$add\": "
                   "[\"$$NOW\", {\"$numberLong\": \"%" PRId64 "\"}]}}}, {\"$unset\": "
                   "[\"unpublished\", \"claimed_by\", \"claimed_until\", \"refused\"]}]",
                   store->pool->letters_retention_ms);
    bson_t *update = document_from_json(json);
    enum store_status status = update_many(store, &filter, update, error);
    bson_destroy(update);
    bson_destroy(&filter);
    return status;
}

enum store_status mongo_mark_letter_refused(struct store *base, struct text id, struct text reason,
                                            struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, part;
    document_append_text(&filter, "_id", id);
    BSON_APPEND_BOOL(&filter, "unpublished", true);
    bson_append_document_begin(&update, "$set", -1, &part);
    letter_append_text(&part, "refused", text_present(reason) ? reason : text_of(""));
    bson_append_document_end(&update, &part);
    bson_append_document_begin(&update, "$unset", -1, &part);
    BSON_APPEND_UTF8(&part, "unpublished", "");
    BSON_APPEND_UTF8(&part, "claimed_by", "");
    BSON_APPEND_UTF8(&part, "claimed_until", "");
    bson_append_document_end(&update, &part);
    enum store_status status = update_many(store, &filter, &update, error);
    bson_destroy(&update);
    bson_destroy(&filter);
    return status;
}

/* --- claims --------------------------------------------------------------------------------- */

struct letter_claim {
    struct mongo_store *store;
    size_t max;
    size_t bytes_max;
    char name[80]; /* of this call, also when it is repeated */
    struct arena *arena;
    struct text *ids; /* of the letters that may be claimed */
    size_t id_count;
    size_t id_bytes; /* of their headers and bodies */
    bool full;
    struct letter_record *records; /* claimed */
    size_t record_count;
};

/* Appends the condition under which this call may claim a letter. A missing time is before each
   other one. */
static void append_claimable(bson_t *filter, const struct letter_claim *claim)
{
    char json[JSON_MAX];
    (void)snprintf(json, sizeof json,
                   "{\"unpublished\": true, \"$expr\": {\"$and\": ["
                   "{\"$lte\": [\"$last_at\", {\"$subtract\": [\"$$NOW\", %d]}]}, "
                   "{\"$or\": [{\"$lte\": [\"$claimed_until\", \"$$NOW\"]}, "
                   "{\"$eq\": [\"$claimed_by\", {\"$literal\": \"%s\"}]}]}]}}",
                   LETTER_SWEEP_AFTER_MS, claim->name);
    bson_t *condition = document_from_json(json);
    bson_concat(filter, condition);
    bson_destroy(condition);
}

/* Runs a find, and destroys its filter and its options. */
static enum store_status find(struct letter_claim *claim, bson_t *filter, bson_t *options,
                              mongo_row row, struct error *error)
{
    struct mongo_store *store = claim->store;
    BSON_APPEND_INT64(options, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collections[MONGO_LETTERS], filter, options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, row, claim, error);
    bson_destroy(options);
    bson_destroy(filter);
    return status;
}

/* Takes the letter if it fits, and no letter after one that did not fit. */
static void take_id(struct letter_claim *claim, struct text id, size_t bytes)
{
    bool fits = claim->id_count == 0 || claim->id_bytes + bytes <= claim->bytes_max;
    claim->full |= !fits || claim->id_count == claim->max;
    if (claim->full)
        return;
    claim->ids[claim->id_count++] = text_copy(claim->arena, id);
    claim->id_bytes += bytes;
}

static enum store_status id_row(void *context, const bson_t *document, struct error *error)
{
    bson_iter_t id, bytes;
    uint32_t length = 0;
    if (!bson_iter_init_find(&id, document, "_id") || !BSON_ITER_HOLDS_UTF8(&id) ||
        !bson_iter_init_find(&bytes, document, "bytes") || !BSON_ITER_HOLDS_INT(&bytes))
        return mongo_malformed(MONGO_LETTERS, document, error);
    const char *text = bson_iter_utf8(&id, &length);
    take_id(context, text_view(text, length), (size_t)bson_iter_as_int64(&bytes));
    return STORE_OK;
}

/* Passes over malformed letters, which `allotctl audit` is for: they cannot be read. */
static enum store_status find_claimable(struct letter_claim *claim, struct error *error)
{
    bson_t filter = BSON_INITIALIZER;
    bson_t *validator = document_from_json(schema_validator(MONGO_LETTERS));
    bson_t *options =
        document_from_json("{\"sort\": {\"last_at\": 1}, \"projection\": {\"bytes\": {\"$add\": ["
                           "{\"$binarySize\": {\"$ifNull\": [\"$headers\", \"\"]}}, "
                           "{\"$binarySize\": {\"$ifNull\": [\"$body\", \"\"]}}]}}}");
    append_claimable(&filter, claim);
    bson_concat(&filter, validator);
    bson_destroy(validator);
    BSON_APPEND_INT64(options, "limit", (int64_t)claim->max);
    claim->ids = ARENA_ARRAY(claim->arena, struct text, claim->max);
    return find(claim, &filter, options, id_row, error);
}

static enum store_status claim_found(const struct letter_claim *claim, struct error *error)
{
    bson_t filter = BSON_INITIALIZER;
    char json[JSON_MAX];
    append_ids(&filter, claim->ids, claim->id_count);
    append_claimable(&filter, claim);
    (void)snprintf(json, sizeof json,
                   "[{\"$set\": {\"claimed_by\": {\"$literal\": \"%s\"}, "
                   "\"claimed_until\": {\"$add\": [\"$$NOW\", %d]}}}]",
                   claim->name, LETTER_CLAIM_MS);
    bson_t *update = document_from_json(json);
    enum store_status status = update_many(claim->store, &filter, update, error);
    bson_destroy(update);
    bson_destroy(&filter);
    return status;
}

/* Passes over a letter that it cannot read, since it was written by another version of allotd. */
static enum store_status claimed_row(void *context, const bson_t *document, struct error *error)
{
    struct letter_claim *claim = context;
    (void)error;
    if (claim->record_count < claim->id_count &&
        letter_read(document, claim->arena, &claim->records[claim->record_count]))
        claim->record_count++;
    return STORE_OK;
}

static int compare_ages(const void *a, const void *b)
{
    const struct letter_record *x = a, *y = b;
    return (x->last_at_ms > y->last_at_ms) - (x->last_at_ms < y->last_at_ms);
}

/* The records are sorted here: the server would sort whole letters, and may use 100 MiB for that.
 */
static enum store_status read_claimed(struct letter_claim *claim, struct error *error)
{
    bson_t filter = BSON_INITIALIZER, *options = bson_new();
    bson_t *valid = document_from_json("{\"$expr\": {\"$gt\": [\"$claimed_until\", \"$$NOW\"]}}");
    append_ids(&filter, claim->ids, claim->id_count);
    BSON_APPEND_UTF8(&filter, "claimed_by", claim->name);
    bson_concat(&filter, valid);
    bson_destroy(valid);
    claim->records = ARENA_ARRAY(claim->arena, struct letter_record, claim->id_count);
    enum store_status status = find(claim, &filter, options, claimed_row, error);
    array_sort(claim->records, claim->record_count, sizeof *claim->records, compare_ages);
    return status;
}

static enum store_status claim_all(struct letter_claim *claim, struct error *error)
{
    enum store_status status = find_claimable(claim, error);
    if (status == STORE_OK && claim->id_count > 0)
        status = claim_found(claim, error);
    if (status == STORE_OK && claim->id_count > 0)
        status = read_claimed(claim, error);
    return status;
}

static struct letter *letters_of(const struct letter_claim *claim)
{
    struct letter *letters = ARENA_ARRAY(claim->arena, struct letter, claim->record_count);
    for (size_t i = 0; i < claim->record_count; i++)
        letters[i] = claim->records[i].letter;
    return letters;
}

enum store_status mongo_claim_letters(struct store *base, size_t max, size_t bytes_max,
                                      struct arena *arena, struct letter **ret_letters,
                                      size_t *ret_count, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct letter_claim claim = {
        .store = store, .max = max, .bytes_max = bytes_max, .arena = arena};
    enum store_status status = STORE_OK;
    (void)snprintf(claim.name, sizeof claim.name, "%s.%" PRIu64, store->name, store->claims);
    if (max > 0) /* the server takes a limit of 0 for no limit */
        status = claim_all(&claim, error);
    store->claims += status == STORE_OK;
    *ret_letters = status == STORE_OK ? letters_of(&claim) : NULL;
    *ret_count = status == STORE_OK ? claim.record_count : 0;
    return status;
}

/* --- known letters -------------------------------------------------------------------------- */

struct letter_search {
    struct arena *arena;
    const struct text *ids;
    size_t count;
    struct letter_sighting *sightings;
};

static enum store_status sighted_row(void *context, const bson_t *document, struct error *error)
{
    struct letter_search *search = context;
    struct letter_sighting sighting;
    bson_iter_t iter;
    uint32_t length = 0;
    if (!bson_iter_init_find(&iter, document, "_id") || !BSON_ITER_HOLDS_UTF8(&iter) ||
        !letter_read_sighting(document, search->arena, &sighting))
        return mongo_malformed(MONGO_LETTERS, document, error);
    const char *id = bson_iter_utf8(&iter, &length);
    for (size_t i = 0; i < search->count; i++) {
        if (text_equal(search->ids[i], text_view(id, length)))
            search->sightings[i] = sighting;
    }
    return STORE_OK;
}

/* The server would reject an id that is not UTF-8. */
static size_t append_valid_ids(bson_t *filter, const struct text *ids, size_t count)
{
    struct list list;
    size_t valid = 0;
    list_begin_in(&list, filter, "_id");
    for (size_t i = 0; i < count; i++) {
        if (!letter_id_is_valid(ids[i]))
            continue;
        list_add_text(&list, ids[i]);
        valid++;
    }
    list_end_in(&list, filter);
    return valid;
}

enum store_status mongo_find_letters(struct store *base, const struct text *ids, size_t count,
                                     struct arena *arena, struct letter_sighting *ret_sightings,
                                     struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct letter_search search = {arena, ids, count, ret_sightings};
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, *fields = NULL;
    enum store_status status = STORE_OK;
    for (size_t i = 0; i < count; i++)
        ret_sightings[i] = (struct letter_sighting){0};
    if (append_valid_ids(&filter, ids, count) > 0) {
        fields =
            document_from_json("{\"projection\": {\"source\": 1, \"reason\": 1, \"detail\": 1, "
                               "\"body_sha256\": 1}}");
        bson_concat(&options, fields);
        BSON_APPEND_INT64(&options, "batchSize", (int64_t)count + 1); /* one answer */
        BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
        mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
            store->collections[MONGO_LETTERS], &filter, &options, NULL);
        status = mongo_each_row(store, PHASE_RUN, cursor, sighted_row, &search, error);
        bson_destroy(fields);
    }
    bson_destroy(&options);
    bson_destroy(&filter);
    return status;
}
