/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. check_schema() looks for collections, validators, indexes and sentinels that are missing,
 * outside of the snapshot, which lists neither collections nor indexes. check_all() runs the other
 * checks one after the other, in one session with a snapshot:
 *   shapes     the server finds the documents that violate their validator
 *   sums       the server adds up the allocations by provider and class (allocations.c)
 *   providers  read in the order of _id, beside the sums, which have the same order; so each usage
 *              is compared without a look-up, and sums without a provider are found
 *   names      the server finds those of several providers, for the case that the index which keeps
 *              them unique was missing
 *   ranges     the server finds generations and outcomes that no command can make
 *   trees      checked in memory, from the nodes that the providers left
 *   letters    read one by one, whole (audit_letters.c)
 * Then, with `repair`, each provider that has a wrong usage gets a transaction of its own.
 *
 * Guarantees. The checks see one point in time, so workers may run meanwhile. A discrepancy does
 * not end the check. The memory grows with the number of providers, not with that of consumers.
 *
 * A repair adds the sums up again in its transaction, because workers may have changed them since.
 *
 * Not here: repairing anything but usages, since only they can be recomputed from other documents.
 */
#include "common/mongo/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/array.h"
#include "common/mongo/allocations.h"
#include "common/mongo/audit_letters.h"
#include "common/mongo/document.h"
#include "common/mongo/list.h"
#include "common/mongo/schema.h"
#include "common/mongo/schema_gap.h"
#include "common/mongo/session.h"

enum { LINE_MAX_BYTES = 1024, LIMIT_MS = 24 * 3600 * 1000 };

#define WITHOUT_SENTINEL "{\"$match\": {\"_id\": {\"$ne\": \"" SCHEMA_SENTINEL "\"}}}"

struct auditor {
    struct mongo_store *store;
    const struct audit_options *options;
    struct audit_result result;
    bson_t session_options;
    struct arena *arena; /* of the whole run */
    struct allocation_sums sums;
    size_t next;             /* the first sum that is not compared yet */
    struct tree_node *nodes; /* by id */
    size_t node_count;
    size_t node_capacity;
    struct uuid *wrong; /* providers with a wrong usage */
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
    bson_t *stages = document_from_json(pipeline);
    enum store_status status = audit_aggregate(auditor->store, &auditor->session_options,
                                               collection, stages, row, auditor, error);
    bson_destroy(stages);
    return status;
}

/* --- schema --------------------------------------------------------------------------------- */

static enum store_status check_schema(struct auditor *auditor, struct error *error)
{
    for (int i = 0; i < MONGO_COLLECTION_COUNT; i++) {
        enum mongo_collection collection = (enum mongo_collection)i;
        struct error names = {""};
        struct schema_gap gap;
        enum store_status status = schema_gap_find(auditor->store, collection, &gap, error);
        if (status != STORE_OK)
            return status;
        schema_gap_add_names(&gap, collection, &names);
        if (!schema_gap_is_none(&gap))
            report(auditor, "missing or different in the database: %s", names.text);
    }
    return STORE_OK;
}

/* --- shapes --------------------------------------------------------------------------------- */

struct shape {
    struct auditor *auditor;
    enum mongo_collection collection;
};

static enum store_status shape_row(void *context, const bson_t *document, struct error *error)
{
    struct shape *shape = context;
    struct error found = {""};
    (void)error;
    (void)mongo_malformed(shape->collection, document, &found);
    report(shape->auditor, "%s", found.text);
    return STORE_OK;
}

/* Reports the documents that the collection's validator would not let in today. */
static enum store_status check_shape(struct auditor *auditor, enum mongo_collection collection,
                                     struct error *error)
{
    struct shape shape = {auditor, collection};
    bson_t filter = BSON_INITIALIZER, *validator = document_from_json(schema_validator(collection));
    struct list list;
    list_begin(&list, &filter, "$nor");
    list_add_document(&list, validator);
    list_end(&list, &filter);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
        auditor->store->collections[collection], &filter, &auditor->session_options, NULL);
    enum store_status status =
        mongo_each_row(auditor->store, PHASE_RUN, cursor, shape_row, &shape, error);
    bson_destroy(validator);
    bson_destroy(&filter);
    return status;
}

/* --- providers ------------------------------------------------------------------------------ */

