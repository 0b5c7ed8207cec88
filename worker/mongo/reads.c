/* SPDX-License-Identifier: Apache-2.0 */
/* Fills trees, pages and usages: the lists whose documents are not known by key. */
#include "worker/mongo/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/mongo/document.h"

/* What a row and an amount take in the reply, at most, beside the class's name. */
enum { ROW_BYTES = 120, AMOUNT_BYTES = 60, FIRST_CAPACITY = 64, PIPELINE_MAX = 1024 };

/* A list in the arena that grows by doubling. */
static void *grown(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t larger = *capacity > 0 ? *capacity * 2 : FIRST_CAPACITY;
    void *copy = arena_array(arena, larger, size);
    if (count > 0)
        memcpy(copy, items, count * size);
    *capacity = larger;
    return copy;
}

/* --- trees --- */

struct tree_rows {
    struct snapshot *snapshot;
    size_t capacity;
};

static enum store_status tree_row(void *context, const bson_t *document, struct error *error)
{
    struct tree_rows *rows = context;
    struct snapshot *snapshot = rows->snapshot;
    snapshot->nodes = grown(snapshot->arena, snapshot->nodes, snapshot->node_count, &rows->capacity,
                            sizeof *snapshot->nodes);
    if (!document_read_node(document, &snapshot->nodes[snapshot->node_count]))
        return mongo_malformed(MONGO_PROVIDERS, document, error);
    snapshot->node_count++;
    return STORE_OK;
}

static int compare_nodes(const void *a, const void *b)
{
    return uuid_compare(((const struct tree_node *)a)->id, ((const struct tree_node *)b)->id);
}

static void append_roots(bson_t *filter, const struct snapshot *snapshot)
{
    bson_t condition, list;
    char buffer[16];
    const char *index = NULL;
    bson_append_document_begin(filter, "root", -1, &condition);
    bson_append_array_begin(&condition, "$in", -1, &list);
    for (size_t i = 0; i < snapshot->root_count; i++) {
        (void)bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        document_append_uuid(&list, index, snapshot->roots[i]);
    }
    bson_append_array_end(&condition, &list);
    bson_append_document_end(filter, &condition);
}

static void append_limits(bson_t *options, const struct mongo_store *store, int64_t limit)
{
    BSON_APPEND_INT64(options, "limit", limit);
    BSON_APPEND_INT64(options, "batchSize", limit + 1);
    BSON_APPEND_INT64(options, "maxTimeMS", store->pool->server_time_ms);
}

/* A second query on providers beside the slots': only commands that stand alone want trees. */
static enum store_status load_trees(struct mongo_store *store, struct snapshot *snapshot,
                                    struct error *error)
{
    if (snapshot->roots_loaded || snapshot->root_count == 0)
        return STORE_OK;
    enum store_status status = STORE_MISUSE;
    struct tree_rows rows = {.snapshot = snapshot};
    bson_t filter = BSON_INITIALIZER, options, projection;
    snapshot->nodes = NULL;
    snapshot->node_count = 0;
    append_roots(&filter, snapshot);
    if (mongo_session_options(store, &options, error)) {
        append_limits(&options, store, (int64_t)snapshot->root_count * (TREE_PROVIDERS_MAX + 1));
        bson_append_document_begin(&options, "projection", -1, &projection);
        BSON_APPEND_INT32(&projection, "parent", 1);
        BSON_APPEND_INT32(&projection, "root", 1);
        bson_append_document_end(&options, &projection);
        mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
            store->collections[MONGO_PROVIDERS], &filter, &options, NULL);
        status = mongo_each_row(store, MOMENT_RUN, cursor, tree_row, &rows, error);
    }
    if (status == STORE_OK && snapshot->node_count > 1)
        qsort(snapshot->nodes, snapshot->node_count, sizeof *snapshot->nodes, compare_nodes);
    snapshot->roots_loaded = status == STORE_OK;
    bson_destroy(&options);
    bson_destroy(&filter);
    return status;
}

/* --- pages --- */

struct page_rows {
    struct arena *arena;
    struct consumer *rows;
    size_t count;
    size_t capacity;
    size_t limit;
    size_t bytes;
    bool more;
};

static size_t row_bytes(const struct consumer *row)
{
    size_t bytes = ROW_BYTES;
    for (size_t i = 0; i < row->holding_count; i++)
        bytes += AMOUNT_BYTES + row->holdings[i].resource_class.length;
    return bytes;
}

