/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Both functions are one find with the pool's read concern (majority). Sections: one
 * letter, a list.
 *
 * Each list uses an index for its order, whatever its filter is. If nothing else is asked for, it
 * asks for each possible state: the server then merges one range of the index on `state` for each.
 * Without that it would sort whole letters in memory.
 */
#include "common/mongo/letters_read.h"

#include <stdio.h>
#include <string.h>

#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/list.h"
#include "common/mongo/session.h"

/* --- one letter ----------------------------------------------------------------------------- */

enum { MATCHES_MAX = 2 }; /* more need not be counted */

struct search {
    struct arena *arena;
    struct letter_record *record;
    size_t matches;
};

static bool is_prefix(struct text prefix)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < prefix.length; i++) {
        if (memchr(digits, prefix.bytes[i], sizeof digits - 1) == NULL)
            return false;
    }
    return prefix.length >= LETTER_PREFIX_DIGITS_MIN && prefix.length <= LETTER_ID_DIGITS;
}

static enum store_status found_row(void *context, const bson_t *document, struct error *error)
{
    struct search *search = context;
    search->matches++;
    if (search->matches > 1 || letter_read(document, search->arena, search->record))
        return STORE_OK;
    return mongo_malformed(MONGO_LETTERS, document, error);
}

/* Appends the range of ids with this prefix. A "g" follows all digits. */
static void append_prefix(bson_t *filter, struct text prefix)
{
    bson_t range;
    char end[LETTER_ID_DIGITS + 2];
    (void)snprintf(end, sizeof end, "%.*sg", TEXT_ARGS(prefix));
    bson_append_document_begin(filter, "_id", -1, &range);
    document_append_text(&range, "$gte", prefix);
    BSON_APPEND_UTF8(&range, "$lt", end);
    bson_append_document_end(filter, &range);
}

enum store_status mongo_letter_find(struct store *base, struct text prefix, struct arena *arena,
                                    struct letter_record *ret_record, size_t *ret_matches,
                                    struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct search search = {.arena = arena, .record = ret_record};
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    enum store_status status = STORE_OK;
    if (is_prefix(prefix)) {
        append_prefix(&filter, prefix);
        BSON_APPEND_INT64(&options, "limit", MATCHES_MAX);
        BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
        mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
            store->collections[MONGO_LETTERS], &filter, &options, NULL);
        status = mongo_each_row(store, PHASE_RUN, cursor, found_row, &search, error);
    }
    *ret_matches = search.matches;
    bson_destroy(&options);
    bson_destroy(&filter);
    return status;
}

/* --- a list --------------------------------------------------------------------------------- */

struct letter_rows {
    struct arena *arena;
    struct letter_record *records;
    size_t count;
    size_t capacity;
};

static enum store_status listed_row(void *context, const bson_t *document, struct error *error)
{
    struct letter_rows *rows = context;
    rows->records = arena_grown(rows->arena, rows->records, rows->count, &rows->capacity,
                                sizeof *rows->records);
    if (!letter_read(document, rows->arena, &rows->records[rows->count]))
        return mongo_malformed(MONGO_LETTERS, document, error);
    rows->count++;
    return STORE_OK;
}

static void append_states(bson_t *query, const struct letter_filter *filter)
{
    struct list list;
    if (filter->has_state) {
        BSON_APPEND_UTF8(query, "state", letter_state_name(filter->state));
        return;
    }
    list_begin_in(&list, query, "state");
#define X(id, name) BSON_APPEND_UTF8(&list.array, list_next(&list), name);
    LETTER_STATES(X)
#undef X
    list_end_in(&list, query);
}

static void append_times(bson_t *query, const struct letter_filter *filter)
{
    bson_t range;
    if (filter->since_ms == 0 && filter->until_ms == 0)
        return;
    bson_append_document_begin(query, "last_at", -1, &range);
    if (filter->since_ms != 0)
        BSON_APPEND_DATE_TIME(&range, "$gte", filter->since_ms);
    if (filter->until_ms != 0)
        BSON_APPEND_DATE_TIME(&range, "$lt", filter->until_ms);
    bson_append_document_end(query, &range);
}

static void append_letter_filter(bson_t *query, const struct letter_filter *filter)
{
    append_states(query, filter);
    append_times(query, filter);
    letter_append_text(query, "reason", filter->reason);
    letter_append_text(query, "principal", filter->principal);
    letter_append_text(query, "command", filter->command);
    letter_append_text(query, "project", filter->project);
    letter_append_text(query, "group", filter->group);
}

enum store_status mongo_letters_list(struct store *base, const struct letter_filter *filter,
                                     struct arena *arena, struct letter_record **ret_records,
                                     size_t *ret_count, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct letter_rows rows = {.arena = arena};
    bson_t query = BSON_INITIALIZER;
    enum store_status status = STORE_OK;
    if (filter->limit > 0) { /* the server takes a limit of 0 for no limit */
        bson_t *options = document_from_json("{\"sort\": {\"last_at\": -1}, \"projection\": "
                                             "{\"headers\": 0, \"body\": 0, \"history\": 0}}");
        append_letter_filter(&query, filter);
        BSON_APPEND_INT64(options, "limit", (int64_t)filter->limit);
        BSON_APPEND_INT64(options, "maxTimeMS", store->pool->server_time_ms);
        mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
            store->collections[MONGO_LETTERS], &query, options, NULL);
        status = mongo_each_row(store, PHASE_RUN, cursor, listed_row, &rows, error);
        bson_destroy(options);
    }
    *ret_records = rows.records;
    *ret_count = rows.count;
    bson_destroy(&query);
    return status;
}
