/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. queries_run() makes one `aggregate` command of up to QUERIES_PER_COMMAND queries, and
 * reads its response row by row. With three queries, the command's pipeline is:
 *
 *   [{$documents: [{}]},
 *    {$lookup: {from: "outcomes", pipeline: [...], as: "q0"}},
 *    {$lookup: {from: "consumers", pipeline: [...], as: "q1"}},
 *    {$lookup: {from: "providers", pipeline: [...], as: "q2"}},
 *    {$project: {row: {$concatArrays: ["$q0", [0], "$q1", [0], "$q2"]}}},
 *    {$unwind: "$row"}]
 *
 * $unwind makes each row a document of the response, so the rows of all queries together have no
 * limit. The rows of one $lookup have a limit of 100 MiB; beyond it the status is TOO_LARGE, and
 * the caller tries a smaller batch. A row that is a number, not a document, separates the rows of
 * two queries.
 *
 * Guarantees. Missing rows never pass for documents that do not exist: the run is OK only if the
 * cursor has ended without an error, and after the last separator.
 *
 * Not here: what the queries ask for (load.c, reads.c).
 */
#include "common/mongo/queries.h"

#include <assert.h>
#include <stdio.h>

#include "common/mongo/document.h"
#include "common/mongo/list.h"

enum { NAME_BYTES = 24 }; /* of "q" and a number */

struct queries queries_new(struct arena *arena, size_t capacity, size_t bytes_max)
{
    return (struct queries){.list = ARENA_ARRAY(arena, struct query, capacity),
                            .capacity = capacity,
                            .arena = arena,
                            .bytes_max = bytes_max};
}

void queries_free(struct queries *queries)
{
    for (size_t i = 0; i < queries->count; i++)
        bson_destroy(queries->list[i].pipeline);
    queries->count = 0;
}

void queries_add(struct queries *queries, struct query query)
{
    assert(queries->count < queries->capacity);
    queries->list[queries->count++] = query;
}

/* --- the pipeline --------------------------------------------------------------------------- */

static void begin_stage(bson_t *pipeline, bson_t *stage)
{
    struct list stages = {.count = bson_count_keys(pipeline)};
    bson_append_document_begin(pipeline, list_next(&stages), -1, stage);
}

void pipeline_append(bson_t *pipeline, const char *name, const bson_t *content)
{
    bson_t stage;
    begin_stage(pipeline, &stage);
    BSON_APPEND_DOCUMENT(&stage, name, content);
    bson_append_document_end(pipeline, &stage);
}

void pipeline_append_limit(bson_t *pipeline, int64_t limit)
{
    bson_t stage;
    begin_stage(pipeline, &stage);
    BSON_APPEND_INT64(&stage, "$limit", limit);
    bson_append_document_end(pipeline, &stage);
}

void pipeline_append_json(bson_t *pipeline, const char *stages)
{
    bson_iter_t iter;
    bson_t *parsed = document_from_json(stages);
    struct list list = {.count = bson_count_keys(pipeline)};
    BSON_ASSERT(bson_iter_init(&iter, parsed));
    while (bson_iter_next(&iter))
        BSON_ASSERT(bson_append_iter(pipeline, list_next(&list), -1, &iter));
    bson_destroy(parsed);
}

/* {$filter: {input: "$allocations", cond: {$eq: ["$$this.provider", provider]}}} */
void expression_append_allocations(bson_t *expression, struct uuid provider)
{
    bson_t filter, condition;
    struct list operands;
    bson_append_document_begin(expression, "$filter", -1, &filter);
    BSON_APPEND_UTF8(&filter, "input", "$allocations");
    bson_append_document_begin(&filter, "cond", -1, &condition);
    list_begin(&operands, &condition, "$eq");
    list_add_word(&operands, "$$this.provider");
    list_add_uuid(&operands, provider);
    list_end(&operands, &condition);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(expression, &filter);
}

static void append_lookup(bson_t *pipeline, const struct query *query, size_t number)
{
    char as[NAME_BYTES];
    bson_t lookup = BSON_INITIALIZER;
    (void)snprintf(as, sizeof as, "q%zu", number);
    BSON_APPEND_UTF8(&lookup, "from", mongo_collection_name(query->from));
    BSON_APPEND_ARRAY(&lookup, "pipeline", query->pipeline);
    BSON_APPEND_UTF8(&lookup, "as", as);
    pipeline_append(pipeline, "$lookup", &lookup);
    bson_destroy(&lookup);
}

