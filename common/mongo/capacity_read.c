/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each function is one query with the pool's read concern (majority), but projects, which
 * are two: first the names, which the index "owner" has, then the sums of those on the page.
 * Queries ask for one row more than the limit, which tells whether there is more.
 *
 * Guarantees. Each query has the server's time limit of one command. The roots, and a search, look
 * through the index on the name, so a collection is never sorted in memory.
 *
 * The sentinels have no name and no project: a range of strings leaves them out.
 */
#include "common/mongo/capacity_read.h"

#include <ctype.h>

#include "common/base/array.h"
#include "common/base/utf8.h"
#include "common/mongo/document.h"
#include "common/mongo/list.h"
#include "common/mongo/queries.h"

/* --- providers ------------------------------------------------------------------------------ */

struct provider_rows {
    struct arena *arena;
    struct capacity_providers *providers;
    size_t capacity;
    size_t limit;
};

static enum store_status provider_row(void *context, const bson_t *document, struct error *error)
{
    struct provider_rows *rows = context;
    struct capacity_providers *providers = rows->providers;
    providers->more = providers->count == rows->limit;
    if (providers->more)
        return STORE_OK;
    providers->list = arena_grown(rows->arena, providers->list, providers->count, &rows->capacity,
                                  sizeof *providers->list);
    struct provider *provider = &providers->list[providers->count];
    if (!document_read_id(document, &provider->id) ||
        !document_read_provider(document, rows->arena, provider))
        return mongo_malformed(MONGO_PROVIDERS, document, error);
    providers->count++;
    return STORE_OK;
}

/* Runs a find. `order` is the field that it is sorted by; NULL: none. */
static enum store_status find_providers(struct store *base, const bson_t *filter, const char *order,
                                        size_t limit, struct arena *arena,
                                        struct capacity_providers *ret_providers,
                                        struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t options = BSON_INITIALIZER, sort;
    *ret_providers = (struct capacity_providers){NULL, 0, false};
    struct provider_rows rows = {arena, ret_providers, 0, limit};
    if (order != NULL) {
        bson_append_document_begin(&options, "sort", -1, &sort);
        BSON_APPEND_INT32(&sort, order, 1);
        bson_append_document_end(&options, &sort);
    }
    BSON_APPEND_INT64(&options, "limit", (int64_t)limit + 1);
    BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(store->collections[MONGO_PROVIDERS],
                                                               filter, &options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, provider_row, &rows, error);
    bson_destroy(&options);
    return status;
}

enum store_status mongo_capacity_roots(struct store *store, struct text after, size_t limit,
                                       struct arena *arena,
                                       struct capacity_providers *ret_providers,
                                       struct error *error)
{
    bson_t filter = BSON_INITIALIZER, range;
    bson_append_document_begin(&filter, "name", -1, &range);
    document_append_text(&range, text_present(after) ? "$gt" : "$gte", after);
    bson_append_document_end(&filter, &range);
    BSON_APPEND_NULL(&filter, "parent");
    enum store_status status =
        find_providers(store, &filter, "name", limit, arena, ret_providers, error);
    bson_destroy(&filter);
    return status;
}

enum store_status mongo_capacity_below(struct store *store, const struct uuid *roots, size_t count,
                                       size_t limit, struct arena *arena,
                                       struct capacity_providers *ret_providers,
                                       struct error *error)
{
    bson_t filter = BSON_INITIALIZER, other;
    struct list list;
    list_begin_in(&list, &filter, "root");
    for (size_t i = 0; i < count; i++)
        list_add_uuid(&list, roots[i]);
    list_end_in(&list, &filter);
    bson_append_document_begin(&filter, "parent", -1, &other);
    BSON_APPEND_NULL(&other, "$ne");
    bson_append_document_end(&filter, &other);
    enum store_status status =
        find_providers(store, &filter, NULL, limit, arena, ret_providers, error);
    bson_destroy(&filter);
    return status;
}

enum store_status mongo_capacity_provider(struct store *store, struct uuid id, struct arena *arena,
                                          struct capacity_providers *ret_providers,
                                          struct error *error)
{
    bson_t filter = BSON_INITIALIZER;
    document_append_uuid(&filter, "_id", id);
    enum store_status status = find_providers(store, &filter, NULL, 1, arena, ret_providers, error);
    bson_destroy(&filter);
    return status;
}

/* Returns whether the text can be part of a pattern; a pattern is a C string. */
static bool is_searchable(struct text text)
{
    while (text.length > 0) {
        size_t length = utf8_sequence(text);
        if (length == 0 || utf8_is_control(text_view(text.bytes, length)))
            return false;
        text = text_view(text.bytes + length, text.length - length);
    }
    return true;
}

/* Returns a pattern that finds the text itself, as a C string. */
static const char *literal_pattern(struct arena *arena, struct text text)
{
    char *pattern = arena_alloc(arena, 2 * text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c < 0x80 && isalnum(c) == 0)
            pattern[length++] = '\\';
        pattern[length++] = text.bytes[i];
    }
    return pattern;
}

