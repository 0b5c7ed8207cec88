/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. At the top are readers of single values: text, UUID, integer, and the view of an embedded
 * document. Below, one function for each kind of document combines them: provider, tree node,
 * consumer, outcome, usage row.
 *
 * Guarantees. Each field is looked up by name, so the order of the fields in a document does not
 * matter. Unknown fields are ignored. Each value's type is checked, although the validators check
 * it as well: a document may be older than its validator, or written with
 * bypassDocumentValidation. Lists are sorted as the snapshot requires.
 *
 * Why not bson_iter_visit_all(): it needs a callback for each type and a struct for the state
 * between them. Documents have few fields, so the repeated look-ups cost little.
 *
 * Not here: ranges and sums, which `allotctl audit` checks (audit.c), and the text of the error for
 * a malformed document (mongo_malformed).
 */
#include "common/mongo/document.h"

#include <string.h>

#include "common/base/array.h"

/* --- values --------------------------------------------------------------------------------- */

static bool read_text(const bson_t *document, const char *key, struct text *ret_borrowed)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, document, key) || !BSON_ITER_HOLDS_UTF8(&iter))
        return false;
    uint32_t length = 0;
    const char *bytes = bson_iter_utf8(&iter, &length);
    *ret_borrowed = text_view(bytes, length);
    return true;
}

static bool copy_text(const bson_t *document, const char *key, struct arena *arena,
                      struct text *ret_copy)
{
    struct text borrowed;
    if (!read_text(document, key, &borrowed))
        return false;
    *ret_copy = text_copy(arena, borrowed);
    return true;
}

/* A missing field becomes an absent text. */
static bool copy_optional(const bson_t *document, const char *key, struct arena *arena,
                          struct text *ret_copy)
{
    *ret_copy = TEXT_NONE;
    return !bson_has_field(document, key) || copy_text(document, key, arena, ret_copy);
}

bool document_uuid(const bson_iter_t *iter, struct uuid *ret_uuid)
{
    if (!BSON_ITER_HOLDS_BINARY(iter))
        return false;
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    bson_iter_binary(iter, &subtype, &length, &bytes);
    if (subtype != BSON_SUBTYPE_UUID || length != UUID_BYTES)
        return false;
    memcpy(ret_uuid->bytes, bytes, UUID_BYTES);
    return true;
}

static bool read_uuid(const bson_t *document, const char *key, struct uuid *ret_uuid)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, document, key) && document_uuid(&iter, ret_uuid);
}

bool document_integer(const bson_iter_t *iter, int64_t *ret_value)
{
    if (!BSON_ITER_HOLDS_INT(iter))
        return false;
    *ret_value = bson_iter_as_int64(iter);
    return true;
}

static bool read_integer(const bson_t *document, const char *key, int64_t *ret_value)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, document, key) && document_integer(&iter, ret_value);
}

bool document_view(const bson_iter_t *iter, bson_t *ret_view)
{
    const uint8_t *bytes = NULL;
    uint32_t length = 0;
    if (BSON_ITER_HOLDS_DOCUMENT(iter))
        bson_iter_document(iter, &length, &bytes);
    else if (BSON_ITER_HOLDS_ARRAY(iter))
        bson_iter_array(iter, &length, &bytes);
    else
        return false;
    return bson_init_static(ret_view, bytes, length);
}

static bool read_view(const bson_t *document, const char *key, bson_t *ret_view)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, document, key) && document_view(&iter, ret_view);
}

/* --- providers ------------------------------------------------------------------------------ */

bool document_read_id(const bson_t *document, struct uuid *ret_id)
{
    return read_uuid(document, "_id", ret_id);
}

bool document_read_name(const bson_t *document, struct text *ret_borrowed)
{
    return read_text(document, "name", ret_borrowed);
}

static bool read_parent(const bson_t *document, bool *ret_has_parent, struct uuid *ret_parent)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, document, "parent"))
        return false;
    *ret_has_parent = !BSON_ITER_HOLDS_NULL(&iter);
    return !*ret_has_parent || document_uuid(&iter, ret_parent);
}

