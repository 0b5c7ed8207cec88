/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. One section for each kind of list: trees, pages, lists of providers, usages. Each has a
 * pipeline, a function that collects the rows, and one that moves them to the snapshot. The rows
 * are collected beside the snapshot, so that it stays as it was if a query fails.
 *
 * Guarantees.
 * - Trees: one query for all wanted trees. It asks for TREE_PROVIDERS_MAX + 1 providers for each
 *   tree, so a tree that is too large still shows as such.
 * - Pages: at most `limit` rows and PAGE_BYTES_MAX bytes of the reply, but always one row, so that
 *   a producer that follows the pages makes progress. The query asks for one row more than `limit`,
 *   which tells whether there is another page.
 * - Lists of providers: at most `limit` rows, in the order of the index on the name. PAGE_ROWS_MAX
 *   rows are smaller than PAGE_BYTES_MAX (a name has at most 800 bytes), so no row has to be left
 *   out.
 * - Usages: the server adds up the amounts. A sum beyond 64 bits is an error, never a wrong number.
 *
 * Not here: documents that are known by key (load.c), and how the queries run (queries.c).
 */
#include "common/mongo/reads.h"

#include <stdio.h>
#include <string.h>

#include "common/base/array.h"
#include "common/base/utf8.h"
#include "common/mongo/document.h"
#include "common/mongo/list.h"

enum {
    /* Upper bounds of what a row and an amount take in the reply, without the class's name. */
    ROW_BYTES = 120,
    AMOUNT_BYTES = 60,
    PIPELINE_MAX = 1024
};

/* --- trees ---------------------------------------------------------------------------------- */

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
        list_add_uuid(&list, snapshot->roots[i]);
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

static void finish_trees(const struct tree_rows *tree, struct snapshot *snapshot)
{
    array_sort(tree->nodes, tree->count, sizeof *tree->nodes, compare_nodes);
    snapshot->nodes = tree->nodes;
    snapshot->node_count = tree->count;
    snapshot->roots_loaded = true;
}

/* --- pages ---------------------------------------------------------------------------------- */

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

