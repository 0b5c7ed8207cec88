/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. mongo_load() adds one query for each collection whose documents are known by key:
 * outcomes, consumers and providers. It adds the queries of reads.c, and runs all queries as one
 * command (queries.c). Each kind of document has a section: the filter over the slots that are not
 * loaded, and the function that fills a slot from a row. One query finds providers both by id and
 * by name.
 *
 * The first load of a transaction also asks for the sentinel of each of these collections.
 *
 * Guarantees. No slot becomes `loaded` before the command has ended without an error. A slot that
 * gets no row is a document that does not exist. Slots that were loaded before keep their content.
 * Mappings stay on the server unless they are wanted: with them, the consumers of a batch can
 * exceed what one query may return.
 *
 * Rejected: a find for each collection. In one transaction they run one after the other, each with
 * a round trip of its own.
 *
 * Not here: which documents are wanted (the planner decides it), and lists that are not known by
 * key (reads.c).
 */
#include "common/base/array.h"
#include "common/mongo/document.h"
#include "common/mongo/list.h"
#include "common/mongo/reads.h"
#include "common/mongo/schema.h"
#include "common/mongo/sentinel.h"

enum { COLLECTIONS = 3 }; /* whose documents are known by key */

/* --- sentinels ------------------------------------------------------------------------------ */

struct loading {
    struct snapshot *snapshot;
    bool wants_sentinels;              /* it is the first load of the transaction */
    bool seen[MONGO_COLLECTION_COUNT]; /* the sentinel of the collection */
};

/* Begins a list of ids; the sentinel's is the first of them if it is wanted. */
static void begin_ids(struct list *list, bson_t *filter, const struct loading *loading)
{
    list_begin_in(list, filter, "_id");
    if (loading->wants_sentinels)
        list_add_word(list, SCHEMA_SENTINEL);
}

/* Returns whether the row is the sentinel, and notes it. */
static bool is_sentinel(struct loading *loading, enum mongo_collection collection,
                        const bson_t *document)
{
    bool is = loading->wants_sentinels && sentinel_is(document);
    loading->seen[collection] |= is;
    return is;
}

static enum store_status check_sentinels(const struct loading *loading, struct error *error)
{
    static const enum mongo_collection loaded[COLLECTIONS] = {MONGO_OUTCOMES, MONGO_CONSUMERS,
                                                              MONGO_PROVIDERS};
    for (size_t i = 0; loading->wants_sentinels && i < COLLECTIONS; i++) {
        if (!loading->seen[loaded[i]])
            return sentinel_missing(loaded[i], error);
    }
    return STORE_OK;
}

/* Returns the query's pipeline, to which stages may be added. */
static bson_t *add_query(struct queries *queries, enum mongo_collection from, const bson_t *filter,
                         mongo_row row, struct loading *loading)
{
    bson_t *pipeline = bson_new();
    pipeline_append(pipeline, "$match", filter);
    queries_add(queries, (struct query){from, pipeline, row, loading});
    return pipeline;
}

/* --- providers and names -------------------------------------------------------------------- */

static int compare_id(const void *key, const void *slot)
{
    /* `id` is the first member of a provider. */
    return uuid_compare(*(const struct uuid *)key, *(const struct uuid *)slot);
}

/* Returns NULL if the provider was found by its name only, or if its slot is loaded. */
static struct provider *wanted_provider(const struct snapshot *snapshot, struct uuid id)
{
    struct provider *slot = array_find(&id, snapshot->providers, snapshot->provider_count,
                                       sizeof *snapshot->providers, compare_id);
    return slot != NULL && !slot->state.loaded ? slot : NULL;
}

static void set_name_taken(struct snapshot *snapshot, struct text name, struct uuid holder)
{
    for (size_t i = 0; i < snapshot->name_count; i++) {
        struct name_slot *slot = &snapshot->names[i];
        if (slot->loaded || !text_equal(slot->name, name))
            continue;
        slot->taken = true;
        slot->holder = holder;
    }
}

