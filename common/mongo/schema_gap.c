/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. schema_gap_find() makes three reads: listCollections for the validator, listIndexes, and
 * a find for the sentinel. Of an index it compares what schema.c says, and that it has no more of
 * the options which schema.c uses: so an index that is unique by mistake differs, too. An index
 * with the same key but another name counts as missing, since the server then refuses ours.
 *
 * The reads are no snapshot. If somebody changes the collection meanwhile, the result may be one
 * that never was; the next look is right.
 *
 * Not here: creating what is missing (prepare.c), and what a gap means for the worker (repair.c).
 */
#include "common/mongo/schema_gap.h"

#include <stdio.h>
#include <string.h>

#include "common/mongo/document.h"
#include "common/mongo/schema.h"
#include "common/mongo/sentinel.h"

/* --- the collection and its validator --------------------------------------------------------- */

struct sighting {
    const bson_t *validator; /* that of schema.c; borrowed */
    const char *level;       /* of validation */
    struct schema_gap *gap;
};

static bool has_option(const bson_t *document, const char *path, const char *value)
{
    bson_iter_t iter, found;
    return bson_iter_init(&iter, document) && bson_iter_find_descendant(&iter, path, &found) &&
           BSON_ITER_HOLDS_UTF8(&found) && strcmp(bson_iter_utf8(&found, NULL), value) == 0;
}

static bool has_validator(const bson_t *document, const bson_t *validator)
{
    bson_iter_t iter, found;
    bson_t stored;
    return bson_iter_init(&iter, document) &&
           bson_iter_find_descendant(&iter, "options.validator", &found) &&
           document_view(&found, &stored) && bson_equal(&stored, validator);
}

static enum store_status collection_row(void *context, const bson_t *document, struct error *error)
{
    const struct sighting *sighting = context;
    (void)error;
    sighting->gap->collection = false;
    sighting->gap->validation =
        !has_validator(document, sighting->validator) ||
        !has_option(document, "options.validationLevel", sighting->level) ||
        !has_option(document, "options.validationAction", SCHEMA_VALIDATION_ACTION);
    return STORE_OK;
}

static enum store_status look_at_collection(struct mongo_store *store,
                                            enum mongo_collection collection,
                                            struct schema_gap *gap, struct error *error)
{
    bson_t options = BSON_INITIALIZER, filter;
    bson_t *validator = document_from_json(schema_validator(collection));
    struct sighting sighting = {validator, schema_validation_level(collection), gap};
    bson_append_document_begin(&options, "filter", -1, &filter);
    BSON_APPEND_UTF8(&filter, "name", mongo_collection_name(collection));
    bson_append_document_end(&options, &filter);
    mongoc_cursor_t *cursor = mongoc_database_find_collections_with_opts(store->database, &options);
    enum store_status status =
        mongo_each_row(store, PHASE_PREPARE, cursor, collection_row, &sighting, error);
    bson_destroy(validator);
    bson_destroy(&options);
    return status;
}

/* --- indexes ---------------------------------------------------------------------------------- */

/* Returns whether an option of an index is true; without it, it is not. */
static bool is_set(const bson_t *index, const char *name)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, index, name) && bson_iter_as_bool(&iter);
}

/* Returns whether both have the same value for an option of indexes, or none. Numbers may have any
   type. */
static bool same_option(const bson_t *one, const bson_t *other, const char *name)
{
    bson_iter_t a, b;
    bson_t x, y;
    bool has_a = bson_iter_init_find(&a, one, name), has_b = bson_iter_init_find(&b, other, name);
    if (!has_a || !has_b)
        return has_a == has_b;
    if (document_view(&a, &x) && document_view(&b, &y))
        return bson_equal(&x, &y);
    return bson_iter_as_int64(&a) == bson_iter_as_int64(&b);
}

static bool same_key(const bson_t *one, const bson_t *other)
{
    bson_iter_t a, b;
    bson_t x, y;
    return bson_iter_init_find(&a, one, "key") && document_view(&a, &x) &&
           bson_iter_init_find(&b, other, "key") && document_view(&b, &y) &&
           schema_same_pattern(&x, &y);
}

static bool same_name(const bson_t *one, const bson_t *other)
{
    bson_iter_t a, b;
    return bson_iter_init_find(&a, one, "name") && BSON_ITER_HOLDS_UTF8(&a) &&
           bson_iter_init_find(&b, other, "name") && BSON_ITER_HOLDS_UTF8(&b) &&
           strcmp(bson_iter_utf8(&a, NULL), bson_iter_utf8(&b, NULL)) == 0;
}