/* Asks only for the consumer's generation, and for its allocations on this provider. */
static void append_projection(bson_t *pipeline, struct uuid provider)
{
    bson_t projection = BSON_INITIALIZER, allocations;
    BSON_APPEND_INT32(&projection, "generation", 1);
    bson_append_document_begin(&projection, "allocations", -1, &allocations);
    expression_append_allocations(&allocations, provider);
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

static void finish_page(const struct page_rows *page, struct page_slot *slot)
{
    slot->page = (struct consumer_page){page->rows, page->count, page->more};
    slot->loaded = true;
}

/* --- lists of providers --------------------------------------------------------------------- */

struct list_rows {
    struct arena *arena;
    struct provider *rows;
    size_t count;
    size_t capacity;
    size_t limit;
    bool more;
};

static enum store_status list_row(void *context, const bson_t *document, struct error *error)
{
    struct list_rows *list = context;
    struct provider row = {.state = {.loaded = true, .stored = true, .exists = true}};
    list->more = list->count == list->limit;
    if (list->more)
        return STORE_OK;
    if (!document_read_place(document, list->arena, &row))
        return mongo_malformed(MONGO_PROVIDERS, document, error);
    list->rows =
        arena_grown(list->arena, list->rows, list->count, &list->capacity, sizeof *list->rows);
    list->rows[list->count++] = row;
    return STORE_OK;
}

/*
 * Appends the range of names, which excludes the sentinel: from the prefix to its end, and after
 * `after`. A range uses the index on the name for prefix, page and order at once. A regular
 * expression would need escapes, and the index only serves it if it begins with a literal prefix.
 */
static void append_name_range(bson_t *filter, struct arena *arena, const struct list_params *params)
{
    bson_t range;
    struct text end =
        text_present(params->prefix) ? utf8_prefix_end(arena, params->prefix) : TEXT_NONE;
    bson_append_document_begin(filter, "name", -1, &range);
    document_append_text(&range, "$gte",
                         text_present(params->prefix) ? params->prefix : text_of(""));
    if (text_present(end))
        document_append_text(&range, "$lt", end);
    if (text_present(params->after))
        document_append_text(&range, "$gt", params->after);
    bson_append_document_end(filter, &range);
}

static bson_t *list_pipeline(struct arena *arena, const struct list_params *params)
{
    bson_t *pipeline = bson_new();
    bson_t filter = BSON_INITIALIZER, sort = BSON_INITIALIZER;
    append_name_range(&filter, arena, params);
    pipeline_append(pipeline, "$match", &filter);
    BSON_APPEND_INT32(&sort, "name", 1);
    pipeline_append(pipeline, "$sort", &sort);
    pipeline_append_limit(pipeline, params->limit + 1);
    pipeline_append_json(pipeline, "[{\"$project\": {\"name\": 1, \"parent\": 1, \"root\": 1, "
                                   "\"generation\": 1}}]");
    bson_destroy(&sort);
    bson_destroy(&filter);
    return pipeline;
}

static void finish_list(const struct list_rows *list, struct list_slot *slot)
{
    slot->page = (struct provider_page){list->rows, list->count, list->more};
    slot->loaded = true;
}

/* --- usages --------------------------------------------------------------------------------- */

struct usage_row {
    struct text consumer_type;
    struct text resource_class; /* empty: `amount` is the number of consumers */
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
        error_set(error, "mongodb: the sum of the allocations is not a 64-bit integer");
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

/* Makes groups of the sorted rows. The number of consumers comes first in each group, since its
   class is empty. */
static void finish_usage(const struct usage_rows *usage, struct usage_slot *slot)
{
    array_sort(usage->rows, usage->count, sizeof *usage->rows, compare_usages);
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
 * Appends the stages that make one row for each consumer type and class, and one with an empty
 * class for each type, which counts its consumers. $unwind makes several documents of one consumer;
 * so only the first one, with the index 0, adds 1 to that count.
 */
static void append_sums(bson_t *pipeline, const struct usage_params *params)
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
    pipeline_append_json(pipeline, json);
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
    bson_t *pipeline = bson_new();
    bson_t filter = BSON_INITIALIZER;
    append_owner(&filter, params);
    pipeline_append(pipeline, "$match", &filter);
    append_sums(pipeline, params);
    bson_destroy(&filter);
    return pipeline;
}

/* Returns whether the usage is empty without a query. The producer asks for consumers without a
   type, but each consumer has one. */
static bool asks_for_no_type(const struct usage_slot *slot)
{
    return text_is(slot->params.consumer_type, "unknown");
}

/* --- all of them ---------------------------------------------------------------------------- */

struct reads {
    struct tree_rows tree;
    struct page_rows *pages;   /* one for each page slot of the snapshot */
    struct usage_rows *usages; /* one for each usage slot */
    struct list_rows *lists;   /* one for each list slot */
};

size_t reads_query_count(const struct snapshot *snapshot)
{
    return 1 + snapshot->page_count + snapshot->usage_count + snapshot->list_count;
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
    reads->lists = ARENA_ARRAY(arena, struct list_rows, snapshot->list_count);
    for (size_t i = 0; i < snapshot->list_count; i++) {
        reads->lists[i].arena = arena;
        reads->lists[i].limit = (size_t)snapshot->lists[i].params.limit;
    }
    return reads;
}

static void add_query(struct queries *queries, enum mongo_collection from, bson_t *pipeline,
                      mongo_row row, void *context)
{
    queries_add(queries, (struct query){from, pipeline, row, context});
}

struct reads *reads_add_queries(struct queries *queries, const struct snapshot *snapshot)
{
    struct reads *reads = new_reads(snapshot);
    if (wants_trees(snapshot))
        add_query(queries, MONGO_PROVIDERS, tree_pipeline(snapshot), tree_row, &reads->tree);
    for (size_t i = 0; i < snapshot->page_count; i++) {
        const struct page_slot *slot = &snapshot->pages[i];
        if (!slot->loaded)
            add_query(queries, MONGO_CONSUMERS, page_pipeline(&slot->params), page_row,
                      &reads->pages[i]);
    }
    for (size_t i = 0; i < snapshot->usage_count; i++) {
        const struct usage_slot *slot = &snapshot->usages[i];
        if (!slot->loaded && !asks_for_no_type(slot))
            add_query(queries, MONGO_CONSUMERS, usage_pipeline(&slot->params), usage_row,
                      &reads->usages[i]);
    }
    for (size_t i = 0; i < snapshot->list_count; i++) {
        const struct list_slot *slot = &snapshot->lists[i];
        if (!slot->loaded)
            add_query(queries, MONGO_PROVIDERS, list_pipeline(snapshot->arena, &slot->params),
                      list_row, &reads->lists[i]);
    }
    return reads;
}

void reads_finish(struct reads *reads, struct snapshot *snapshot)
{
    if (wants_trees(snapshot))
        finish_trees(&reads->tree, snapshot);
    for (size_t i = 0; i < snapshot->page_count; i++)
        if (!snapshot->pages[i].loaded)
            finish_page(&reads->pages[i], &snapshot->pages[i]);
    for (size_t i = 0; i < snapshot->usage_count; i++)
        if (!snapshot->usages[i].loaded)
            finish_usage(&reads->usages[i], &snapshot->usages[i]);
    for (size_t i = 0; i < snapshot->list_count; i++)
        if (!snapshot->lists[i].loaded)
            finish_list(&reads->lists[i], &snapshot->lists[i]);
}
