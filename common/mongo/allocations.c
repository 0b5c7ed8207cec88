/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/allocations.h"

#include <inttypes.h>
#include <string.h>

#include "common/mongo/document.h"

#define SUM_OF_HOLDINGS                                                                            \
    "{\"$unwind\": \"$allocations\"}, "                                                            \
    "{\"$project\": {\"p\": \"$allocations.provider\", "                                           \
    "\"r\": {\"$objectToArray\": \"$allocations.resources\"}}}, {\"$unwind\": \"$r\"}, "           \
    "{\"$group\": {\"_id\": {\"p\": \"$p\", \"c\": \"$r.k\"}, \"n\": {\"$sum\": \"$r.v\"}}}, "     \
    "{\"$sort\": {\"_id.p\": 1, \"_id.c\": 1}}"

static bool read_id_and_class(const bson_t *document, struct arena *arena, struct held *ret_held)
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
    memcpy(ret_held->provider.bytes, bytes, UUID_BYTES);
    if (!bson_iter_init(&iter, document) || !bson_iter_find_descendant(&iter, "_id.c", &part) ||
        !BSON_ITER_HOLDS_UTF8(&part))
        return false;
    const char *name = bson_iter_utf8(&part, &length);
    ret_held->resource_class = text_copy(arena, text_view(name, length));
    if (!bson_iter_init_find(&iter, document, "n"))
        return false;
    ret_held->amount = bson_iter_as_int64(&iter);
    return true;
}

static enum store_status held_row(void *context, const bson_t *document, struct error *error)
{
    struct allocations *allocations = context;
    struct held held;
    if (!read_id_and_class(document, allocations->arena, &held))
        return mongo_malformed(MONGO_CONSUMERS, document, error);
    allocations->items = arena_grown(allocations->arena, allocations->items, allocations->count,
                                     &allocations->capacity, sizeof held);
    allocations->items[allocations->count++] = held;
    return STORE_OK;
}

/* [{$match: {allocations.provider: ...}}] or nothing, and then the stages of the sum. */
static bool append_stages(bson_t *stages, const struct uuid *provider)
{
    bson_t sum, match, filter;
    bson_iter_t iter;
    char room[16];
    const char *index = NULL;
    uint32_t number = 0;
    if (provider != NULL) {
        bson_append_document_begin(stages, "0", -1, &match);
        bson_append_document_begin(&match, "$match", -1, &filter);
        document_append_uuid(&filter, "allocations.provider", *provider);
        bson_append_document_end(&match, &filter);
        bson_append_document_end(stages, &match);
        number++;
    }
    if (!bson_init_from_json(&sum, "[" SUM_OF_HOLDINGS "]", -1, NULL))
        return false;
    bool walking = bson_iter_init(&iter, &sum);
    while (walking && bson_iter_next(&iter)) {
        (void)bson_uint32_to_string(number++, &index, room, sizeof room);
        (void)bson_append_iter(stages, index, -1, &iter);
    }
    bson_destroy(&sum);
    return walking;
}

enum store_status allocations_read(struct mongo_store *store, const bson_t *session_options,
                                   const struct uuid *provider, struct allocations *ret_holdings,
                                   struct error *error)
{
    bson_t stages = BSON_INITIALIZER;
    bson_t options;
    enum store_status status = STORE_MISCONFIGURED;
    bson_copy_to(session_options, &options);
    BSON_APPEND_BOOL(&options, "allowDiskUse", true);
    if (append_stages(&stages, provider)) {
        mongoc_cursor_t *cursor = mongoc_collection_aggregate(
            store->collections[MONGO_CONSUMERS], MONGOC_QUERY_NONE, &stages, &options, NULL);
        status = mongo_each_row(store, PHASE_RUN, cursor, held_row, ret_holdings, error);
    }
    bson_destroy(&options);
    bson_destroy(&stages);
    return status;
}

/* --- repair --------------------------------------------------------------------------------- */

struct repair {
    struct mongo_store *store;
    struct arena *arena;
    struct text *changes; /* what to say once it is committed */
    size_t count;
};

static int64_t held_of(const struct allocations *allocations, struct uuid provider,
                       struct text resource_class)
{
    for (size_t i = 0; i < allocations->count; i++) {
        if (uuid_equal(allocations->items[i].provider, provider) &&
            text_equal(allocations->items[i].resource_class, resource_class))
            return allocations->items[i].amount;
    }
    return 0;
}

static void set_usages(struct repair *repair, struct provider *provider,
                       const struct allocations *allocations)
{
    repair->changes = ARENA_ARRAY(repair->arena, struct text, provider->record_count);
    for (size_t i = 0; i < provider->record_count; i++) {
        struct inventory_record *record = &provider->records[i];
        struct text resource_class = record->inventory.resource_class;
        int64_t held = held_of(allocations, provider->id, resource_class);
        if (held == record->used)
            continue;
        repair->changes[repair->count++] = text_format(
            repair->arena, "provider %s: used %.*s %" PRId64 " -> %" PRId64,
            uuid_format(provider->id).chars, TEXT_ARGS(resource_class), record->used, held);
        record->used = held;
        record->dirty = true;
        provider->state.dirty = true;
    }
}

static enum store_status inside(struct repair *repair, struct uuid id, struct error *error)
{
    struct store *store = &repair->store->base;
    struct snapshot *snapshot = snapshot_new(repair->arena);
    struct allocations allocations = {.arena = repair->arena};
    bson_t options;
    snapshot_want_provider(snapshot, id);
    snapshot_seal(snapshot);
    enum store_status status = store->ops->load(store, snapshot, error);
    if (status != STORE_OK)
        return status;
    status = STORE_MISCONFIGURED;
    if (mongo_session_options(repair->store, &options, error))
        status = allocations_read(repair->store, &options, &id, &allocations, error);
    bson_destroy(&options);
    struct provider *provider = snapshot_provider(snapshot, id);
    if (status != STORE_OK || !provider->state.exists)
        return status;
    set_usages(repair, provider, &allocations);
    return provider->state.dirty ? store->ops->write(store, snapshot, error) : STORE_OK;
}

enum store_status audit_repair(struct mongo_store *store, const struct audit_options *options,
                               struct uuid id, int64_t *ret_repaired, struct error *error)
{
    struct store *base = &store->base;
    struct repair repair = {.store = store, .arena = arena_new(0)};
    enum store_status status = base->ops->begin(base, error);
    if (status == STORE_OK) {
        status = inside(&repair, id, error);
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
