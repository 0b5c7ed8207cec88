/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. One aggregation groups the letters and finds the newest letter of each group; one find
 * reads these samples. Without a filter that needs the letters themselves, the aggregation reads
 * only the index "groups".
 *
 * The text of a group is "REASON|COMMAND|DETAIL" (common/codec/letter_build.h). A command that does
 * not exist may contain the sign '|', so the sample says how long the command is.
 */
#include "common/mongo/letters_read.h"

#include <string.h>

#include "common/base/array.h"
#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/letter_filter.h"
#include "common/mongo/list.h"
#include "common/mongo/session.h"

struct grouping {
    struct arena *arena;
    struct letter_group_row *rows;
    size_t count;
    size_t capacity;
};

static bool read_field(const bson_t *document, const char *key, bson_iter_t *ret_iter)
{
    return bson_iter_init_find(ret_iter, document, key);
}

static enum store_status group_row(void *context, const bson_t *document, struct error *error)
{
    struct grouping *grouping = context;
    struct letter_group_row row = {0};
    bson_iter_t group, count, first, last, sample;
    struct text borrowed = TEXT_NONE;
    if (!read_field(document, "n", &count) || !read_field(document, "first", &first) ||
        !read_field(document, "last", &last) || !bson_iter_init(&sample, document) ||
        !bson_iter_find_descendant(&sample, "sample.id", &sample) ||
        !letter_read_text(&sample, &row.sample))
        return mongo_malformed(MONGO_LETTERS, document, error);
    if (read_field(document, "_id", &group) && letter_read_text(&group, &borrowed))
        row.group = text_copy(grouping->arena, borrowed);
    row.sample = text_copy(grouping->arena, row.sample);
    row.count = bson_iter_as_int64(&count);
    row.first_at_ms = bson_iter_date_time(&first);
    row.last_at_ms = bson_iter_date_time(&last);
    grouping->rows = arena_grown(grouping->arena, grouping->rows, grouping->count,
                                 &grouping->capacity, sizeof *grouping->rows);
    grouping->rows[grouping->count++] = row;
    return STORE_OK;
}

/* Whether the index "groups" has all that the query asks for. */
static bool needs_only_index(const struct letter_filter *filter)
{
    return filter->id_count == 0 && !filter->has_provider && !filter->has_phase &&
           !text_present(filter->reason) && !text_present(filter->principal) &&
           !text_present(filter->command) && !text_present(filter->project) &&
           !text_present(filter->run);
}

static bson_t *pipeline_of(const struct letter_filter *filter)
{
    bson_t *pipeline = bson_new();
    bson_t match = BSON_INITIALIZER, stage = BSON_INITIALIZER;
    struct list stages;
    letter_filter_append(&match, filter);
    BSON_APPEND_DOCUMENT(&stage, "$match", &match);
    list_begin(&stages, pipeline, "pipeline");
    list_add_document(&stages, &stage);
    bson_t *group = document_from_json(
        "{\"$group\": {\"_id\": \"$group\", \"n\": {\"$sum\": {\"$numberLong\": \"1\"}}, "
        "\"first\": {\"$min\": \"$first_at\"}, \"last\": {\"$max\": \"$last_at\"}, "
        "\"sample\": {\"$max\": {\"at\": \"$last_at\", \"id\": \"$_id\"}}}}");
    bson_t *sort = document_from_json("{\"$sort\": {\"last\": -1, \"_id\": 1}}");
    list_add_document(&stages, group);
    list_add_document(&stages, sort);
    bson_t limit = BSON_INITIALIZER;
    BSON_APPEND_INT64(&limit, "$limit", (int64_t)filter->limit);
    list_add_document(&stages, &limit);
    list_end(&stages, pipeline);
    bson_destroy(&limit);
    bson_destroy(sort);
    bson_destroy(group);
    bson_destroy(&stage);
    bson_destroy(&match);
    return pipeline;
}

static enum store_status run_groups(struct mongo_store *store, const struct letter_filter *filter,
                                    struct grouping *grouping, struct error *error)
{
    bson_t options = BSON_INITIALIZER, *pipeline = pipeline_of(filter);
    BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
    if (needs_only_index(filter))
        BSON_APPEND_UTF8(&options, "hint", "groups");
    mongoc_cursor_t *cursor = mongoc_collection_aggregate(
        store->collections[MONGO_LETTERS], MONGOC_QUERY_NONE, pipeline, &options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, group_row, grouping, error);
    bson_destroy(pipeline);
    bson_destroy(&options);
    return status;
}

/* --- samples -------------------------------------------------------------------------------- */

static struct text rest_after(struct text text, size_t count)
{
    return text_view(text.bytes + count, text.length - count);
}

/* Returns the length of what comes before the next '|'. */
static size_t part_length(struct text text)
{
    const char *end = text.length > 0 ? memchr(text.bytes, '|', text.length) : NULL;
    return end != NULL ? (size_t)(end - text.bytes) : text.length;
}

static bool begins_with_part(struct text text, struct text part)
{
    return part.length > 0 && part.length < text.length &&
           memcmp(text.bytes, part.bytes, part.length) == 0 && text.bytes[part.length] == '|';
}

/* Takes the text of the group apart. */
static void set_parts(struct letter_group_row *row, struct text command)
{
    struct text rest = text_present(row->group) ? row->group : text_of("");
    size_t length = part_length(rest);
    row->reason = text_view(rest.bytes, length);
    rest = rest_after(rest, length < rest.length ? length + 1 : length);
    length = text_present(command) && begins_with_part(rest, command) ? command.length
                                                                      : part_length(rest);
    row->command = text_view(rest.bytes, length);
    row->detail = rest_after(rest, length < rest.length ? length + 1 : length);
}

static bool sampled(void *context, const struct letter_record *record, struct arena *arena)
{
    struct grouping *grouping = context;
    (void)arena;
    for (size_t i = 0; i < grouping->count; i++) {
        if (text_equal(grouping->rows[i].sample, record->letter.id))
            set_parts(&grouping->rows[i], record->letter.command);
    }
    return true;
}

/* A sample may be gone meanwhile: then the group is taken apart without it. */
static enum store_status read_samples(struct store *store, struct grouping *grouping,
                                      struct error *error)
{
    struct text *ids = ARENA_ARRAY(grouping->arena, struct text, grouping->count);
    for (size_t i = 0; i < grouping->count; i++) {
        ids[i] = grouping->rows[i].sample;
        set_parts(&grouping->rows[i], TEXT_NONE);
    }
    struct letter_filter filter = {
        .ids = ids, .id_count = grouping->count, .limit = grouping->count};
    return mongo_letters_each(store, &filter, LETTER_NEWEST_FIRST, false, sampled, grouping, error);
}

enum store_status mongo_letter_groups(struct store *store, const struct letter_filter *filter,
                                      struct arena *arena, struct letter_group_row **ret_groups,
                                      size_t *ret_count, struct error *error)
{
    struct grouping grouping = {.arena = arena};
    enum store_status status = STORE_OK;
    if (filter->limit > 0)
        status = run_groups((struct mongo_store *)store, filter, &grouping, error);
    if (status == STORE_OK)
        status = read_samples(store, &grouping, error);
    *ret_groups = grouping.rows;
    *ret_count = grouping.count;
    return status;
}
