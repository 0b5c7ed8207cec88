/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/reads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mongo/document.h"
#include "common/mongo/list.h"

/* What a row and an amount take in the reply, at most, beside the class's name. */
enum { ROW_BYTES = 120, AMOUNT_BYTES = 60, PIPELINE_MAX = 1024 };

/* --- trees --- */

struct tree_rows {
    struct arena *arena;
    struct tree_node *nodes;
    size_t count;
    size_t capacity;
};

static enum store_status tree_row(void *context, const bson_t *document, struct error *error)
{
    struct tree_rows *tree = context;
    tree->nodes =
        arena_grown(tree->arena, tree->nodes, tree->count, &tree->capacity, sizeof *tree->nodes);
    if (!document_read_node(document, &tree->nodes[tree->count]))
        return mongo_malformed(MONGO_PROVIDERS, document, error);
    tree->count++;
    return STORE_OK;
}

static int compare_nodes(const void *a, const void *b)
{
    return uuid_compare(((const struct tree_node *)a)->id, ((const struct tree_node *)b)->id);
}

static void append_roots(bson_t *filter, const struct snapshot *snapshot)
{
    struct list list;
    list_begin_in(&list, filter, "root");
    for (size_t i = 0; i < snapshot->root_count; i++)
        document_append_uuid(&list.array, list_next(&list), snapshot->roots[i]);
    list_end_in(&list, filter);
}

static bson_t *tree_pipeline(const struct snapshot *snapshot)
{
    bson_t *pipeline = bson_new();
    bson_t filter = BSON_INITIALIZER, projection = BSON_INITIALIZER;
    append_roots(&filter, snapshot);
    pipeline_append(pipeline, "$match", &filter);
    pipeline_append_limit(pipeline, (int64_t)snapshot->root_count * (TREE_PROVIDERS_MAX + 1));
    BSON_APPEND_INT32(&projection, "parent", 1);
    BSON_APPEND_INT32(&projection, "root", 1);
    pipeline_append(pipeline, "$project", &projection);
    bson_destroy(&projection);
    bson_destroy(&filter);
    return pipeline;
}

static bool wants_trees(const struct snapshot *snapshot)
{
    return !snapshot->roots_loaded && snapshot->root_count > 0;
}