static enum store_status provider_row(void *context, const bson_t *document, struct error *error)
{
    struct loading *loading = context;
    struct snapshot *snapshot = loading->snapshot;
    struct uuid id;
    struct text name;
    if (is_sentinel(loading, MONGO_PROVIDERS, document))
        return STORE_OK;
    if (!document_read_id(document, &id) || !document_read_name(document, &name))
        return mongo_malformed(MONGO_PROVIDERS, document, error);
    set_name_taken(snapshot, name, id);
    struct provider *slot = wanted_provider(snapshot, id);
    if (slot == NULL)
        return STORE_OK;
    if (!document_read_provider(document, snapshot->arena, slot))
        return mongo_malformed(MONGO_PROVIDERS, document, error);
    slot->state.stored = slot->state.exists = true;
    return STORE_OK;
}

static size_t append_provider_ids(bson_t *filter, const struct loading *loading)
{
    struct snapshot *snapshot = loading->snapshot;
    struct list list;
    begin_ids(&list, filter, loading);
    for (size_t i = 0; i < snapshot->provider_count; i++) {
        struct provider *slot = &snapshot->providers[i];
        if (slot->state.loaded)
            continue;
        slot->state = (struct slot_state){0};
        list_add_uuid(&list, slot->id);
    }
    list_end_in(&list, filter);
    return list.count;
}

static size_t append_names(bson_t *filter, struct snapshot *snapshot)
{
    struct list list;
    list_begin_in(&list, filter, "name");
    for (size_t i = 0; i < snapshot->name_count; i++) {
        struct name_slot *slot = &snapshot->names[i];
        if (slot->loaded)
            continue;
        slot->taken = false;
        list_add_text(&list, slot->name);
    }
    list_end_in(&list, filter);
    return list.count;
}

static void append_either(bson_t *filter, const bson_t *first, const bson_t *second)
{
    struct list either;
    list_begin(&either, filter, "$or");
    list_add_document(&either, first);
    list_add_document(&either, second);
    list_end(&either, filter);
}

static void add_provider_query(struct queries *queries, struct loading *loading)
{
    bson_t by_id = BSON_INITIALIZER, by_name = BSON_INITIALIZER, either = BSON_INITIALIZER;
    size_t ids = append_provider_ids(&by_id, loading);
    size_t names = append_names(&by_name, loading->snapshot);
    const bson_t *filter = names == 0 ? &by_id : &by_name;
    if (ids > 0 && names > 0) {
        append_either(&either, &by_id, &by_name);
        filter = &either;
    }
    if (ids + names > 0)
        (void)add_query(queries, MONGO_PROVIDERS, filter, provider_row, loading);
    bson_destroy(&either);
    bson_destroy(&by_name);
    bson_destroy(&by_id);
}

/* --- consumers ------------------------------------------------------------------------------ */

static enum store_status consumer_row(void *context, const bson_t *document, struct error *error)
{
    struct loading *loading = context;
    struct snapshot *snapshot = loading->snapshot;
    struct uuid id;
    if (is_sentinel(loading, MONGO_CONSUMERS, document))
        return STORE_OK;
    if (!document_read_id(document, &id))
        return mongo_malformed(MONGO_CONSUMERS, document, error);
    struct consumer *slot = snapshot_consumer(snapshot, id);
    if (!document_read_consumer(document, snapshot->arena, slot))
        return mongo_malformed(MONGO_CONSUMERS, document, error);
    slot->mappings_unloaded = !snapshot->mappings_wanted;
    slot->state.stored = slot->state.exists = true;
    return STORE_OK;
}

static size_t append_consumer_ids(bson_t *filter, const struct loading *loading)
{
    struct snapshot *snapshot = loading->snapshot;
    struct list list;
    begin_ids(&list, filter, loading);
    for (size_t i = 0; i < snapshot->consumer_count; i++) {
        struct consumer *slot = &snapshot->consumers[i];
        if (slot->state.loaded)
            continue;
        slot->state = (struct slot_state){0};
        list_add_uuid(&list, slot->id);
    }
    list_end_in(&list, filter);
    return list.count;
}

/* The stage names what is loaded: with {mappings: 0} the server would still count the bytes of
   whole documents towards its limit for one query. */
