/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Sections: sums, the letters of a cut, the plan, one batch.
 *
 * The index "bounds" (schema.c) has all that the sums need, so no document is read for them. It
 * begins with what a cut asks for, each as a single value or a few (`body_dropped`, `state`); then
 * comes the time. So the server merges a few ranges of the index, and has the oldest letters first
 * without sorting.
 *
 * A plan reads keys of the oldest letters, and notes the time of the last one that has to go. Then
 * batches go up to that time. So stores that have planned at the same time delete the same letters,
 * and one that comes late finds none left. Letters of one millisecond are not told apart.
 *
 * Guarantees. A batch repeats the conditions of the cut for each letter, under the lock of the
 * document: one that was dead-lettered again meanwhile is open and unpublished, and stays.
 *
 * Not here: which letters are too much (common/core/letter_bounds.c).
 */
#include "common/mongo/session.h"

#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/list.h"

enum { PLAN_MAX = 8 * LETTER_TRIM_MAX };

#define HINT "\"hint\": \"bounds\""
#define OLDEST_FIRST "\"sort\": {\"last_at\": 1}, " HINT

/* --- sums ----------------------------------------------------------------------------------- */

/* In the index, a field that is missing is null. */
static const char sums[] =
    "[{\"$project\": {\"_id\": 0, \"principal\": 1, \"bytes\": 1, "
    "\"published\": {\"$cond\": [{\"$gt\": [\"$published_at\", null]}, 1, 0]}, "
    "\"closed\": {\"$cond\": [{\"$eq\": [\"$state\", \"open\"]}, 0, 1]}, "
    "\"body\": {\"$cond\": [{\"$eq\": [\"$body_dropped\", false]}, 1, 0]}}}, "
    "{\"$group\": {\"_id\": \"$principal\", \"bytes\": {\"$sum\": \"$bytes\"}, "
    "\"published\": {\"$sum\": {\"$multiply\": [\"$published\", \"$bytes\"]}}, "
    "\"closed\": {\"$sum\": {\"$multiply\": [\"$published\", \"$closed\", \"$bytes\"]}}, "
    "\"bodies\": {\"$sum\": {\"$multiply\": [\"$published\", \"$body\"]}}}}]";

struct sums {
    struct arena *arena;
    struct letter_measure *measure;
    size_t capacity;
};

static int64_t integer_in(const bson_t *row, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, row, key) ? bson_iter_as_int64(&iter) : 0;
}

static enum store_status sum_row(void *context, const bson_t *row, struct error *error)
{
    struct sums *found = context;
    struct letter_measure *measure = found->measure;
    struct text principal = TEXT_NONE;
    bson_iter_t iter;
    (void)error;
    if (bson_iter_init_find(&iter, row, "_id") && !letter_read_text(&iter, &principal))
        principal = TEXT_NONE; /* of messages without a principal: null */
    int64_t bytes = integer_in(row, "bytes");
    if (bytes == 0 && !text_present(principal))
        return STORE_OK; /* the sentinel */
    measure->shares = arena_grown(found->arena, measure->shares, measure->count, &found->capacity,
                                  sizeof *measure->shares);
    measure->shares[measure->count++] = (struct letter_share){
        .principal = text_copy(found->arena, principal),
        .bytes = bytes,
        .published = integer_in(row, "published"),
        .closed = integer_in(row, "closed"),
        .bodies = integer_in(row, "bodies"),
    };
    return STORE_OK;
}