/* ["$q0", [0], "$q1", ...] */
static void append_lists(bson_t *expression, size_t count)
{
    char path[NAME_BYTES];
    struct list lists;
    bson_t separator;
    list_begin(&lists, expression, "$concatArrays");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            array_begin(&lists.array, list_next(&lists), &separator);
            BSON_APPEND_INT32(&separator, "0", 0);
            bson_append_array_end(&lists.array, &separator);
        }
        (void)snprintf(path, sizeof path, "$q%zu", i);
        list_add_word(&lists, path);
    }
    list_end(&lists, expression);
}

static void append_rows(bson_t *pipeline, size_t count)
{
    bson_t project = BSON_INITIALIZER, unwind = BSON_INITIALIZER, row;
    bson_append_document_begin(&project, "row", -1, &row);
    append_lists(&row, count);
    bson_append_document_end(&project, &row);
    pipeline_append(pipeline, "$project", &project);
    BSON_APPEND_UTF8(&unwind, "path", "$row");
    pipeline_append(pipeline, "$unwind", &unwind);
    bson_destroy(&unwind);
    bson_destroy(&project);
}

static void append_source(bson_t *pipeline)
{
    bson_t source = BSON_INITIALIZER, documents, nothing = BSON_INITIALIZER;
    array_begin(&source, "$documents", &documents);
    BSON_APPEND_DOCUMENT(&documents, "0", &nothing);
    bson_append_array_end(&source, &documents);
    BSON_APPEND_DOCUMENT(pipeline, "0", &source);
    bson_destroy(&source);
}

static bson_t *new_pipeline(const struct query *list, size_t count)
{
    bson_t *pipeline = bson_new();
    append_source(pipeline);
    for (size_t i = 0; i < count; i++)
        append_lookup(pipeline, &list[i], i);
    append_rows(pipeline, count);
    return pipeline;
}

/* --- the response --------------------------------------------------------------------------- */

struct response {
    const struct queries *queries;
    const struct query *list;
    size_t count;
    size_t current; /* the query whose rows are being read */
};

static enum store_status malformed(struct error *error)
{
    error_set(error, "mongodb: unexpected response from the server");
    return STORE_UNAVAILABLE;
}

/* Checked after each row, so that the arena exceeds the limit by one row at most. */
static enum store_status check_size(const struct queries *queries, struct error *error)
{
    if (queries->bytes_max == 0 || arena_bytes(queries->arena) <= queries->bytes_max)
        return STORE_OK;
    error_set(error, "the documents to load take more than %zu bytes", queries->bytes_max);
    return STORE_TOO_LARGE;
}

static enum store_status handle_row(void *context, const bson_t *document, struct error *error)
{
    struct response *response = context;
    const struct query *query = &response->list[response->current];
    bson_iter_t iter;
    bson_t row;
    if (!bson_iter_init_find(&iter, document, "row"))
        return malformed(error);
    if (!BSON_ITER_HOLDS_DOCUMENT(&iter)) {
        response->current++;
        return response->current < response->count ? STORE_OK : malformed(error);
    }
    if (!document_view(&iter, &row))
        return malformed(error);
    enum store_status status = query->row(query->context, &row, error);
    return status == STORE_OK ? check_size(response->queries, error) : status;
}

static enum store_status run_command(struct mongo_store *store, const struct queries *queries,
                                     size_t first, size_t count, struct error *error)
{
    const struct query *list = &queries->list[first];
    struct response response = {.queries = queries, .list = list, .count = count};
    enum store_status status = STORE_MISCONFIGURED;
    bson_t options;
    bson_t *pipeline = new_pipeline(list, count);
    if (mongo_session_options(store, &options, error)) {
        /* The default first batch of 101 rows would need a second round trip for the others. */
        BSON_APPEND_INT32(&options, "batchSize", INT32_MAX);
        BSON_APPEND_INT64(&options, "maxTimeMS", store->call_limit_ms);
        mongoc_cursor_t *cursor =
            mongoc_database_aggregate(store->database, pipeline, &options, NULL);
        status = mongo_each_row(store, PHASE_RUN, cursor, handle_row, &response, error);
        if (status == STORE_OK && response.current != count - 1)
            status = malformed(error);
    }
    bson_destroy(&options);
    bson_destroy(pipeline);
    return status;
}

enum store_status queries_run(struct mongo_store *store, const struct queries *queries,
                              struct error *error)
{
    enum store_status status = STORE_OK;
    for (size_t first = 0; status == STORE_OK && first < queries->count;) {
        size_t left = queries->count - first;
        size_t count = left < QUERIES_PER_COMMAND ? left : QUERIES_PER_COMMAND;
        status = run_command(store, queries, first, count, error);
        first += count;
    }
    return status;
}