static void append_without_mappings(bson_t *pipeline)
{
    pipeline_append_json(pipeline,
                         "[{\"$project\": {\"project_id\": 1, \"user_id\": 1, "
                         "\"consumer_type\": 1, \"generation\": 1, \"allocations\": 1}}]");
}

static void add_consumer_query(struct queries *queries, struct loading *loading)
{
    bson_t filter = BSON_INITIALIZER;
    if (append_consumer_ids(&filter, loading) > 0) {
        bson_t *pipeline = add_query(queries, MONGO_CONSUMERS, &filter, consumer_row, loading);
        if (!loading->snapshot->mappings_wanted)
            append_without_mappings(pipeline);
    }
    bson_destroy(&filter);
}

/* --- outcomes ------------------------------------------------------------------------------- */

static enum store_status outcome_row(void *context, const bson_t *document, struct error *error)
{
    struct loading *loading = context;
    struct snapshot *snapshot = loading->snapshot;
    struct text principal, key;
    if (is_sentinel(loading, MONGO_OUTCOMES, document))
        return STORE_OK;
    if (!document_read_outcome_id(document, &principal, &key))
        return mongo_malformed(MONGO_OUTCOMES, document, error);
    struct outcome *slot = snapshot_outcome(snapshot, principal, key);
    if (!document_read_outcome(document, snapshot->arena, slot))
        return mongo_malformed(MONGO_OUTCOMES, document, error);
    slot->state.stored = slot->state.exists = true;
    return STORE_OK;
}

static void append_outcome_id(struct list *list, const struct outcome *slot)
{
    bson_t id;
    bson_append_document_begin(&list->array, list_next(list), -1, &id);
    document_append_text(&id, "principal", slot->principal);
    document_append_text(&id, "key", slot->key);
    bson_append_document_end(&list->array, &id);
}

static size_t append_outcome_ids(bson_t *filter, const struct loading *loading)
{
    struct snapshot *snapshot = loading->snapshot;
    struct list list;
    begin_ids(&list, filter, loading);
    for (size_t i = 0; i < snapshot->outcome_count; i++) {
        struct outcome *slot = &snapshot->outcomes[i];
        if (slot->state.loaded)
            continue;
        slot->state = (struct slot_state){0};
        append_outcome_id(&list, slot);
    }
    list_end_in(&list, filter);
    return list.count;
}

static void add_outcome_query(struct queries *queries, struct loading *loading)
{
    bson_t filter = BSON_INITIALIZER;
    if (append_outcome_ids(&filter, loading) > 0)
        (void)add_query(queries, MONGO_OUTCOMES, &filter, outcome_row, loading);
    bson_destroy(&filter);
}

/* --- all collections ------------------------------------------------------------------------ */

static void set_loaded(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->outcome_count; i++)
        snapshot->outcomes[i].state.loaded = true;
    for (size_t i = 0; i < snapshot->consumer_count; i++)
        snapshot->consumers[i].state.loaded = true;
    for (size_t i = 0; i < snapshot->provider_count; i++)
        snapshot->providers[i].state.loaded = true;
    for (size_t i = 0; i < snapshot->name_count; i++)
        snapshot->names[i].loaded = true;
}

enum store_status mongo_load(struct store *base, struct snapshot *snapshot, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct loading loading = {.snapshot = snapshot, .wants_sentinels = !store->sentinels_seen};
    struct queries queries = queries_new(snapshot->arena, COLLECTIONS + reads_query_count(snapshot),
                                         snapshot->bytes_max);
    add_outcome_query(&queries, &loading);
    add_consumer_query(&queries, &loading);
    add_provider_query(&queries, &loading);
    struct reads *reads = reads_add_queries(&queries, snapshot);
    enum store_status status = queries_run(store, &queries, error);
    if (status == STORE_OK)
        status = check_sentinels(&loading, error);
    if (status == STORE_OK) {
        store->sentinels_seen = true;
        set_loaded(snapshot);
        reads_finish(reads, snapshot);
    }
    queries_free(&queries);
    return status;
}
