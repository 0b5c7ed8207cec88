/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mongo/document.h"
#include "common/mongo/allocations.h"
#include "common/mongo/schema.h"
#include "common/mongo/session.h"

enum { LINE_MAX_BYTES = 1024 };

struct auditor {
    struct mongo_store *store;
    const struct audit_options *options;
    struct audit_result result;
    bson_t session_options;
    struct arena *arena; /* of the whole run */
    struct allocations allocations;
    size_t next;             /* the first of the allocations that no provider was met for */
    struct tree_node *nodes; /* by id */
    size_t node_count;
    size_t node_capacity;
    struct uuid *wrong; /* providers whose counters are off */
    size_t wrong_count;
    size_t wrong_capacity;
};

static void report(struct auditor *auditor, const char *format, ...) ALLOT_PRINTF(2, 3);

static void report(struct auditor *auditor, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    auditor->result.discrepancies++;
    auditor->options->found(auditor->options->context, line);
}

static enum store_status aggregate(struct auditor *auditor, enum mongo_collection collection,
                                   const char *pipeline, mongo_row row, struct error *error)
{
    bson_error_t cause;
    bson_t stages;
    bson_t options;
    if (!bson_init_from_json(&stages, pipeline, -1, &cause)) {
        error_set(error, "mongodb: %s", cause.message);
        return STORE_MISCONFIGURED;
    }
    bson_copy_to(&auditor->session_options, &options);
    BSON_APPEND_BOOL(&options, "allowDiskUse", true);
    mongoc_cursor_t *cursor = mongoc_collection_aggregate(
        auditor->store->collections[collection], MONGOC_QUERY_NONE, &stages, &options, NULL);
    enum store_status status =
        mongo_each_row(auditor->store, PHASE_RUN, cursor, row, auditor, error);
    bson_destroy(&options);
    bson_destroy(&stages);
    return status;
}

/* --- shapes --------------------------------------------------------------------------------- */

struct shape {
    struct auditor *auditor;
    enum mongo_collection collection;
};

static enum store_status shape_row(void *context, const bson_t *document, struct error *error)
{
    struct shape *shape = context;
    struct error what = {""};
    (void)error;
    (void)mongo_malformed(shape->collection, document, &what);
    report(shape->auditor, "%s", what.text);
    return STORE_OK;
}

/* The server finds what its own validator would refuse today. */
static enum store_status check_shape(struct auditor *auditor, enum mongo_collection collection,
                                     struct error *error)
{
    struct shape shape = {auditor, collection};
    bson_error_t cause;
    bson_t filter = BSON_INITIALIZER, validator, list;
    if (!bson_init_from_json(&validator, schema_validator(collection), -1, &cause)) {
        bson_destroy(&filter);
        error_set(error, "mongodb: %s", cause.message);
        return STORE_MISCONFIGURED;
    }
    bson_append_array_begin(&filter, "$nor", -1, &list);
    bson_append_document(&list, "0", -1, &validator);
    bson_append_array_end(&filter, &list);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
        auditor->store->collections[collection], &filter, &auditor->session_options, NULL);
    enum store_status status =
        mongo_each_row(auditor->store, PHASE_RUN, cursor, shape_row, &shape, error);
    bson_destroy(&validator);
    bson_destroy(&filter);
    return status;
}

/* --- providers ------------------------------------------------------------------------------ */

static void report_orphans(struct auditor *auditor, const struct uuid *before)
{
    while (auditor->next < auditor->allocations.count &&
           (before == NULL ||
            uuid_compare(auditor->allocations.items[auditor->next].provider, *before) < 0)) {
        const struct held *held = &auditor->allocations.items[auditor->next++];
        report(auditor, "consumers hold %" PRId64 " %.*s of provider %s, which does not exist",
               held->amount, TEXT_ARGS(held->resource_class), uuid_format(held->provider).chars);
    }
}

static int64_t held_of(const struct auditor *auditor, size_t first, size_t end,
                       struct text resource_class)
{
    for (size_t i = first; i < end; i++) {
        if (text_equal(auditor->allocations.items[i].resource_class, resource_class))
            return auditor->allocations.items[i].amount;
    }
    return 0;
}