static enum store_status page_row(void *context, const bson_t *document, struct error *error)
{
    struct page_rows *page = context;
    struct consumer row = {.state = {.loaded = true, .stored = true, .exists = true}};
    if (page->more)
        return STORE_OK;
    if (!document_read_row(document, page->arena, &row))
        return mongo_malformed(MONGO_CONSUMERS, document, error);
    size_t bytes = row_bytes(&row);
    page->more =
        page->count == page->limit || (page->count > 0 && page->bytes + bytes > PAGE_BYTES_MAX);
    if (page->more)
        return STORE_OK;
    page->rows = grown(page->arena, page->rows, page->count, &page->capacity, sizeof *page->rows);
    page->rows[page->count++] = row;
    page->bytes += bytes;
    return STORE_OK;
}

static void append_page_filter(bson_t *filter, const struct page_params *params)
{
    bson_t after;
    document_append_uuid(filter, "allocations.provider", params->provider);
    if (!params->has_after)
        return;
    bson_append_document_begin(filter, "_id", -1, &after);
    document_append_uuid(&after, "$gt", params->after);
    bson_append_document_end(filter, &after);
}

/* Of a consumer, only what it holds of this provider: it has one entry for each provider. */
static void append_page_options(bson_t *options, const struct page_params *params)
{
    bson_t sort, projection, allocations, match;
    bson_append_document_begin(options, "sort", -1, &sort);
    BSON_APPEND_INT32(&sort, "_id", 1);
    bson_append_document_end(options, &sort);
    bson_append_document_begin(options, "projection", -1, &projection);
    BSON_APPEND_INT32(&projection, "generation", 1);
    bson_append_document_begin(&projection, "allocations", -1, &allocations);
    bson_append_document_begin(&allocations, "$elemMatch", -1, &match);
    document_append_uuid(&match, "provider", params->provider);
    bson_append_document_end(&allocations, &match);
    bson_append_document_end(&projection, &allocations);
    bson_append_document_end(options, &projection);
}

static enum store_status load_page(struct mongo_store *store, struct snapshot *snapshot,
                                   struct page_slot *slot, struct error *error)
{
    enum store_status status = STORE_MISUSE;
    struct page_rows page = {.arena = snapshot->arena, .limit = (size_t)slot->params.limit};
    bson_t filter = BSON_INITIALIZER, options;
    append_page_filter(&filter, &slot->params);
    if (mongo_session_options(store, &options, error)) {
        append_limits(&options, store, slot->params.limit + 1);
        append_page_options(&options, &slot->params);
        mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
            store->collections[MONGO_CONSUMERS], &filter, &options, NULL);
        status = mongo_each_row(store, MOMENT_RUN, cursor, page_row, &page, error);
    }
    if (status == STORE_OK) {
        slot->page = (struct consumer_page){page.rows, page.count, page.more};
        slot->loaded = true;
    }
    bson_destroy(&options);
    bson_destroy(&filter);
    return status;
}

/* --- usages --- */

struct usage_row {
    struct text consumer_type;
    struct text resource_class; /* empty: how many consumers there are */
    int64_t amount;
};

struct usage_rows {
    struct arena *arena;
    struct usage_row *rows;
    size_t count;
    size_t capacity;
};

static enum store_status usage_row(void *context, const bson_t *document, struct error *error)
{
    struct usage_rows *usage = context;
    struct text type, class;
    int64_t amount = 0;
    if (!document_read_usage(document, &type, &class, &amount)) {
        error_set(error, "mongodb: a sum of allocations is not a 64-bit integer");
        return STORE_REFUSED;
    }
    usage->rows =
        grown(usage->arena, usage->rows, usage->count, &usage->capacity, sizeof *usage->rows);
    usage->rows[usage->count++] =
        (struct usage_row){text_copy(usage->arena, type), text_copy(usage->arena, class), amount};
    return STORE_OK;
}

static int compare_usages(const void *a, const void *b)
{
    const struct usage_row *x = a, *y = b;
    int order = text_compare(x->consumer_type, y->consumer_type);
    return order != 0 ? order : text_compare(x->resource_class, y->resource_class);
}

/* Sorted rows into groups: of each type the count comes first, its class being empty. */
static void group_usages(struct usage_slot *slot, const struct usage_rows *usage)
{
    struct usage_amount *amounts = ARENA_ARRAY(usage->arena, struct usage_amount, usage->count);
    slot->groups = ARENA_ARRAY(usage->arena, struct usage_group, usage->count);
    slot->group_count = 0;
    for (size_t i = 0; i < usage->count; i++) {
        const struct usage_row *row = &usage->rows[i];
        if (row->resource_class.length == 0) {
            slot->groups[slot->group_count++] =
                (struct usage_group){row->consumer_type, row->amount, &amounts[i + 1], 0};
            continue;
        }
        amounts[i] = (struct usage_amount){row->resource_class, row->amount};
        slot->groups[slot->group_count - 1].count++;
    }
}

/*
 * One row a type and class, and one a type with an empty class that counts its consumers: of each
 * consumer the first allocation carries the one that is counted.
 */