/* Reports the sums up to the provider `before`, or all that are left if it is NULL. The providers
   come in the same order, so these sums have none. */
static void report_orphans(struct auditor *auditor, const struct uuid *before)
{
    while (auditor->next < auditor->sums.count &&
           (before == NULL ||
            uuid_compare(auditor->sums.items[auditor->next].provider, *before) < 0)) {
        const struct allocation_sum *sum = &auditor->sums.items[auditor->next++];
        report(auditor,
               "consumers have %" PRId64 " %.*s allocated on provider %s, which does not exist",
               sum->amount, TEXT_ARGS(sum->resource_class), uuid_format(sum->provider).chars);
    }
}

static void add_wrong(struct auditor *auditor, struct uuid id)
{
    auditor->wrong = arena_grown(auditor->arena, auditor->wrong, auditor->wrong_count,
                                 &auditor->wrong_capacity, sizeof id);
    auditor->wrong[auditor->wrong_count++] = id;
}

/* The sums of the provider are `first` to `end` - 1. */
static void compare_usages(struct auditor *auditor, const struct provider *provider, size_t first,
                           size_t end)
{
    bool wrong = false;
    for (size_t i = 0; i < provider->record_count; i++) {
        const struct inventory_record *record = &provider->records[i];
        struct text resource_class = record->inventory.resource_class;
        int64_t sum =
            allocation_sums_find(&auditor->sums, first, end, provider->id, resource_class);
        if (sum == record->used)
            continue;
        wrong = true;
        report(auditor,
               "provider %s: usage of %.*s is %" PRId64
               ", its consumers' allocations add up to %" PRId64,
               uuid_format(provider->id).chars, TEXT_ARGS(resource_class), record->used, sum);
    }
    if (wrong)
        add_wrong(auditor, provider->id);
}

static void report_missing_inventories(struct auditor *auditor, const struct provider *provider,
                                       size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        const struct allocation_sum *sum = &auditor->sums.items[i];
        if (provider_record(provider, sum->resource_class) == NULL)
            report(auditor,
                   "consumers have %" PRId64
                   " %.*s allocated on provider %s, which has no inventory of this class",
                   sum->amount, TEXT_ARGS(sum->resource_class), uuid_format(provider->id).chars);
    }
}

static void check_usages(struct auditor *auditor, const struct provider *provider)
{
    report_orphans(auditor, &provider->id);
    size_t first = auditor->next, end = first;
    while (end < auditor->sums.count && uuid_equal(auditor->sums.items[end].provider, provider->id))
        end++;
    compare_usages(auditor, provider, first, end);
    report_missing_inventories(auditor, provider, first, end);
    auditor->next = end;
}

static void add_node(struct auditor *auditor, const struct provider *provider)
{
    auditor->nodes = arena_grown(auditor->arena, auditor->nodes, auditor->node_count,
                                 &auditor->node_capacity, sizeof *auditor->nodes);
    auditor->nodes[auditor->node_count++] = (struct tree_node){
        provider->id, provider->has_parent, provider->parent, provider->root, false};
}

static enum store_status provider_row(void *context, const bson_t *document, struct error *error)
{
    struct auditor *auditor = context;
    struct arena *arena = arena_new(0);
    struct provider provider = {.record_count = 0};
    (void)error;
    /* A malformed provider was reported by check_shape() already. */
    if (document_read_id(document, &provider.id) &&
        document_read_provider(document, arena, &provider)) {
        auditor->result.providers++;
        check_usages(auditor, &provider);
        add_node(auditor, &provider);
    }
    arena_free(arena);
    return STORE_OK;
}

/* --- names ---------------------------------------------------------------------------------- */

static enum store_status name_row(void *context, const bson_t *document, struct error *error)
{
    bson_iter_t name, count;
    (void)error;
    if (bson_iter_init_find(&name, document, "_id") && BSON_ITER_HOLDS_UTF8(&name) &&
        bson_iter_init_find(&count, document, "n"))
        report(context, "%" PRId64 " providers have the name '%s'", bson_iter_as_int64(&count),
               bson_iter_utf8(&name, NULL));
    return STORE_OK;
}