static void close_trees(const struct tree_rows *tree, struct snapshot *snapshot)
{
    if (tree->count > 1)
        qsort(tree->nodes, tree->count, sizeof *tree->nodes, compare_nodes);
    snapshot->nodes = tree->nodes;
    snapshot->node_count = tree->count;
    snapshot->roots_loaded = true;
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
    for (size_t i = 0; i < row->allocation_count; i++)
        bytes += AMOUNT_BYTES + row->allocations[i].resource_class.length;
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
    page->rows =
        arena_grown(page->arena, page->rows, page->count, &page->capacity, sizeof *page->rows);
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

/* {$filter: {input: "$allocations", cond: {$eq: ["$$this.provider", provider]}}} */
static void append_filter(bson_t *expression, struct uuid provider)
{
    bson_t filter, condition, operands;
    bson_append_document_begin(expression, "$filter", -1, &filter);
    BSON_APPEND_UTF8(&filter, "input", "$allocations");
    bson_append_document_begin(&filter, "cond", -1, &condition);
    bson_append_array_begin(&condition, "$eq", -1, &operands);
    BSON_APPEND_UTF8(&operands, "0", "$$this.provider");
    document_append_uuid(&operands, "1", provider);
    bson_append_array_end(&condition, &operands);
    bson_append_document_end(&filter, &condition);
    bson_append_document_end(expression, &filter);
}

/* Of a consumer, only what it holds of this provider: it has one entry for each provider. */
static void append_projection(bson_t *pipeline, struct uuid provider)
{
    bson_t projection = BSON_INITIALIZER, allocations;
    BSON_APPEND_INT32(&projection, "generation", 1);
    bson_append_document_begin(&projection, "allocations", -1, &allocations);
    append_filter(&allocations, provider);
    bson_append_document_end(&projection, &allocations);
    pipeline_append(pipeline, "$project", &projection);
    bson_destroy(&projection);
}

static bson_t *page_pipeline(const struct page_params *params)
{
    bson_t *pipeline = bson_new();
    bson_t filter = BSON_INITIALIZER, sort = BSON_INITIALIZER;
    append_page_filter(&filter, params);
    pipeline_append(pipeline, "$match", &filter);
    BSON_APPEND_INT32(&sort, "_id", 1);
    pipeline_append(pipeline, "$sort", &sort);
    pipeline_append_limit(pipeline, params->limit + 1);
    append_projection(pipeline, params->provider);
    bson_destroy(&sort);
    bson_destroy(&filter);
    return pipeline;
}

static void close_page(const struct page_rows *page, struct page_slot *slot)
{
    slot->page = (struct consumer_page){page->rows, page->count, page->more};
    slot->loaded = true;
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
        arena_grown(usage->arena, usage->rows, usage->count, &usage->capacity, sizeof *usage->rows);
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
static void close_usage(const struct usage_rows *usage, struct usage_slot *slot)
{
    if (usage->count > 1)
        qsort(usage->rows, usage->count, sizeof *usage->rows, compare_usages);
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
    slot->loaded = true;
}

/*
 * One row a type and class, and one a type with an empty class that counts its consumers: of each
 * consumer the first allocation carries the one that is counted.
 */
static bson_t *usage_stages(const struct usage_params *params)
{
    static const char stages[] =
        "[{\"$unwind\": {\"path\": \"$allocations\", \"includeArrayIndex\": \"i\"}},"
        "{\"$project\": {\"_id\": 0, \"type\": %s, \"amounts\": {\"$concatArrays\": ["
        "{\"$cond\": [{\"$eq\": [\"$i\", 0]}, [{\"k\": \"\", \"v\": 1}], []]},"
        "{\"$objectToArray\": \"$allocations.resources\"}]}}},"
        "{\"$unwind\": {\"path\": \"$amounts\"}},"
        "{\"$group\": {\"_id\": {\"type\": \"$type\", \"class\": \"$amounts.k\"},"
        "\"amount\": {\"$sum\": \"$amounts.v\"}}}]";
    char json[PIPELINE_MAX];
    bool all = text_is(params->consumer_type, "all");
    (void)snprintf(json, sizeof json, stages,
                   all ? "{\"$literal\": \"all\"}" : "\"$consumer_type\"");
    bson_t *parsed = bson_new_from_json((const uint8_t *)json, -1, NULL);
    BSON_ASSERT(parsed != NULL);
    return parsed;
}

static void append_owner(bson_t *filter, const struct usage_params *params)
{
    document_append_text(filter, "project_id", params->project_id);
    if (text_present(params->user_id))
        document_append_text(filter, "user_id", params->user_id);
    if (text_present(params->consumer_type) && !text_is(params->consumer_type, "all"))
        document_append_text(filter, "consumer_type", params->consumer_type);
}

static bson_t *usage_pipeline(const struct usage_params *params)
{
    bson_t *pipeline = bson_new(), *stages = usage_stages(params);
    bson_t filter = BSON_INITIALIZER;
    bson_iter_t stage, named;
    append_owner(&filter, params);
    pipeline_append(pipeline, "$match", &filter);
    BSON_ASSERT(bson_iter_init(&stage, stages));
    while (bson_iter_next(&stage)) {
        bson_t content;
        const uint8_t *bytes = NULL;
        uint32_t length = 0;
        BSON_ASSERT(bson_iter_recurse(&stage, &named) && bson_iter_next(&named));
        bson_iter_document(&named, &length, &bytes);
        BSON_ASSERT(bson_init_static(&content, bytes, length));
        pipeline_append(pipeline, bson_iter_key(&named), &content);
    }
    bson_destroy(stages);
    bson_destroy(&filter);
    return pipeline;
}

/* Every consumer has a type, so that nothing is ever of the type "unknown". */
static bool is_empty_by_contract(const struct usage_slot *slot)
{
    return text_is(slot->params.consumer_type, "unknown");
}

/* --- all --- */

struct reads {
    struct tree_rows tree;
    struct page_rows *pages;   /* beside the snapshot's */
    struct usage_rows *usages; /* beside the snapshot's */
};

size_t reads_queries(const struct snapshot *snapshot)
{
    return 1 + snapshot->page_count + snapshot->usage_count;
}

static struct reads *new_reads(const struct snapshot *snapshot)
{
    struct arena *arena = snapshot->arena;
    struct reads *reads = ARENA_NEW(arena, struct reads);
    reads->tree.arena = arena;
    reads->pages = ARENA_ARRAY(arena, struct page_rows, snapshot->page_count);
    reads->usages = ARENA_ARRAY(arena, struct usage_rows, snapshot->usage_count);
    for (size_t i = 0; i < snapshot->page_count; i++) {
        reads->pages[i].arena = arena;
        reads->pages[i].limit = (size_t)snapshot->pages[i].params.limit;
    }
    for (size_t i = 0; i < snapshot->usage_count; i++)
        reads->usages[i].arena = arena;
    return reads;
}

static void ask(struct queries *queries, enum mongo_collection from, bson_t *pipeline,
                mongo_row row, void *context)
{
    queries_add(queries, (struct query){from, pipeline, row, context});
}

struct reads *reads_ask(struct queries *queries, struct snapshot *snapshot)
{
    struct reads *reads = new_reads(snapshot);
    if (wants_trees(snapshot))
        ask(queries, MONGO_PROVIDERS, tree_pipeline(snapshot), tree_row, &reads->tree);
    for (size_t i = 0; i < snapshot->page_count; i++) {
        const struct page_slot *slot = &snapshot->pages[i];
        if (!slot->loaded)
            ask(queries, MONGO_CONSUMERS, page_pipeline(&slot->params), page_row, &reads->pages[i]);
    }
    for (size_t i = 0; i < snapshot->usage_count; i++) {
        const struct usage_slot *slot = &snapshot->usages[i];
        if (!slot->loaded && !is_empty_by_contract(slot))
            ask(queries, MONGO_CONSUMERS, usage_pipeline(&slot->params), usage_row,
                &reads->usages[i]);
    }
    return reads;
}

void reads_close(struct reads *reads, struct snapshot *snapshot)
{
    if (wants_trees(snapshot))
        close_trees(&reads->tree, snapshot);
    for (size_t i = 0; i < snapshot->page_count; i++)
        if (!snapshot->pages[i].loaded)
            close_page(&reads->pages[i], &snapshot->pages[i]);
    for (size_t i = 0; i < snapshot->usage_count; i++)
        if (!snapshot->usages[i].loaded)
            close_usage(&reads->usages[i], &snapshot->usages[i]);
}