static bson_t *usage_pipeline(const struct usage_params *params)
{
    static const char stages[] =
        "{\"pipeline\": [{\"$unwind\": {\"path\": \"$allocations\", \"includeArrayIndex\": \"i\"}},"
        "{\"$project\": {\"_id\": 0, \"type\": %s, \"amounts\": {\"$concatArrays\": ["
        "{\"$cond\": [{\"$eq\": [\"$i\", 0]}, [{\"k\": \"\", \"v\": 1}], []]},"
        "{\"$objectToArray\": \"$allocations.resources\"}]}}},"
        "{\"$unwind\": \"$amounts\"},"
        "{\"$group\": {\"_id\": {\"type\": \"$type\", \"class\": \"$amounts.k\"},"
        "\"amount\": {\"$sum\": \"$amounts.v\"}}}]}";
    char json[PIPELINE_MAX];
    bool all = text_is(params->consumer_type, "all");
    (void)snprintf(json, sizeof json, stages,
                   all ? "{\"$literal\": \"all\"}" : "\"$consumer_type\"");
    return bson_new_from_json((const uint8_t *)json, -1, NULL);
}

static void append_match(bson_t *match, const struct usage_params *params)
{
    document_append_text(match, "project_id", params->project_id);
    if (text_present(params->user_id))
        document_append_text(match, "user_id", params->user_id);
    if (text_present(params->consumer_type) && !text_is(params->consumer_type, "all"))
        document_append_text(match, "consumer_type", params->consumer_type);
}

/* [{$match}, the stages...] as the library takes it. */
static void build_pipeline(bson_t *pipeline, const struct usage_params *params)
{
    bson_t array, stage, match;
    bson_iter_t stages, iter;
    char buffer[16];
    const char *index = NULL;
    uint32_t count = 1;
    bson_t *rest = usage_pipeline(params);
    bson_append_array_begin(pipeline, "pipeline", -1, &array);
    bson_append_document_begin(&array, "0", -1, &stage);
    bson_append_document_begin(&stage, "$match", -1, &match);
    append_match(&match, params);
    bson_append_document_end(&stage, &match);
    bson_append_document_end(&array, &stage);
    BSON_ASSERT(rest != NULL && bson_iter_init_find(&stages, rest, "pipeline") &&
                bson_iter_recurse(&stages, &iter));
    while (bson_iter_next(&iter)) {
        (void)bson_uint32_to_string(count++, &index, buffer, sizeof buffer);
        BSON_ASSERT(bson_append_iter(&array, index, -1, &iter));
    }
    bson_append_array_end(pipeline, &array);
    bson_destroy(rest);
}

static enum store_status load_usage(struct mongo_store *store, struct snapshot *snapshot,
                                    struct usage_slot *slot, struct error *error)
{
    enum store_status status = STORE_MISUSE;
    struct usage_rows usage = {.arena = snapshot->arena};
    bson_t pipeline = BSON_INITIALIZER, options;
    build_pipeline(&pipeline, &slot->params);
    if (mongo_session_options(store, &options, error)) {
        BSON_APPEND_INT32(&options, "batchSize", INT32_MAX);
        BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
        mongoc_cursor_t *cursor = mongoc_collection_aggregate(
            store->collections[MONGO_CONSUMERS], MONGOC_QUERY_NONE, &pipeline, &options, NULL);
        status = mongo_each_row(store, MOMENT_RUN, cursor, usage_row, &usage, error);
    }
    if (status == STORE_OK) {
        if (usage.count > 1)
            qsort(usage.rows, usage.count, sizeof *usage.rows, compare_usages);
        group_usages(slot, &usage);
        slot->loaded = true;
    }
    bson_destroy(&options);
    bson_destroy(&pipeline);
    return status;
}

/* Every consumer has a type, so that nothing is ever of the type "unknown". */
static bool is_empty_by_contract(const struct usage_slot *slot)
{
    return text_is(slot->params.consumer_type, "unknown");
}

enum store_status mongo_load_reads(struct mongo_store *store, struct snapshot *snapshot,
                                   struct error *error)
{
    enum store_status status = load_trees(store, snapshot, error);
    for (size_t i = 0; status == STORE_OK && i < snapshot->page_count; i++) {
        if (!snapshot->pages[i].loaded)
            status = load_page(store, snapshot, &snapshot->pages[i], error);
    }
    for (size_t i = 0; status == STORE_OK && i < snapshot->usage_count; i++) {
        struct usage_slot *slot = &snapshot->usages[i];
        if (is_empty_by_contract(slot))
            slot->loaded = true;
        if (!slot->loaded)
            status = load_usage(store, snapshot, slot, error);
    }
    return status;
}