enum store_status mongo_capacity_search(struct store *store, struct text text, size_t limit,
                                        struct arena *arena,
                                        struct capacity_providers *ret_providers,
                                        struct error *error)
{
    struct uuid id;
    *ret_providers = (struct capacity_providers){NULL, 0, false};
    if (uuid_parse(text, &id)) {
        enum store_status status = mongo_capacity_provider(store, id, arena, ret_providers, error);
        if (status != STORE_OK || ret_providers->count > 0)
            return status;
    }
    if (!is_searchable(text)) {
        error_set(error, "names of providers have no such characters");
        return STORE_REFUSED;
    }
    bson_t filter = BSON_INITIALIZER;
    BSON_APPEND_REGEX(&filter, "name", literal_pattern(arena, text), "i");
    enum store_status status =
        find_providers(store, &filter, "name", limit, arena, ret_providers, error);
    bson_destroy(&filter);
    return status;
}

/* --- pipelines ------------------------------------------------------------------------------ */

/* Runs a pipeline on the collection of consumers, and destroys it. */
static enum store_status aggregate(struct store *base, bson_t *pipeline, mongo_row row,
                                   void *context, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    bson_t options = BSON_INITIALIZER;
    BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor = mongoc_collection_aggregate(
        store->collections[MONGO_CONSUMERS], MONGOC_QUERY_NONE, pipeline, &options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, row, context, error);
    bson_destroy(&options);
    bson_destroy(pipeline);
    return status;
}

/* --- consumers ------------------------------------------------------------------------------ */

struct consumer_rows {
    struct arena *arena;
    struct capacity_consumers *consumers;
    size_t capacity;
    size_t limit;
};

static enum store_status consumer_row(void *context, const bson_t *document, struct error *error)
{
    struct consumer_rows *rows = context;
    struct capacity_consumers *consumers = rows->consumers;
    consumers->more = consumers->count == rows->limit;
    if (consumers->more)
        return STORE_OK;
    consumers->list = arena_grown(rows->arena, consumers->list, consumers->count, &rows->capacity,
                                  sizeof *consumers->list);
    struct consumer *consumer = &consumers->list[consumers->count];
    if (!document_read_id(document, &consumer->id) ||
        !document_read_consumer(document, rows->arena, consumer))
        return mongo_malformed(MONGO_CONSUMERS, document, error);
    consumers->count++;
    return STORE_OK;
}

/* Asks for no mappings, which can be large, and for no allocations on other providers. */
static void append_projection(bson_t *pipeline, struct uuid provider)
{
    bson_t projection = BSON_INITIALIZER, allocations;
    BSON_APPEND_INT32(&projection, "project_id", 1);
    BSON_APPEND_INT32(&projection, "user_id", 1);
    BSON_APPEND_INT32(&projection, "consumer_type", 1);
    BSON_APPEND_INT32(&projection, "generation", 1);
    bson_append_document_begin(&projection, "allocations", -1, &allocations);
    expression_append_allocations(&allocations, provider);
    bson_append_document_end(&projection, &allocations);
    pipeline_append(pipeline, "$project", &projection);
    bson_destroy(&projection);
}

static bson_t *consumers_pipeline(struct uuid provider, const struct uuid *after, size_t limit)
{
    bson_t *pipeline = bson_new();
    bson_t filter = BSON_INITIALIZER, sort = BSON_INITIALIZER, range;
    document_append_uuid(&filter, "allocations.provider", provider);
    if (after != NULL) {
        bson_append_document_begin(&filter, "_id", -1, &range);
        document_append_uuid(&range, "$gt", *after);
        bson_append_document_end(&filter, &range);
    }
    pipeline_append(pipeline, "$match", &filter);
    BSON_APPEND_INT32(&sort, "_id", 1);
    pipeline_append(pipeline, "$sort", &sort);
    pipeline_append_limit(pipeline, (int64_t)limit + 1);
    append_projection(pipeline, provider);
    bson_destroy(&sort);
    bson_destroy(&filter);
    return pipeline;
}

enum store_status mongo_capacity_consumers(struct store *store, struct uuid provider,
                                           const struct uuid *after, size_t limit,
                                           struct arena *arena,
                                           struct capacity_consumers *ret_consumers,
                                           struct error *error)
{
    *ret_consumers = (struct capacity_consumers){NULL, 0, false};
    struct consumer_rows rows = {arena, ret_consumers, 0, limit};
    return aggregate(store, consumers_pipeline(provider, after, limit), consumer_row, &rows, error);
}

/* --- projects ------------------------------------------------------------------------------- */

struct project_rows {
    struct arena *arena;
    struct capacity_projects *projects;
    size_t capacity;
    size_t limit;
    size_t amount_capacity; /* of the project whose sums are being read */
};