static enum store_status add_up(struct mongo_store *store, struct arena *arena,
                                struct letter_measure *measure, struct error *error)
{
    struct sums found = {.arena = arena, .measure = measure};
    bson_t *stages = document_from_json(sums);
    bson_t *options = document_from_json("{" HINT "}");
    BSON_APPEND_INT64(options, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor = mongoc_collection_aggregate(store->collections[MONGO_LETTERS],
                                                          MONGOC_QUERY_NONE, stages, options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, sum_row, &found, error);
    bson_destroy(options);
    bson_destroy(stages);
    return status;
}

/* --- the letters of a cut ------------------------------------------------------------------- */

static void append_states(bson_t *filter, const struct letter_cut *cut)
{
    struct list list;
    list_begin_in(&list, filter, "state");
    for (int state = LETTER_OPEN; state <= LETTER_DISCARDED; state++) {
        if (state != LETTER_OPEN || cut->kind != LETTER_CUT_CLOSED)
            list_add_word(&list, letter_state_name((enum letter_state)state));
    }
    list_end_in(&list, filter);
}

static void append_body_dropped(bson_t *filter, const struct letter_cut *cut)
{
    struct list list;
    list_begin_in(&list, filter, "body_dropped");
    list_add_bool(&list, false);
    if (cut->kind != LETTER_CUT_BODIES)
        list_add_bool(&list, true);
    list_end_in(&list, filter);
}

/* Appends the conditions for letters of the cut. */
static void append_cut(bson_t *filter, const struct letter_cut *cut)
{
    bson_t range;
    append_body_dropped(filter, cut);
    append_states(filter, cut);
    bson_append_document_begin(filter, "published_at", -1, &range);
    BSON_APPEND_DATE_TIME(&range, "$gt", 0);
    bson_append_document_end(filter, &range);
    bson_append_document_begin(filter, "last_at", -1, &range);
    BSON_APPEND_DATE_TIME(&range, "$lte", cut->until_ms);
    bson_append_document_end(filter, &range);
    if (cut->of_principal && text_present(cut->principal))
        letter_append_text(filter, "principal", cut->principal);
    else if (cut->of_principal)
        BSON_APPEND_NULL(filter, "principal");
}

/* Calls `row` for the oldest letters of the cut, up to `limit`; destroys the options. */
static enum store_status each_letter(struct mongo_store *store, const struct letter_cut *cut,
                                     bson_t *options, int64_t limit, mongo_row row, void *context,
                                     struct error *error)
{
    bson_t filter = BSON_INITIALIZER;
    append_cut(&filter, cut);
    BSON_APPEND_INT64(options, "limit", limit);
    BSON_APPEND_INT64(options, "maxTimeMS", store->pool->server_time_ms);
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(store->collections[MONGO_LETTERS], &filter, options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, row, context, error);
    bson_destroy(options);
    bson_destroy(&filter);
    return status;
}

/* --- the plan ------------------------------------------------------------------------------- */

struct plan {
    const struct letter_cut *cut;
    int64_t bytes; /* that the letters so far would free, at most */
    int64_t until_ms;
};

/* The size of a body is not in the index, so it counts as all that may be the body. The plan may
   then end too early, and the next one goes on. */
static enum store_status plan_row(void *context, const bson_t *row, struct error *error)
{
    struct plan *plan = context;
    bson_iter_t iter;
    (void)error;
    if (plan->bytes >= plan->cut->bytes)
        return STORE_OK;
    plan->bytes += integer_in(row, "bytes");
    if (plan->cut->kind == LETTER_CUT_BODIES)
        plan->bytes -= LETTER_BYTES_REST;
    if (bson_iter_init_find(&iter, row, "last_at") && BSON_ITER_HOLDS_DATE_TIME(&iter))
        plan->until_ms = bson_iter_date_time(&iter);
    return STORE_OK;
}

static enum store_status plan_cut(struct mongo_store *store, struct letter_cut *cut,
                                  struct error *error)
{
    struct plan plan = {.cut = cut};
    bson_t *options = document_from_json(
        "{" OLDEST_FIRST ", \"projection\": {\"_id\": 0, \"last_at\": 1, \"bytes\": 1}}");
    cut->until_ms = INT64_MAX;
    enum store_status status = each_letter(store, cut, options, PLAN_MAX, plan_row, &plan, error);
    cut->until_ms = plan.until_ms;
    return status;
}

enum store_status mongo_measure_letters(struct store *base, int64_t max_bytes, struct arena *arena,
                                        struct letter_measure *ret_measure, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct letter_measure measure = {.count = 0};
    enum store_status status = add_up(store, arena, &measure, error);
    if (status == STORE_OK) {
        measure.cut = letter_cut_choose(measure.shares, measure.count, max_bytes);
        if (measure.cut.kind != LETTER_CUT_NONE)
            status = plan_cut(store, &measure.cut, error);
    }
    *ret_measure = status == STORE_OK ? measure : (struct letter_measure){.count = 0};
    return status;
}

/* --- one batch ------------------------------------------------------------------------------ */

struct batch {
    const struct letter_cut *cut;
    bson_t filter;
    struct list ids;
    int64_t bytes; /* that these letters free */
    size_t rows;
};

static enum store_status batch_row(void *context, const bson_t *row, struct error *error)
{
    struct batch *batch = context;
    bson_iter_t iter;
    (void)error;
    batch->rows++;
    if (batch->bytes >= batch->cut->bytes || !bson_iter_init_find(&iter, row, "_id"))
        return STORE_OK;
    bson_append_value(&batch->ids.array, list_next(&batch->ids), -1, bson_iter_value(&iter));
    batch->bytes += integer_in(row, "freed");
    return STORE_OK;
}

/* Fills {_id: {$in: [...]}}. */
static enum store_status find_batch(struct mongo_store *store, struct batch *batch,
                                    struct error *error)
{
    bson_t *options = document_from_json(
        batch->cut->kind == LETTER_CUT_BODIES
            ? "{" OLDEST_FIRST ", \"projection\": {\"freed\": {\"$binarySize\": {\"$ifNull\": "
              "[\"$body\", \"\"]}}}}"
            : "{" OLDEST_FIRST ", \"projection\": {\"freed\": \"$bytes\"}}");
    list_begin_in(&batch->ids, &batch->filter, "_id");
    enum store_status status =
        each_letter(store, batch->cut, options, LETTER_TRIM_MAX, batch_row, batch, error);
    list_end_in(&batch->ids, &batch->filter);
    return status;
}

static bool delete_batch(struct mongo_store *store, const bson_t *filter, bson_t *ret_reply,
                         bson_error_t *ret_cause)
{
    return mongoc_collection_delete_many(store->collections[MONGO_LETTERS], filter, NULL, ret_reply,
                                         ret_cause);
}

/* A malformed letter loses its body like all others: its validator does not check updates of
   malformed documents (prepare.c). */
static bool drop_bodies(struct mongo_store *store, const bson_t *filter, bson_t *ret_reply,
                        bson_error_t *ret_cause)
{
    bson_t *update = document_from_json(
        "[{\"$set\": {\"body_dropped\": true, \"bytes\": {\"$subtract\": [\"$bytes\", "
        "{\"$binarySize\": {\"$ifNull\": [\"$body\", \"\"]}}]}}}, {\"$unset\": \"body\"}]");
    bool done = mongoc_collection_update_many(store->collections[MONGO_LETTERS], filter, update,
                                              NULL, ret_reply, ret_cause);
    bson_destroy(update);
    return done;
}

static enum store_status trim_batch(struct mongo_store *store, struct batch *batch,
                                    struct letter_trimmed *trimmed, struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    bool bodies = batch->cut->kind == LETTER_CUT_BODIES;
    append_cut(&batch->filter, batch->cut);
    if (!(bodies ? drop_bodies : delete_batch)(store, &batch->filter, &reply, &cause))
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    else
        trimmed->letters = (size_t)integer_in(&reply, bodies ? "modifiedCount" : "deletedCount");
    bson_destroy(&reply);
    return status;
}

enum store_status mongo_trim_letters(struct store *base, const struct letter_cut *cut,
                                     struct letter_trimmed *ret_trimmed, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct batch batch = {.cut = cut, .filter = BSON_INITIALIZER};
    *ret_trimmed = (struct letter_trimmed){.letters = 0};
    enum store_status status = find_batch(store, &batch, error);
    if (status == STORE_OK && batch.rows > 0)
        status = trim_batch(store, &batch, ret_trimmed, error);
    if (status == STORE_OK) {
        ret_trimmed->bytes = batch.bytes;
        ret_trimmed->done = batch.bytes >= cut->bytes || batch.rows < LETTER_TRIM_MAX;
    }
    bson_destroy(&batch.filter);
    return status;
}