static struct text key_of(const bson_iter_t *iter)
{
    return text_view(bson_iter_key(iter), bson_iter_key_len(iter));
}

static bool read_record(const bson_iter_t *iter, struct arena *arena,
                        struct inventory_record *ret_record)
{
    bson_t record;
    struct inventory *inventory = &ret_record->inventory;
    if (!document_view(iter, &record))
        return false;
    inventory->resource_class = text_copy(arena, key_of(iter));
    return read_integer(&record, "total", &inventory->total) &&
           read_integer(&record, "reserved", &inventory->reserved) &&
           read_integer(&record, "min_unit", &inventory->min_unit) &&
           read_integer(&record, "max_unit", &inventory->max_unit) &&
           read_integer(&record, "step_size", &inventory->step_size) &&
           read_integer(&record, "ratio", &inventory->ratio) &&
           read_integer(&record, "used", &ret_record->used);
}

static int compare_records(const void *a, const void *b)
{
    return text_compare(((const struct inventory_record *)a)->inventory.resource_class,
                        ((const struct inventory_record *)b)->inventory.resource_class);
}

/* Sorts the records, since an update appends a new class at the end of the stored document. */
static bool read_records(const bson_t *document, struct arena *arena, struct provider *provider)
{
    bson_t inventories;
    bson_iter_t iter;
    if (!read_view(document, "inventories", &inventories) || !bson_iter_init(&iter, &inventories))
        return false;
    provider->records = ARENA_ARRAY(arena, struct inventory_record, bson_count_keys(&inventories));
    provider->record_count = 0;
    while (bson_iter_next(&iter)) {
        if (!read_record(&iter, arena, &provider->records[provider->record_count]))
            return false;
        provider->record_count++;
    }
    array_sort(provider->records, provider->record_count, sizeof *provider->records,
               compare_records);
    return true;
}

static bool read_place(const bson_t *document, struct arena *arena, struct provider *ret_provider)
{
    return copy_text(document, "name", arena, &ret_provider->name) &&
           read_parent(document, &ret_provider->has_parent, &ret_provider->parent) &&
           read_uuid(document, "root", &ret_provider->root) &&
           read_integer(document, "generation", &ret_provider->generation);
}

bool document_read_place(const bson_t *document, struct arena *arena, struct provider *ret_provider)
{
    return document_read_id(document, &ret_provider->id) &&
           read_place(document, arena, ret_provider);
}

bool document_read_provider(const bson_t *document, struct arena *arena,
                            struct provider *ret_provider)
{
    return read_place(document, arena, ret_provider) && read_records(document, arena, ret_provider);
}

bool document_read_node(const bson_t *document, struct tree_node *ret_node)
{
    return document_read_id(document, &ret_node->id) &&
           read_parent(document, &ret_node->has_parent, &ret_node->parent) &&
           read_uuid(document, "root", &ret_node->root);
}

/* --- consumers ------------------------------------------------------------------------------ */

static bool view_allocation(const bson_iter_t *iter, struct uuid *ret_provider,
                            bson_t *ret_resources)
{
    bson_t allocation;
    return document_view(iter, &allocation) && read_uuid(&allocation, "provider", ret_provider) &&
           read_view(&allocation, "resources", ret_resources);
}

static bool count_allocations(const bson_t *allocations, size_t *ret_count)
{
    bson_iter_t iter;
    struct uuid provider;
    bson_t resources;
    size_t count = 0;
    if (!bson_iter_init(&iter, allocations))
        return false;
    while (bson_iter_next(&iter)) {
        if (!view_allocation(&iter, &provider, &resources))
            return false;
        count += bson_count_keys(&resources);
    }
    *ret_count = count;
    return true;
}

/* Appends the allocations of one provider to the array, and adds their number to `*count`. */
static bool read_resources(const bson_t *resources, struct uuid provider, struct arena *arena,
                           struct allocation *allocations, size_t *count)
{
    bson_iter_t iter;
    if (!bson_iter_init(&iter, resources))
        return false;
    while (bson_iter_next(&iter)) {
        struct allocation *allocation = &allocations[*count];
        allocation->provider = provider;
        allocation->resource_class = text_copy(arena, key_of(&iter));
        if (!document_integer(&iter, &allocation->amount))
            return false;
        (*count)++;
    }
    return true;
}