static void note_wrong(struct auditor *auditor, struct uuid id)
{
    auditor->wrong = arena_grown(auditor->arena, auditor->wrong, auditor->wrong_count,
                                 &auditor->wrong_capacity, sizeof id);
    auditor->wrong[auditor->wrong_count++] = id;
}

static void compare_usages(struct auditor *auditor, const struct provider *provider)
{
    size_t first = auditor->next, end = first;
    while (end < auditor->allocations.count &&
           uuid_equal(auditor->allocations.items[end].provider, provider->id))
        end++;
    bool wrong = false;
    for (size_t i = 0; i < provider->record_count; i++) {
        const struct inventory_record *record = &provider->records[i];
        int64_t held = held_of(auditor, first, end, record->inventory.resource_class);
        if (held == record->used)
            continue;
        wrong = true;
        report(auditor, "provider %s: %" PRId64 " %.*s are used, but its consumers hold %" PRId64,
               uuid_format(provider->id).chars, record->used,
               TEXT_ARGS(record->inventory.resource_class), held);
    }
    for (size_t i = first; i < end; i++) {
        if (provider_record(provider, auditor->allocations.items[i].resource_class) == NULL)
            report(auditor,
                   "consumers hold %" PRId64 " %.*s of provider %s, which has no inventory of it",
                   auditor->allocations.items[i].amount,
                   TEXT_ARGS(auditor->allocations.items[i].resource_class),
                   uuid_format(provider->id).chars);
    }
    if (wrong)
        note_wrong(auditor, provider->id);
    auditor->next = end;
}

static enum store_status provider_row(void *context, const bson_t *document, struct error *error)
{
    struct auditor *auditor = context;
    struct arena *arena = arena_new(0);
    struct provider provider = {.record_count = 0};
    (void)error;
    /* What is malformed was reported by its shape already. */
    if (document_read_id(document, &provider.id) &&
        document_read_provider(document, arena, &provider)) {
        auditor->result.providers++;
        report_orphans(auditor, &provider.id);
        compare_usages(auditor, &provider);
        auditor->nodes = arena_grown(auditor->arena, auditor->nodes, auditor->node_count,
                                     &auditor->node_capacity, sizeof *auditor->nodes);
        auditor->nodes[auditor->node_count++] = (struct tree_node){
            provider.id, provider.has_parent, provider.parent, provider.root, false};
    }
    arena_free(arena);
    return STORE_OK;
}

static int find_node(const void *key, const void *node)
{
    return uuid_compare(*(const struct uuid *)key, ((const struct tree_node *)node)->id);
}

static void check_trees(struct auditor *auditor)
{
    for (size_t i = 0; i < auditor->node_count; i++) {
        const struct tree_node *node = &auditor->nodes[i];
        struct uuid_text name = uuid_format(node->id);
        if (!node->has_parent) {
            if (!uuid_equal(node->root, node->id))
                report(auditor, "provider %s has no parent, but another root", name.chars);
            continue;
        }
        const struct tree_node *parent =
            bsearch(&node->parent, auditor->nodes, auditor->node_count, sizeof *node, find_node);
        if (parent == NULL)
            report(auditor, "provider %s: its parent does not exist", name.chars);
        else if (!uuid_equal(parent->root, node->root))
            report(auditor, "provider %s has another root than its parent", name.chars);
    }
}

static enum store_status count_row(void *context, const bson_t *document, struct error *error)
{
    bson_iter_t iter;
    (void)error;
    if (bson_iter_init_find(&iter, document, "n"))
        *(int64_t *)context = bson_iter_as_int64(&iter);
    return STORE_OK;
}

static enum store_status count(struct auditor *auditor, enum mongo_collection collection,
                               int64_t *ret_count, struct error *error)
{
    bson_t *stages = BCON_NEW("pipeline", "[", "{", "$count", BCON_UTF8("n"), "}", "]");
    mongoc_cursor_t *cursor =
        mongoc_collection_aggregate(auditor->store->collections[collection], MONGOC_QUERY_NONE,
                                    stages, &auditor->session_options, NULL);
    enum store_status status =
        mongo_each_row(auditor->store, PHASE_RUN, cursor, count_row, ret_count, error);
    bson_destroy(stages);
    return status;
}

/* --- outcomes and consumers beyond their shape ---------------------------------------------- */

