/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each function is one find with the pool's read concern (majority). Sections: one letter,
 * a list, one after the other.
 *
 * A list of ids comes back in the order of the ids, not in that of the index, since a replay and a
 * dry run need the order that was shown.
 *
 * Not here: what a filter asks for (letter_filter.c), and the groups (letter_groups.c).
 */
#include "common/mongo/letters_read.h"

#include <stdio.h>
#include <string.h>

#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/letter_filter.h"
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

struct origin {
    struct arena *arena;
    struct text *id;
};

static enum store_status origin_row(void *context, const bson_t *document, struct error *error)
{
    struct origin *origin = context;
    bson_iter_t iter;
    struct text id;
    if (!bson_iter_init_find(&iter, document, "_id") || !letter_read_text(&iter, &id))
        return mongo_malformed(MONGO_LETTERS, document, error);
    *origin->id = text_copy(origin->arena, id);
    return STORE_OK;
}

/* A partial index serves only a filter that implies its condition, as this one does. */
enum store_status mongo_letter_edited_from(struct store *base, struct text id, struct arena *arena,
                                           struct text *ret_from, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct origin origin = {arena, ret_from};
    bson_t filter = BSON_INITIALIZER;
    bson_t *options = document_from_json("{\"limit\": 1, \"projection\": {\"_id\": 1}}");
    *ret_from = TEXT_NONE;
    document_append_text(&filter, "edited_to", id);
    BSON_APPEND_INT64(options, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collections[MONGO_LETTERS], &filter, options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, origin_row, &origin, error);
    bson_destroy(options);
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

/* Puts the records into the order of the ids. */
static void put_in_order(const struct letter_filter *filter, struct letter_record *records,
                         size_t count)
{
    size_t placed = 0;
    for (size_t i = 0; i < filter->id_count && placed < count; i++) {
        for (size_t j = placed; j < count; j++) {
            if (!text_equal(records[j].letter.id, filter->ids[i]))
                continue;
            struct letter_record record = records[j];
            records[j] = records[placed];
            records[placed++] = record;
            break;
        }
    }
}

enum store_status mongo_letters_read(struct store *base, const struct letter_filter *filter,
                                     enum letter_order order, bool whole, struct arena *arena,
                                     struct letter_list *ret_list, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct letter_rows rows = {.arena = arena};
    enum store_status status = STORE_OK;
    mongoc_cursor_t *cursor = letter_filter_find(store, filter, order, whole);
    if (cursor != NULL)
        status = mongo_each_row(store, PHASE_RUN, cursor, listed_row, &rows, error);
    put_in_order(filter, rows.records, rows.count);
    *ret_list = (struct letter_list){rows.records, rows.count};
    return status;
}

/* --- one after the other -------------------------------------------------------------------- */

struct visiting {
    letter_visit visit;
    void *context;
    bool ended;
};

/* CONFLICT ends the cursor; the caller takes it for the end of the list. */
static enum store_status visited_row(void *context, const bson_t *document, struct error *error)
{
    struct visiting *visiting = context;
    struct letter_record record;
    struct arena *arena = arena_new(0);
    enum store_status status = STORE_OK;
    if (!letter_read(document, arena, &record))
        status = mongo_malformed(MONGO_LETTERS, document, error);
    else
        visiting->ended = !visiting->visit(visiting->context, &record, arena);
    arena_free(arena);
    return visiting->ended ? STORE_CONFLICT : status;
}

enum store_status mongo_letters_each(struct store *base, const struct letter_filter *filter,
                                     enum letter_order order, bool whole, letter_visit visit,
                                     void *context, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct visiting visiting = {.visit = visit, .context = context};
    enum store_status status = STORE_OK;
    mongoc_cursor_t *cursor = letter_filter_find(store, filter, order, whole);
    if (cursor != NULL)
        status = mongo_each_row(store, PHASE_RUN, cursor, visited_row, &visiting, error);
    return visiting.ended ? STORE_OK : status;
}
