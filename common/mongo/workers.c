/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document of a worker's life in the collection `workers`. Each report is one update with an
 * aggregation pipeline, so that the server sets its own time, and so that a report never takes back
 * `stopped`. Texts are literals in it: one that begins with "$" would name a field otherwise.
 *
 * `started_at` is computed from the monotonic clock, since the first report may come late. A life
 * that was forgotten in a long outage of the database gets its true start again.
 */
#include "common/mongo/session.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/mongo/document.h"
#include "common/mongo/schema.h"

enum { JSON_MAX = 512 };

static void append_literal(bson_t *set, const char *field, struct text value)
{
    bson_t literal;
    bson_append_document_begin(set, field, -1, &literal);
    document_append_text(&literal, "$literal", value);
    bson_append_document_end(set, &literal);
}

static void append_rates(bson_t *set, const struct worker_report *report)
{
    static const char *const names[] = {
#define X(id, name) [WORKER_RATE_##id] = (name),
        WORKER_RATES(X)
#undef X
    };
    bson_t rates;
    bson_append_document_begin(set, "rates", -1, &rates);
    for (size_t i = 0; i < WORKER_RATE_COUNT; i++)
        BSON_APPEND_DOUBLE(&rates, names[i], report->rates[i]);
    bson_append_document_end(set, &rates);
}

/* Returns how long the document is kept. That of a life which ended in order outlives its attempt
   records, which would count as crashes without it. */
static int64_t kept_ms(const struct mongo_store *store, enum worker_state state)
{
    return WORKER_KEPT_MS + (state == WORKER_STOPPED ? store->pool->retention_ms : 0);
}

/* Returns the fields whose values the server computes. */
static bson_t *new_computed(struct mongo_store *store, enum worker_state state)
{
    int64_t age_ms = mongo_monotonic_ms(store) - store->pool->started_ms;
    char json[JSON_MAX];
    (void)snprintf(
        json, sizeof json,
        "{\"at\": \"$$NOW\", \"state\": {\"$cond\": [{\"$eq\": [\"$state\", \"%s\"]}, "
        "\"%s\", \"%s\"]}, \"started_at\": {\"$ifNull\": [\"$started_at\", {\"$date\": "
        "{\"$numberLong\": \"%" PRId64 "\"}}]}, \"expires_at\": {\"$max\": "
        "[\"$expires_at\", {\"$add\": [\"$$NOW\", {\"$numberLong\": \"%" PRId64 "\"}]}]}}",
        worker_state_name(WORKER_STOPPED), worker_state_name(WORKER_STOPPED),
        worker_state_name(state), mongo_now_ms(&store->base) - age_ms, kept_ms(store, state));
    return document_from_json(json);
}

/* Returns the pipeline of the update: [{$set: {...}}]. */
static bson_t *new_update(struct mongo_store *store, const struct worker_report *report)
{
    bson_t *pipeline = bson_new(), *computed = new_computed(store, report->state);
    bson_t stage, set;
    bson_append_document_begin(pipeline, "0", -1, &stage);
    bson_append_document_begin(&stage, "$set", -1, &set);
    append_literal(&set, "name", text_of(store->pool->worker));
    append_literal(&set, "version", report->version);
    BSON_APPEND_INT64(&set, "schema", SCHEMA_VERSION);
    BSON_APPEND_INT64(&set, "lanes", report->lanes);
    BSON_APPEND_INT64(&set, "clock_ahead_ms", mongo_wall_ahead_ms(store));
    append_rates(&set, report);
    bson_concat(&set, computed);
    bson_append_document_end(&stage, &set);
    bson_append_document_end(pipeline, &stage);
    bson_destroy(computed);
    return pipeline;
}

static enum store_status upsert(struct mongo_store *store, const bson_t *update,
                                struct error *error)
{
    bson_t selector = BSON_INITIALIZER, options = BSON_INITIALIZER, reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    BSON_APPEND_UTF8(&selector, "_id", store->pool->process_id);
    BSON_APPEND_BOOL(&options, "upsert", true);
    if (!mongoc_collection_update_one(store->collections[MONGO_WORKERS], &selector, update,
                                      &options, &reply, &cause))
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    bson_destroy(&reply);
    bson_destroy(&options);
    bson_destroy(&selector);
    return status;
}

enum store_status mongo_report_worker(struct store *base, const struct worker_report *report,
                                      struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK)
        return status;
    bson_t *update = new_update(store, report);
    status = upsert(store, update, error);
    bson_destroy(update);
    return status;
}
