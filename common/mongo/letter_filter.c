/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each query uses an index for its order, whatever its filter is. If no state is asked for, it asks
 * for each possible one: the server then merges one range of the index on `state` for each. Without
 * that it would sort whole letters in memory. A list of ids has no order, and that of a run has an
 * index of its own.
 */
#include "common/mongo/letter_filter.h"

#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/list.h"
#include "common/mongo/pool.h"

static void append_states(bson_t *query, const struct letter_filter *filter)
{
    struct list list;
    if (filter->has_state) {
        BSON_APPEND_UTF8(query, "state", letter_state_name(filter->state));
        return;
    }
    if (filter->id_count > 0 || text_present(filter->run))
        return;
    list_begin_in(&list, query, "state");
#define X(id, name) list_add_word(&list, name);
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

static void append_ids(bson_t *query, const struct letter_filter *filter)
{
    struct list list;
    if (filter->id_count == 0)
        return;
    list_begin_in(&list, query, "_id");
    for (size_t i = 0; i < filter->id_count; i++)
        list_add_text(&list, filter->ids[i]);
    list_end_in(&list, query);
}

void letter_filter_append(bson_t *query, const struct letter_filter *filter)
{
    append_ids(query, filter);
    append_states(query, filter);
    append_times(query, filter);
    letter_append_text(query, "reason", filter->reason);
    letter_append_text(query, "principal", filter->principal);
    letter_append_text(query, "command", filter->command);
    letter_append_text(query, "project", filter->project);
    letter_append_text(query, "group", filter->group);
    letter_append_text(query, "replay.run", filter->run);
    if (filter->has_phase)
        BSON_APPEND_UTF8(query, "replay.phase", letter_phase_name(filter->phase));
    if (filter->has_provider)
        document_append_uuid(query, "providers", filter->provider);
}

/* The server takes a limit of 0 for no limit. */
mongoc_cursor_t *letter_filter_find(struct mongo_store *store, const struct letter_filter *filter,
                                    enum letter_order order, bool whole)
{
    static const char *const sorts[] = {[LETTER_NEWEST_FIRST] = "{\"sort\": {\"last_at\": -1}}",
                                        [LETTER_OLDEST_FIRST] = "{\"sort\": {\"last_at\": 1}}",
                                        [LETTER_BY_PLACE] = "{\"sort\": {\"replay.place\": 1}}"};
    bson_t query = BSON_INITIALIZER;
    if (filter->limit == 0)
        return NULL;
    bson_t *options = document_from_json(filter->id_count > 0 ? "{}" : sorts[order]);
    letter_filter_append(&query, filter);
    if (text_present(filter->run) && filter->id_count == 0)
        BSON_APPEND_UTF8(options, "hint", "run");
    BSON_APPEND_INT64(options, "limit", (int64_t)filter->limit);
    BSON_APPEND_INT64(options, "maxTimeMS", store->pool->server_time_ms);
    if (!whole) {
        bson_t *fields = document_from_json("{\"headers\": 0, \"body\": 0, \"history\": 0}");
        BSON_APPEND_DOCUMENT(options, "projection", fields);
        bson_destroy(fields);
    }
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collections[MONGO_LETTERS], &query, options, NULL);
    bson_destroy(options);
    bson_destroy(&query);
    return cursor;
}