static bool read_allocations(const bson_t *document, struct arena *arena, struct consumer *consumer)
{
    bson_t list, resources;
    bson_iter_t iter;
    struct uuid provider;
    size_t count = 0, filled = 0;
    if (!read_view(document, "allocations", &list) || !count_allocations(&list, &count) ||
        !bson_iter_init(&iter, &list))
        return false;
    struct allocation *allocations = ARENA_ARRAY(arena, struct allocation, count);
    while (bson_iter_next(&iter)) {
        if (!view_allocation(&iter, &provider, &resources) ||
            !read_resources(&resources, provider, arena, allocations, &filled))
            return false;
    }
    consumer->allocations = allocations;
    consumer->allocation_count = filled;
    return true;
}

bool document_read_row(const bson_t *document, struct arena *arena, struct consumer *ret_consumer)
{
    return document_read_id(document, &ret_consumer->id) &&
           read_integer(document, "generation", &ret_consumer->generation) &&
           read_allocations(document, arena, ret_consumer);
}

bool document_read_consumer(const bson_t *document, struct arena *arena,
                            struct consumer *ret_consumer)
{
    return copy_text(document, "project_id", arena, &ret_consumer->project_id) &&
           copy_text(document, "user_id", arena, &ret_consumer->user_id) &&
           copy_text(document, "consumer_type", arena, &ret_consumer->consumer_type) &&
           copy_optional(document, "mappings", arena, &ret_consumer->mappings) &&
           document_read_row(document, arena, ret_consumer);
}

/* --- outcomes ------------------------------------------------------------------------------- */

bool document_read_outcome_id(const bson_t *document, struct text *ret_principal,
                              struct text *ret_key)
{
    bson_t id;
    return read_view(document, "_id", &id) && read_text(&id, "principal", ret_principal) &&
           read_text(&id, "key", ret_key);
}

static bool read_fingerprint(const bson_t *document, struct fingerprint *ret_fingerprint)
{
    bson_iter_t iter;
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!bson_iter_init_find(&iter, document, "fingerprint") || !BSON_ITER_HOLDS_BINARY(&iter))
        return false;
    bson_iter_binary(&iter, &subtype, &length, &bytes);
    if (length != FINGERPRINT_BYTES)
        return false;
    memcpy(ret_fingerprint->bytes, bytes, FINGERPRINT_BYTES);
    return true;
}

static bool read_code(const bson_t *document, enum verdict_code *ret_code)
{
    struct text name;
    if (!read_text(document, "code", &name))
        return false;
    if (text_is(name, verdict_name(VERDICT_SUCCESS))) {
        *ret_code = VERDICT_SUCCESS;
        return true;
    }
    return verdict_parse(name, ret_code);
}

/* Nothing that the worker decides depends on it, so a document without it is good. */
static void read_recorded_at(const bson_t *document, int64_t *ret_ms)
{
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, document, "at") && BSON_ITER_HOLDS_DATE_TIME(&iter))
        *ret_ms = bson_iter_date_time(&iter);
}

bool document_read_outcome(const bson_t *document, struct arena *arena, struct outcome *ret_outcome)
{
    read_recorded_at(document, &ret_outcome->recorded_at_ms);
    return read_fingerprint(document, &ret_outcome->fingerprint) &&
           read_code(document, &ret_outcome->code) &&
           copy_text(document, "command", arena, &ret_outcome->command) &&
           copy_text(document, "body", arena, &ret_outcome->body);
}

/* --- usages --------------------------------------------------------------------------------- */

bool document_read_usage(const bson_t *document, struct text *ret_type, struct text *ret_class,
                         int64_t *ret_amount)
{
    bson_t group;
    return read_view(document, "_id", &group) && read_text(&group, "type", ret_type) &&
           read_text(&group, "class", ret_class) && read_integer(document, "amount", ret_amount);
}