static enum store_status project_row(void *context, const bson_t *document, struct error *error)
{
    struct project_rows *rows = context;
    struct capacity_projects *projects = rows->projects;
    bson_iter_t iter;
    uint32_t length = 0;
    projects->more = projects->count == rows->limit;
    if (projects->more)
        return STORE_OK;
    if (!bson_iter_init_find(&iter, document, "_id") || !BSON_ITER_HOLDS_UTF8(&iter))
        return mongo_malformed(MONGO_CONSUMERS, document, error);
    const char *name = bson_iter_utf8(&iter, &length);
    projects->list = arena_grown(rows->arena, projects->list, projects->count, &rows->capacity,
                                 sizeof *projects->list);
    projects->list[projects->count++] =
        (struct capacity_project){.project_id = text_copy(rows->arena, text_view(name, length))};
    return STORE_OK;
}

/* The first three stages read one entry of the index for each project (a distinct scan). */
static bson_t *projects_pipeline(struct text after, size_t limit)
{
    bson_t *pipeline = bson_new();
    bson_t filter = BSON_INITIALIZER, range;
    bson_append_document_begin(&filter, "project_id", -1, &range);
    document_append_text(&range, text_present(after) ? "$gt" : "$gte", after);
    bson_append_document_end(&filter, &range);
    pipeline_append(pipeline, "$match", &filter);
    pipeline_append_json(pipeline, "[{\"$sort\": {\"project_id\": 1}}, "
                                   "{\"$group\": {\"_id\": \"$project_id\"}}, "
                                   "{\"$sort\": {\"_id\": 1}}]");
    pipeline_append_limit(pipeline, (int64_t)limit + 1);
    bson_destroy(&filter);
    return pipeline;
}

static int compare_projects(const void *a, const void *b)
{
    return text_compare(((const struct capacity_project *)a)->project_id,
                        ((const struct capacity_project *)b)->project_id);
}

/* The rows are sorted by project and class; the number of consumers has the empty class. */
static enum store_status sum_row(void *context, const bson_t *document, struct error *error)
{
    struct project_rows *rows = context;
    struct text class;
    struct capacity_project wanted = {0};
    int64_t amount = 0;
    if (!document_read_usage(document, &wanted.project_id, &class, &amount)) {
        error_set(error, "mongodb: the sum of the allocations is not a 64-bit integer");
        return STORE_REFUSED;
    }
    struct capacity_project *project =
        array_find(&wanted, rows->projects->list, rows->projects->count,
                   sizeof *rows->projects->list, compare_projects);
    if (project == NULL)
        return STORE_OK;
    if (class.length == 0) {
        project->consumers = amount;
        return STORE_OK;
    }
    if (project->amount_count == 0)
        rows->amount_capacity = 0;
    project->amounts = arena_grown(rows->arena, project->amounts, project->amount_count,
                                   &rows->amount_capacity, sizeof *project->amounts);
    project->amounts[project->amount_count++] =
        (struct capacity_amount){text_copy(rows->arena, class), amount};
    return STORE_OK;
}

/* $unwind makes several documents of one consumer; only the first one, with the index 0, adds 1 to
   the number of consumers. */
static bson_t *sums_pipeline(const struct capacity_projects *projects)
{
    static const char stages[] =
        "[{\"$unwind\": {\"path\": \"$allocations\", \"includeArrayIndex\": \"i\"}},"
        "{\"$project\": {\"_id\": 0, \"project\": \"$project_id\", \"amounts\": "
        "{\"$concatArrays\": "
        "[{\"$cond\": [{\"$eq\": [\"$i\", 0]}, [{\"k\": \"\", \"v\": 1}], []]},"
        "{\"$objectToArray\": \"$allocations.resources\"}]}}},"
        "{\"$unwind\": {\"path\": \"$amounts\"}},"
        "{\"$group\": {\"_id\": {\"type\": \"$project\", \"class\": \"$amounts.k\"},"
        "\"amount\": {\"$sum\": \"$amounts.v\"}}},"
        "{\"$sort\": {\"_id\": 1}}]";
    bson_t *pipeline = bson_new();
    bson_t filter = BSON_INITIALIZER;
    struct list list;
    list_begin_in(&list, &filter, "project_id");
    for (size_t i = 0; i < projects->count; i++)
        list_add_text(&list, projects->list[i].project_id);
    list_end_in(&list, &filter);
    pipeline_append(pipeline, "$match", &filter);
    pipeline_append_json(pipeline, stages);
    bson_destroy(&filter);
    return pipeline;
}

enum store_status mongo_capacity_projects(struct store *store, struct text after, size_t limit,
                                          struct arena *arena,
                                          struct capacity_projects *ret_projects,
                                          struct error *error)
{
    *ret_projects = (struct capacity_projects){NULL, 0, false};
    struct project_rows rows = {.arena = arena, .projects = ret_projects, .limit = limit};
    enum store_status status =
        aggregate(store, projects_pipeline(after, limit), project_row, &rows, error);
    if (status != STORE_OK || ret_projects->count == 0)
        return status;
    return aggregate(store, sums_pipeline(ret_projects), sum_row, &rows, error);
}
