/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A table is an array of documents, sorted by key, with binary search (lower_bound). A
 * document is a list of versions, the newest first. Sections: tables (memory_find,
 * memory_find_or_add), versions (memory_visible, memory_install), and deep copies of the content.
 *
 * Guarantees. A document stays at its address until the database is freed, so transactions may keep
 * pointers to it. memory_install() frees the versions that no open transaction can see any more, so
 * the memory does not grow with the number of commits.
 *
 * Not here: who may write a document, and uncommitted versions (memory_write.c). Documents are
 * never removed from a table: a deleted one has a newest version with `exists` false. An array is
 * slow for many inserts, but a simulation has a few thousand documents at most.
 */
#include "tests/support/memory_document.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

enum { VERSION_BYTES = 256 };

struct text memory_uuid_key(const struct uuid *id)
{
    return text_view((const char *)id->bytes, UUID_BYTES);
}

char *memory_command_key(struct text principal, struct text key, struct text *ret_key)
{
    /* Neither contains a NUL, so a NUL separates them. */
    size_t length = principal.length + 1 + key.length;
    char *bytes = memory_array(length, 1);
    memcpy(bytes, principal.bytes, principal.length);
    memcpy(bytes + principal.length + 1, key.bytes, key.length);
    *ret_key = text_view(bytes, length);
    return bytes;
}

/* --- tables --- */

/* Returns the first index whose key is not before `key`. */
static size_t lower_bound(const struct memory_table *table, struct text key)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (text_compare(table->items[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct memory_table *table, size_t index, struct text key)
{
    return index < table->count && text_equal(table->items[index]->key, key);
}

struct memory_document *memory_find(const struct memory_database *database, enum memory_kind kind,
                                    struct text key)
{
    const struct memory_table *table = &database->tables[kind];
    size_t index = lower_bound(table, key);
    return is_at(table, index, key) ? table->items[index] : NULL;
}

struct memory_document *memory_find_or_add(struct memory_database *database, enum memory_kind kind,
                                           struct text key)
{
    struct memory_table *table = &database->tables[kind];
    size_t index = lower_bound(table, key);
    if (is_at(table, index, key))
        return table->items[index];
    table->items = memory_grown(table->items, table->count, &table->capacity,
                                sizeof(struct memory_document *));
    struct memory_document *document = MEMORY_NEW(struct memory_document);
    document->key = text_view(memory_string(key.bytes, key.length), key.length);
    memmove(&table->items[index + 1], &table->items[index],
            (table->count - index) * sizeof(struct memory_document *));
    table->items[index] = document;
    table->count++;
    return document;
}

static void document_free(struct memory_document *document)
{
    struct memory_version *version = document->newest;
    while (version != NULL) {
        struct memory_version *older = version->older;
        memory_version_free(version);
        version = older;
    }
    free((void *)(uintptr_t)document->key.bytes);
    free(document);
}

void memory_tables_free(struct memory_database *database)
{
    for (size_t kind = 0; kind < KIND_COUNT; kind++) {
        struct memory_table *table = &database->tables[kind];
        for (size_t i = 0; i < table->count; i++)
            document_free(table->items[i]);
        free(table->items);
    }
}

/* --- versions --- */

const struct memory_version *memory_visible(const struct memory_document *document,
                                            uint64_t snapshot)
{
    if (document == NULL)
        return NULL;
    const struct memory_version *version = document->newest;
    while (version != NULL && version->sequence > snapshot)
        version = version->older;
    return version != NULL && version->exists ? version : NULL;
}

struct memory_version *memory_version_new(bool exists)
{
    struct memory_version *version = MEMORY_NEW(struct memory_version);
    version->exists = exists;
    version->arena = arena_new(VERSION_BYTES);
    return version;
}

void memory_version_free(struct memory_version *version)
{
    if (version == NULL)
        return;
    arena_free(version->arena);
    free(version);
}

/* Returns the oldest snapshot that a transaction may still read. */
static uint64_t oldest_snapshot(const struct memory_database *database)
{
    uint64_t oldest = database->sequence;
    for (const struct memory_transaction *open = database->transactions; open != NULL;
         open = open->next) {
        if (open->has_snapshot && open->snapshot < oldest)
            oldest = open->snapshot;
    }
    return oldest;
}

void memory_install(struct memory_database *database, struct memory_document *document,
                    struct memory_version *version)
{
    uint64_t oldest = oldest_snapshot(database);
    version->sequence = database->sequence;
    version->older = document->newest;
    document->newest = version;
    while (version != NULL && version->sequence > oldest)
        version = version->older;
    if (version == NULL)
        return;
    struct memory_version *unseen = version->older;
    version->older = NULL;
    while (unseen != NULL) {
        struct memory_version *older = unseen->older;
        memory_version_free(unseen);
        unseen = older;
    }
}

/* --- copies --- */

/* The state of a slot after a load that found the document. */
static const struct slot_state stored_state = {.loaded = true, .stored = true, .exists = true};

void memory_copy_provider(struct arena *arena, const struct provider *from, struct provider *to)
{
    struct provider copy = *from;
    copy.state = stored_state;
    copy.name = text_copy(arena, from->name);
    copy.records = ARENA_ARRAY(arena, struct inventory_record, from->record_count);
    copy.place_dirty = copy.records_dirty = false;
    for (size_t i = 0; i < from->record_count; i++) {
        struct inventory_record *record = &copy.records[i];
        *record = from->records[i];
        record->inventory.resource_class = text_copy(arena, record->inventory.resource_class);
        record->dirty = false;
    }
    *to = copy;
}

void memory_copy_consumer(struct arena *arena, const struct consumer *from, struct consumer *to)
{
    struct consumer copy = *from;
    struct allocation *allocations = ARENA_ARRAY(arena, struct allocation, from->allocation_count);
    copy.state = stored_state;
    copy.project_id = text_copy(arena, from->project_id);
    copy.user_id = text_copy(arena, from->user_id);
    copy.consumer_type = text_copy(arena, from->consumer_type);
    copy.mappings = text_copy(arena, from->mappings);
    copy.mappings_unloaded = false;
    for (size_t i = 0; i < from->allocation_count; i++) {
        allocations[i] = from->allocations[i];
        allocations[i].resource_class = text_copy(arena, from->allocations[i].resource_class);
    }
    copy.allocations = allocations;
    *to = copy;
}

void memory_copy_outcome(struct arena *arena, const struct outcome *from, struct outcome *to)
{
    struct outcome copy = *from;
    copy.state = stored_state;
    copy.principal = text_copy(arena, from->principal);
    copy.key = text_copy(arena, from->key);
    copy.command = text_copy(arena, from->command);
    copy.body = text_copy(arena, from->body);
    *to = copy;
}
