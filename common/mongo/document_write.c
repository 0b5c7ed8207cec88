/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. One section for each kind of document: values and ids, provider, consumer, outcome. Each
 * has a function for the whole document and, except for outcomes, one for the update.
 *
 * Guarantees. Numbers are always 64-bit integers, as the validators ask. Fields always come in the
 * same order, so equal content gives equal bytes. Each update increments `rev`. Without that, an
 * update which sets only values that are stored already would be no write for MongoDB, and would
 * not conflict with another transaction.
 *
 * An update of a provider sets only the usages that changed, one path each, unless there are more
 * than PATHS_MAX. An update of a consumer sets all of it, since a claim replaces all; only mappings
 * that were not loaded, and that no claim has replaced, stay as they are.
 *
 * Not here: which slot is inserted, updated or deleted (write.c), and the limit on a document's
 * size (write.c). A text with a NUL byte in it is written as it is: BSON permits it in a value.
 */
#include "common/mongo/document.h"

#include <assert.h>
#include <stdio.h>

#include "common/mongo/list.h"

/* --- values and ids ------------------------------------------------------------------------- */

void document_append_text(bson_t *document, const char *key, struct text value)
{
    BSON_ASSERT(bson_append_utf8(document, key, -1, value.bytes != NULL ? value.bytes : "",
                                 (int)value.length));
}

void document_append_uuid(bson_t *document, const char *key, struct uuid value)
{
    BSON_ASSERT(bson_append_binary(document, key, -1, BSON_SUBTYPE_UUID, value.bytes, UUID_BYTES));
}

void document_provider_id(bson_t *document, const struct provider *provider)
{
    document_append_uuid(document, "_id", provider->id);
}

void document_consumer_id(bson_t *document, const struct consumer *consumer)
{
    document_append_uuid(document, "_id", consumer->id);
}

void document_command_id(bson_t *document, struct text principal, struct text key)
{
    bson_t id;
    bson_append_document_begin(document, "_id", -1, &id);
    document_append_text(&id, "principal", principal);
    document_append_text(&id, "key", key);
    bson_append_document_end(document, &id);
}

bson_t *document_from_json(const char *json)
{
    bson_error_t cause;
    bson_t *document = bson_new_from_json((const uint8_t *)json, -1, &cause);
    BSON_ASSERT(document != NULL);
    return document;
}

/* --- providers ------------------------------------------------------------------------------ */

static void append_record(bson_t *document, const struct inventory_record *record)
{
    bson_t entry;
    const struct inventory *inventory = &record->inventory;
    bson_append_document_begin(document, inventory->resource_class.bytes,
                               (int)inventory->resource_class.length, &entry);
    BSON_APPEND_INT64(&entry, "total", inventory->total);
    BSON_APPEND_INT64(&entry, "reserved", inventory->reserved);
    BSON_APPEND_INT64(&entry, "min_unit", inventory->min_unit);
    BSON_APPEND_INT64(&entry, "max_unit", inventory->max_unit);
    BSON_APPEND_INT64(&entry, "step_size", inventory->step_size);
    BSON_APPEND_INT64(&entry, "ratio", inventory->ratio);
    BSON_APPEND_INT64(&entry, "used", record->used);
    bson_append_document_end(document, &entry);
}

static void append_records(bson_t *document, const struct provider *provider)
{
    bson_t inventories;
    bson_append_document_begin(document, "inventories", -1, &inventories);
    for (size_t i = 0; i < provider->record_count; i++)
        append_record(&inventories, &provider->records[i]);
    bson_append_document_end(document, &inventories);
}

/* The fields that `place_dirty` is about. */
static void append_place(bson_t *document, const struct provider *provider)
{
    document_append_text(document, "name", provider->name);
    if (provider->has_parent)
        document_append_uuid(document, "parent", provider->parent);
    else
        BSON_APPEND_NULL(document, "parent");
    document_append_uuid(document, "root", provider->root);
}

void document_provider(bson_t *document, const struct provider *provider)
{
    document_provider_id(document, provider);
    append_place(document, provider);
    BSON_APPEND_INT64(document, "generation", provider->generation);
    BSON_APPEND_INT64(document, "rev", 0);
    append_records(document, provider);
}

static void append_used(bson_t *set, const struct provider *provider)
{
    char path[sizeof "inventories..used" + RESOURCE_CLASS_MAX];
    for (size_t i = 0; i < provider->record_count; i++) {
        const struct inventory_record *record = &provider->records[i];
        if (!record->dirty)
            continue;
        (void)snprintf(path, sizeof path, "inventories.%.*s.used",
                       TEXT_ARGS(record->inventory.resource_class));
        BSON_APPEND_INT64(set, path, record->used);
    }
}

