/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/allocations.h"

#include <inttypes.h>
#include <string.h>

#include "common/mongo/document.h"
#include "common/mongo/queries.h"

/* One row for each provider and class: {_id: {p: provider, c: class}, n: amount}. */
#define SUM_STAGES                                                                                 \
    "[{\"$unwind\": \"$allocations\"}, "                                                           \
    "{\"$project\": {\"p\": \"$allocations.provider\", "                                           \
    "\"r\": {\"$objectToArray\": \"$allocations.resources\"}}}, {\"$unwind\": \"$r\"}, "           \
    "{\"$group\": {\"_id\": {\"p\": \"$p\", \"c\": \"$r.k\"}, \"n\": {\"$sum\": \"$r.v\"}}}, "     \
    "{\"$sort\": {\"_id.p\": 1, \"_id.c\": 1}}]"

enum store_status audit_aggregate(struct mongo_store *store, const bson_t *session_options,
                                  enum mongo_collection collection, const bson_t *pipeline,
                                  mongo_row row, void *context, struct error *error)
{
    bson_t options;
    bson_copy_to(session_options, &options);
    BSON_APPEND_BOOL(&options, "allowDiskUse", true);
    mongoc_cursor_t *cursor = mongoc_collection_aggregate(
        store->collections[collection], MONGOC_QUERY_NONE, pipeline, &options, NULL);
    enum store_status status = mongo_each_row(store, PHASE_RUN, cursor, row, context, error);
    bson_destroy(&options);
    return status;
}

/* --- sums ----------------------------------------------------------------------------------- */

static bool read_sum(const bson_t *document, struct arena *arena, struct allocation_sum *ret_sum)
{
    bson_iter_t iter, part;
    bson_subtype_t subtype;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, "_id.p", &part) ||
        !BSON_ITER_HOLDS_BINARY(&part))
        return false;
    bson_iter_binary(&part, &subtype, &length, &bytes);
    if (length != UUID_BYTES)
        return false;
    memcpy(ret_sum->provider.bytes, bytes, UUID_BYTES);
    if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, "_id.c", &part) ||
        !BSON_ITER_HOLDS_UTF8(&part))
        return false;
    const char *name = bson_iter_utf8(&part, &length);
    ret_sum->resource_class = text_copy(arena, text_view(name, length));
    if (!bson_iter_init_find(&iter, document, "n"))
        return false;
    ret_sum->amount = bson_iter_as_int64(&iter);
    return true;
}

static enum store_status sum_row(void *context, const bson_t *document, struct error *error)
{
    struct allocation_sums *sums = context;
    struct allocation_sum sum;
    if (!read_sum(document, sums->arena, &sum))
        return mongo_malformed(MONGO_CONSUMERS, document, error);
    sums->items = arena_grown(sums->arena, sums->items, sums->count, &sums->capacity, sizeof sum);
    sums->items[sums->count++] = sum;
    return STORE_OK;
}

static bson_t *sum_pipeline(const struct uuid *provider)
{
    bson_t *pipeline = bson_new();
    bson_t filter = BSON_INITIALIZER;
    if (provider != NULL) {
        document_append_uuid(&filter, "allocations.provider", *provider);
        pipeline_append(pipeline, "$match", &filter);
    }
    pipeline_append_json(pipeline, SUM_STAGES);
    bson_destroy(&filter);
    return pipeline;
}

enum store_status allocation_sums_read(struct mongo_store *store, const bson_t *session_options,
                                       const struct uuid *provider,
                                       struct allocation_sums *ret_sums, struct error *error)
{
    bson_t *pipeline = sum_pipeline(provider);
    enum store_status status = audit_aggregate(store, session_options, MONGO_CONSUMERS, pipeline,
                                               sum_row, ret_sums, error);
    bson_destroy(pipeline);
    return status;
}

int64_t allocation_sums_find(const struct allocation_sums *sums, size_t first, size_t end,
                             struct uuid provider, struct text resource_class)
{
    for (size_t i = first; i < end; i++) {
        const struct allocation_sum *sum = &sums->items[i];
        if (uuid_equal(sum->provider, provider) && text_equal(sum->resource_class, resource_class))
            return sum->amount;
    }
    return 0;
}

/* --- repair --------------------------------------------------------------------------------- */

struct repair {
    struct mongo_store *store;
    struct arena *arena;
    struct text *changes; /* to be reported after the commit */
    size_t count;
};

static void set_usages(struct repair *repair, struct provider *provider,
                       const struct allocation_sums *sums)
{
    repair->changes = ARENA_ARRAY(repair->arena, struct text, provider->record_count);
    for (size_t i = 0; i < provider->record_count; i++) {
        struct inventory_record *record = &provider->records[i];
        struct text resource_class = record->inventory.resource_class;
        int64_t sum = allocation_sums_find(sums, 0, sums->count, provider->id, resource_class);
        if (sum == record->used)
            continue;
        repair->changes[repair->count++] = text_format(
            repair->arena, "provider %s: usage of %.*s changed from %" PRId64 " to %" PRId64,
            uuid_format(provider->id).chars, TEXT_ARGS(resource_class), record->used, sum);
        record->used = sum;
        record->dirty = true;
        provider->state.dirty = true;
    }
}

/* Loads the provider and the sums in the open transaction, and writes what differs. */
static enum store_status repair_usages(struct repair *repair, struct uuid id, struct error *error)
{
    struct store *store = &repair->store->base;
    struct snapshot *snapshot = snapshot_new(repair->arena);
    struct allocation_sums sums = {.arena = repair->arena};
    bson_t options;
    snapshot_want_provider(snapshot, id);
    snapshot_seal(snapshot);
    enum store_status status = store->ops->load(store, snapshot, error);
    if (status != STORE_OK)
        return status;
    status = STORE_MISCONFIGURED;
    if (mongo_session_options(repair->store, &options, error)) {
        BSON_APPEND_INT64(&options, "maxTimeMS", repair->store->pool->server_time_ms);
        status = allocation_sums_read(repair->store, &options, &id, &sums, error);
    }
    bson_destroy(&options);
    struct provider *provider = snapshot_provider(snapshot, id);
    if (status != STORE_OK || !provider->state.exists)
        return status;
    set_usages(repair, provider, &sums);
    return provider->state.dirty ? store->ops->write(store, snapshot, error) : STORE_OK;
}

enum store_status audit_repair(struct mongo_store *store, const struct audit_options *options,
                               struct uuid id, int64_t *ret_repaired, struct error *error)
{
    struct store *base = &store->base;
    struct repair repair = {.store = store, .arena = arena_new(0)};
    enum store_status status = base->ops->begin(base, error);
    if (status == STORE_OK) {
        status = repair_usages(&repair, id, error);
        if (status == STORE_OK)
            status = base->ops->commit(base, error);
        base->ops->end(base);
    }
    for (size_t i = 0; status == STORE_OK && i < repair.count; i++) {
        options->repaired(options->context, repair.changes[i].bytes);
        ++*ret_repaired;
    }
    arena_free(repair.arena);
    return status;
}