static enum store_status outcome_row(void *context, const bson_t *document, struct error *error)
{
    char *text = bson_as_relaxed_extended_json(document, NULL);
    (void)error;
    report(context, "an outcome is out of range: %s", text != NULL ? text : "");
    bson_free(text);
    return STORE_OK;
}

static enum store_status consumer_row(void *context, const bson_t *document, struct error *error)
{
    struct uuid id = {{0}};
    if (!document_read_id(document, &id))
        return mongo_malformed(MONGO_CONSUMERS, document, error);
    report(context, "consumer %s has a generation below 1", uuid_format(id).chars);
    return STORE_OK;
}

static enum store_status check_ranges(struct auditor *auditor, struct error *error)
{
    enum store_status status =
        aggregate(auditor, MONGO_CONSUMERS,
                  "[{\"$match\": {\"generation\": {\"$lt\": 1}}}, {\"$project\": {\"_id\": 1}}]",
                  consumer_row, error);
    if (status != STORE_OK)
        return status;
    return aggregate(auditor, MONGO_OUTCOMES,
                     "[{\"$match\": {\"$expr\": {\"$or\": [{\"$ne\": [{\"$binarySize\": "
                     "\"$fingerprint\"}, 32]}, "
                     "{\"$lte\": [\"$expires_at\", \"$at\"]}, {\"$eq\": [\"$body\", \"\"]}]}}}, "
                     "{\"$project\": {\"_id\": 1}}]",
                     outcome_row, error);
}

/* --- the whole ------------------------------------------------------------------------------ */

static enum store_status check_all(struct auditor *auditor, struct error *error)
{
    static const enum mongo_collection shaped[] = {MONGO_PROVIDERS, MONGO_CONSUMERS,
                                                   MONGO_OUTCOMES};
    enum store_status status = STORE_OK;
    for (size_t i = 0; i < sizeof shaped / sizeof shaped[0] && status == STORE_OK; i++)
        status = check_shape(auditor, shaped[i], error);
    if (status == STORE_OK)
        status = allocations_read(auditor->store, &auditor->session_options, NULL,
                                  &auditor->allocations, error);
    if (status == STORE_OK)
        status =
            aggregate(auditor, MONGO_PROVIDERS, "[{\"$sort\": {\"_id\": 1}}]", provider_row, error);
    if (status == STORE_OK)
        status = check_ranges(auditor, error);
    if (status == STORE_OK)
        status = count(auditor, MONGO_CONSUMERS, &auditor->result.consumers, error);
    if (status == STORE_OK)
        status = count(auditor, MONGO_OUTCOMES, &auditor->result.outcomes, error);
    if (status != STORE_OK)
        return status;
    report_orphans(auditor, NULL);
    check_trees(auditor);
    return STORE_OK;
}

static enum store_status check_in_snapshot(struct auditor *auditor, struct error *error)
{
    bson_error_t cause;
    enum store_status status = STORE_UNAVAILABLE;
    mongoc_session_opt_t *options = mongoc_session_opts_new();
    mongoc_session_opts_set_snapshot(options, true);
    mongoc_client_session_t *session =
        mongoc_client_start_session(auditor->store->client, options, &cause);
    if (session == NULL ||
        !mongoc_client_session_append(session, &auditor->session_options, &cause))
        error_set(error, "mongodb: %s", cause.message);
    else
        status = check_all(auditor, error);
    if (session != NULL)
        mongoc_client_session_destroy(session);
    mongoc_session_opts_destroy(options);
    return status;
}

enum store_status mongo_audit(struct store *store, const struct audit_options *options,
                              struct audit_result *ret_result, struct error *error)
{
    struct auditor auditor = {
        .store = (struct mongo_store *)store,
        .options = options,
        .session_options = BSON_INITIALIZER,
        .arena = arena_new(0),
    };
    auditor.allocations.arena = auditor.arena;
    enum store_status status = check_in_snapshot(&auditor, error);
    for (size_t i = 0; options->repair && status == STORE_OK && i < auditor.wrong_count; i++)
        status =
            audit_repair(auditor.store, options, auditor.wrong[i], &auditor.result.repaired, error);
    if (status == STORE_OK)
        *ret_result = auditor.result;
    bson_destroy(&auditor.session_options);
    arena_free(auditor.arena);
    return status;
}