static enum store_status check_names(struct auditor *auditor, struct error *error)
{
    return aggregate(auditor, MONGO_PROVIDERS,
                     "[" WITHOUT_SENTINEL
                     ", {\"$group\": {\"_id\": \"$name\", \"n\": {\"$sum\": 1}}}, "
                     "{\"$match\": {\"n\": {\"$gt\": 1}}}, {\"$sort\": {\"_id\": 1}}]",
                     name_row, error);
}

/* --- trees ---------------------------------------------------------------------------------- */

static int compare_id(const void *key, const void *node)
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
                report(auditor, "provider %s has no parent, but its root is another provider",
                       name.chars);
            continue;
        }
        const struct tree_node *parent = array_find(&node->parent, auditor->nodes,
                                                    auditor->node_count, sizeof *node, compare_id);
        if (parent == NULL)
            report(auditor, "provider %s: its parent does not exist", name.chars);
        else if (!uuid_equal(parent->root, node->root))
            report(auditor, "provider %s: its root is not that of its parent", name.chars);
    }
}

/* --- ranges and counts ---------------------------------------------------------------------- */

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
    bson_t *stages = document_from_json("[" WITHOUT_SENTINEL ", {\"$count\": \"n\"}]");
    enum store_status status = audit_aggregate(auditor->store, &auditor->session_options,
                                               collection, stages, count_row, ret_count, error);
    bson_destroy(stages);
    return status;
}

static enum store_status outcome_row(void *context, const bson_t *document, struct error *error)
{
    char *text = bson_as_relaxed_extended_json(document, NULL);
    (void)error;
    report(context, "outcome with an invalid fingerprint, expiry or body: %s",
           text != NULL ? text : "");
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
                     "[" WITHOUT_SENTINEL
                     ", {\"$match\": {\"$expr\": {\"$or\": [{\"$ne\": [{\"$binarySize\": "
                     "\"$fingerprint\"}, 32]}, "
                     "{\"$lte\": [\"$expires_at\", \"$at\"]}, {\"$eq\": [\"$body\", \"\"]}]}}}, "
                     "{\"$project\": {\"_id\": 1}}]",
                     outcome_row, error);
}

/* --- all of them ---------------------------------------------------------------------------- */

static enum store_status check_all(struct auditor *auditor, struct error *error)
{
    static const enum mongo_collection shaped[] = {MONGO_PROVIDERS, MONGO_CONSUMERS, MONGO_OUTCOMES,
                                                   MONGO_LETTERS};
    enum store_status status = STORE_OK;
    for (size_t i = 0; i < sizeof shaped / sizeof shaped[0] && status == STORE_OK; i++)
        status = check_shape(auditor, shaped[i], error);
    if (status == STORE_OK)
        status = allocation_sums_read(auditor->store, &auditor->session_options, NULL,
                                      &auditor->sums, error);
    if (status == STORE_OK)
        status =
            aggregate(auditor, MONGO_PROVIDERS, "[" WITHOUT_SENTINEL ", {\"$sort\": {\"_id\": 1}}]",
                      provider_row, error);
    if (status == STORE_OK)
        status = check_names(auditor, error);
    if (status == STORE_OK)
        status = check_ranges(auditor, error);
    if (status == STORE_OK)
        status = count(auditor, MONGO_CONSUMERS, &auditor->result.consumers, error);
    if (status == STORE_OK)
        status = count(auditor, MONGO_OUTCOMES, &auditor->result.outcomes, error);
    if (status == STORE_OK)
        status = audit_letters(auditor->store, &auditor->session_options, auditor->options,
                               &auditor->result, error);
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
    auditor.sums.arena = auditor.arena;
    /* From MongoDB 8.0 on, the server may have a limit of its own for reads without one. */
    BSON_APPEND_INT64(&auditor.session_options, "maxTimeMS", LIMIT_MS);
    enum store_status status = check_schema(&auditor, error);
    if (status == STORE_OK)
        status = check_in_snapshot(&auditor, error);
    for (size_t i = 0; options->repair && status == STORE_OK && i < auditor.wrong_count; i++)
        status =
            audit_repair(auditor.store, options, auditor.wrong[i], &auditor.result.repaired, error);
    if (status == STORE_OK)
        *ret_result = auditor.result;
    bson_destroy(&auditor.session_options);
    arena_free(auditor.arena);
    return status;
}