static bool same_index(const bson_t *one, const bson_t *other)
{
    return same_name(one, other) && same_key(one, other) &&
           is_set(one, "unique") == is_set(other, "unique") &&
           same_option(one, other, "expireAfterSeconds") &&
           same_option(one, other, "partialFilterExpression");
}

/* What is looked for: the indexes of schema.c, and which of them were not found yet. */
struct search {
    bson_t *indexes;
    uint32_t missing;
};

static enum store_status index_row(void *context, const bson_t *document, struct error *error)
{
    struct search *search = context;
    bson_iter_t iter;
    bson_t index;
    (void)error;
    BSON_ASSERT(bson_iter_init(&iter, search->indexes));
    for (unsigned i = 0; bson_iter_next(&iter) && document_view(&iter, &index); i++) {
        if (same_index(&index, document))
            search->missing &= ~(1U << i);
    }
    return STORE_OK;
}

static bool any_is_unique(const bson_t *indexes, uint32_t which)
{
    bson_iter_t iter, option;
    bson_t index;
    bool unique = false;
    BSON_ASSERT(bson_iter_init(&iter, indexes));
    for (unsigned i = 0; bson_iter_next(&iter) && document_view(&iter, &index); i++)
        unique |= (which & (1U << i)) != 0 && bson_iter_init_find(&option, &index, "unique");
    return unique;
}

/* Also to be called for a collection that does not exist: then all are missing. */
static enum store_status look_at_indexes(struct mongo_store *store,
                                         enum mongo_collection collection, struct schema_gap *gap,
                                         struct error *error)
{
    const char *json = schema_indexes(collection);
    if (json == NULL)
        return STORE_OK;
    struct search search = {.indexes = document_from_json(json)};
    search.missing = (1U << bson_count_keys(search.indexes)) - 1;
    enum store_status status = STORE_OK;
    if (!gap->collection)
        status = mongo_each_row(
            store, PHASE_PREPARE,
            mongoc_collection_find_indexes_with_opts(store->collections[collection], NULL),
            index_row, &search, error);
    gap->indexes = search.missing;
    gap->unique = any_is_unique(search.indexes, search.missing);
    bson_destroy(search.indexes);
    return status;
}

/* --- all of them ------------------------------------------------------------------------------ */

enum store_status schema_gap_find(struct mongo_store *store, enum mongo_collection collection,
                                  struct schema_gap *ret_gap, struct error *error)
{
    bool found = false;
    *ret_gap = (struct schema_gap){.collection = true, .validation = true, .sentinel = true};
    enum store_status status = look_at_collection(store, collection, ret_gap, error);
    if (status == STORE_OK)
        status = look_at_indexes(store, collection, ret_gap, error);
    if (status == STORE_OK && !ret_gap->collection)
        status = sentinel_look(store, collection, NULL, &found, error);
    ret_gap->sentinel = !found;
    return status;
}

bool schema_gap_is_none(const struct schema_gap *gap)
{
    return !gap->collection && !gap->validation && gap->indexes == 0 && !gap->sentinel;
}

static void add(struct error *list, const char *format, ...) ALLOT_PRINTF(2, 3);

static void add(struct error *list, const char *format, ...)
{
    size_t used = strlen(list->text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(list->text + used, sizeof list->text - used, format, arguments);
    va_end(arguments);
}

/* Adds the missing indexes, each with `before` in front. */
static void add_indexes(const struct schema_gap *gap, enum mongo_collection collection,
                        struct error *list)
{
    bson_iter_t iter, name;
    bson_t index;
    if (gap->indexes == 0)
        return;
    bson_t *indexes = document_from_json(schema_indexes(collection));
    BSON_ASSERT(bson_iter_init(&iter, indexes));
    for (unsigned i = 0; bson_iter_next(&iter) && document_view(&iter, &index); i++) {
        if ((gap->indexes & (1U << i)) != 0 && bson_iter_init_find(&name, &index, "name"))
            add(list, "index '%s', ", bson_iter_utf8(&name, NULL));
    }
    bson_destroy(indexes);
}

void schema_gap_add_names(const struct schema_gap *gap, enum mongo_collection collection,
                          struct error *list)
{
    if (schema_gap_is_none(gap))
        return;
    add(list, "%s%s: ", list->text[0] == '\0' ? "" : "; ", mongo_collection_name(collection));
    if (gap->collection) {
        add(list, "the collection");
        return;
    }
    if (gap->validation)
        add(list, "validator, ");
    add_indexes(gap, collection, list);
    if (gap->sentinel)
        add(list, "sentinel, ");
    size_t length = strlen(list->text);
    if (length + 1 < sizeof list->text) /* not truncated: it ends with ", " */
        list->text[length - 2] = '\0';
}
