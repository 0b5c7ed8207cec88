/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/memory_document.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64, VERSION_BYTES = 256 };

void *memory_alloc(size_t bytes)
{
    void *place = calloc(1, bytes);
    if (place == NULL)
        abort();
    return place;
}

struct text memory_uuid_key(const struct uuid *id)
{
    return text_view((const char *)id->bytes, UUID_BYTES);
}

char *memory_command_key(struct text principal, struct text key, struct text *ret_key)
{
    size_t length = principal.length + 1 + key.length; /* a NUL is in neither */
    char *bytes = memory_alloc(length);
    memcpy(bytes, principal.bytes, principal.length);
    memcpy(bytes + principal.length + 1, key.bytes, key.length);
    *ret_key = text_view(bytes, length);
    return bytes;
}

/* --- tables --- */

/* The first index whose key is not before `key`. */
static size_t place_of(const struct memory_table *table, struct text key)
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

static bool is_at(const struct memory_table *table, size_t place, struct text key)
{
    return place < table->count && text_equal(table->items[place]->key, key);
}

struct memory_document *memory_find(const struct memory_database *database, enum memory_kind kind,
                                    struct text key)
{
    const struct memory_table *table = &database->tables[kind];
    size_t place = place_of(table, key);
    return is_at(table, place, key) ? table->items[place] : NULL;
}

static void make_room(struct memory_table *table)
{
    if (table->count < table->capacity)
        return;
    table->capacity = table->capacity > 0 ? table->capacity * 2 : FIRST_CAPACITY;
    table->items = realloc(table->items, table->capacity * sizeof(struct memory_document *));
    if (table->items == NULL)
        abort();
}

struct memory_document *memory_find_or_add(struct memory_database *database, enum memory_kind kind,
                                           struct text key)
{
    struct memory_table *table = &database->tables[kind];
    size_t place = place_of(table, key);
    if (is_at(table, place, key))
        return table->items[place];
    make_room(table);
    struct memory_document *document = memory_alloc(sizeof *document);
    char *bytes = memory_alloc(key.length + 1);
    memcpy(bytes, key.bytes, key.length);
    document->key = text_view(bytes, key.length);
    memmove(&table->items[place + 1], &table->items[place],
            (table->count - place) * sizeof(struct memory_document *));
    table->items[place] = document;
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
    struct memory_version *version = memory_alloc(sizeof *version);
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