static void append_revision(bson_t *update)
{
    bson_t increment;
    bson_append_document_begin(update, "$inc", -1, &increment);
    BSON_APPEND_INT64(&increment, "rev", 1);
    bson_append_document_end(update, &increment);
}

/* The server's time for an update grows with the square of the number of its paths. 41,000 paths
   took 6 s, and the whole list 0.4 s. So an update with more paths than this sets the whole list.
 */
enum { PATHS_MAX = 100 };

static bool whole_list_is_cheaper(const struct provider *provider)
{
    size_t dirty = 0;
    for (size_t i = 0; i < provider->record_count && dirty <= PATHS_MAX; i++)
        dirty += provider->records[i].dirty;
    return dirty > PATHS_MAX;
}

void document_provider_update(bson_t *update, const struct provider *provider)
{
    bson_t set;
    bson_append_document_begin(update, "$set", -1, &set);
    BSON_APPEND_INT64(&set, "generation", provider->generation);
    if (provider->place_dirty)
        append_place(&set, provider);
    if (provider->records_dirty || whole_list_is_cheaper(provider))
        append_records(&set, provider);
    else
        append_used(&set, provider);
    bson_append_document_end(update, &set);
    append_revision(update);
}

void document_node_update(bson_t *update, const struct tree_node *node)
{
    bson_t set;
    bson_append_document_begin(update, "$set", -1, &set);
    document_append_uuid(&set, "root", node->root);
    bson_append_document_end(update, &set);
    append_revision(update);
}

/* --- consumers ------------------------------------------------------------------------------ */

/* Appends the allocations of the provider of allocation `first`; returns the index after them. */
static size_t append_allocation(bson_t *allocations, const char *index,
                                const struct consumer *consumer, size_t first)
{
    bson_t allocation, resources;
    struct uuid provider = consumer->allocations[first].provider;
    size_t i = first;
    bson_append_document_begin(allocations, index, -1, &allocation);
    document_append_uuid(&allocation, "provider", provider);
    bson_append_document_begin(&allocation, "resources", -1, &resources);
    for (; i < consumer->allocation_count; i++) {
        const struct allocation *item = &consumer->allocations[i];
        if (!uuid_equal(item->provider, provider))
            break;
        bson_append_int64(&resources, item->resource_class.bytes, (int)item->resource_class.length,
                          item->amount);
    }
    bson_append_document_end(&allocation, &resources);
    bson_append_document_end(allocations, &allocation);
    return i;
}

static void append_allocations(bson_t *document, const struct consumer *consumer)
{
    struct list allocations;
    list_begin(&allocations, document, "allocations");
    for (size_t i = 0; i < consumer->allocation_count;)
        i = append_allocation(&allocations.array, list_next(&allocations), consumer, i);
    list_end(&allocations, document);
}

static void append_consumer(bson_t *document, const struct consumer *consumer)
{
    document_append_text(document, "project_id", consumer->project_id);
    document_append_text(document, "user_id", consumer->user_id);
    document_append_text(document, "consumer_type", consumer->consumer_type);
    BSON_APPEND_INT64(document, "generation", consumer->generation);
    if (text_present(consumer->mappings))
        document_append_text(document, "mappings", consumer->mappings);
    append_allocations(document, consumer);
}

void document_consumer(bson_t *document, const struct consumer *consumer)
{
    document_consumer_id(document, consumer);
    append_consumer(document, consumer);
    BSON_APPEND_INT64(document, "rev", 0);
}

void document_consumer_update(bson_t *update, const struct consumer *consumer)
{
    bson_t set, unset;
    bson_append_document_begin(update, "$set", -1, &set);
    append_consumer(&set, consumer);
    bson_append_document_end(update, &set);
    if (!text_present(consumer->mappings) && !consumer->mappings_unloaded) {
        bson_append_document_begin(update, "$unset", -1, &unset);
        BSON_APPEND_UTF8(&unset, "mappings", "");
        bson_append_document_end(update, &unset);
    }
    append_revision(update);
}

/* --- outcomes ------------------------------------------------------------------------------- */

void document_outcome(bson_t *document, const struct outcome *outcome, int64_t now_ms,
                      int64_t expires_ms)
{
    document_command_id(document, outcome->principal, outcome->key);
    BSON_APPEND_BINARY(document, "fingerprint", BSON_SUBTYPE_BINARY, outcome->fingerprint.bytes,
                       FINGERPRINT_BYTES);
    BSON_APPEND_UTF8(document, "code", verdict_name(outcome->code));
    document_append_text(document, "command", outcome->command);
    document_append_text(document, "body", outcome->body);
    BSON_APPEND_DATE_TIME(document, "at", now_ms);
    BSON_APPEND_DATE_TIME(document, "expires_at", expires_ms);
}
