/* SPDX-License-Identifier: Apache-2.0 */
/* One find by _id for each KEYS_PER_FIND keys, with the pool's read concern (majority). */
#include "common/mongo/outcomes_read.h"

#include <string.h>

#include "common/base/utf8.h"
#include "common/mongo/document.h"
#include "common/mongo/list.h"
#include "common/mongo/session.h"

enum { KEYS_PER_FIND = 1000 };

struct outcome_search {
    const struct attempt_key *keys;
    size_t count;
    struct arena *arena;
    struct outcome_record *outcomes;
};

static bool read_time(const bson_t *document, const char *key, int64_t *ret_ms)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, document, key) || !BSON_ITER_HOLDS_DATE_TIME(&iter))
        return false;
    *ret_ms = bson_iter_date_time(&iter);
    return true;
}

static bool read_outcome(const bson_t *document, struct arena *arena, struct outcome *ret_outcome,
                         struct outcome_record *ret_record)
{
    if (!document_read_outcome_id(document, &ret_outcome->principal, &ret_outcome->key) ||
        !document_read_outcome(document, arena, ret_outcome))
        return false;
    *ret_record = (struct outcome_record){.exists = true,
                                          .fingerprint = ret_outcome->fingerprint,
                                          .code = text_of(verdict_name(ret_outcome->code)),
                                          .command = ret_outcome->command,
                                          .body = ret_outcome->body,
                                          .at_ms = ret_outcome->recorded_at_ms};
    return read_time(document, "expires_at", &ret_record->expires_at_ms);
}

static enum store_status outcome_row(void *context, const bson_t *document, struct error *error)
{
    struct outcome_search *search = context;
    struct outcome outcome = {0};
    struct outcome_record record;
    if (!read_outcome(document, search->arena, &outcome, &record))
        return mongo_malformed(MONGO_OUTCOMES, document, error);
    for (size_t i = 0; i < search->count; i++) {
        if (text_equal(search->keys[i].principal, outcome.principal) &&
            text_equal(search->keys[i].key, outcome.key))
            search->outcomes[i] = record;
    }
    return STORE_OK;
}

static bool is_key(const struct attempt_key *key)
{
    return text_present(key->principal) && text_present(key->key) && utf8_valid(key->principal) &&
           utf8_valid(key->key);
}

static size_t append_keys(bson_t *filter, const struct attempt_key *keys, size_t count)
{
    struct list list;
    size_t appended = 0;
    list_begin_in(&list, filter, "_id");
    for (size_t i = 0; i < count; i++) {
        bson_t holder = BSON_INITIALIZER;
        bson_iter_t id;
        if (is_key(&keys[i])) {
            document_command_id(&holder, keys[i].principal, keys[i].key);
            appended += bson_iter_init_find(&id, &holder, "_id") &&
                        bson_append_iter(&list.array, list_next(&list), -1, &id);
        }
        bson_destroy(&holder);
    }
    list_end_in(&list, filter);
    return appended;
}

static enum store_status find_block(struct mongo_store *store, struct outcome_search *search,
                                    struct error *error)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    enum store_status status = STORE_OK;
    if (append_keys(&filter, search->keys, search->count) > 0) {
        BSON_APPEND_INT64(&options, "maxTimeMS", store->pool->server_time_ms);
        mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(
            store->collections[MONGO_OUTCOMES], &filter, &options, NULL);
        status = mongo_each_row(store, PHASE_RUN, cursor, outcome_row, search, error);
    }
    bson_destroy(&options);
    bson_destroy(&filter);
    return status;
}

enum store_status mongo_outcomes_find(struct store *base, const struct attempt_key *keys,
                                      size_t count, struct arena *arena,
                                      struct outcome_record *ret_outcomes, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    enum store_status status = STORE_OK;
    for (size_t i = 0; i < count; i++)
        ret_outcomes[i] = (struct outcome_record){0};
    for (size_t i = 0; status == STORE_OK && i < count; i += KEYS_PER_FIND) {
        size_t block = count - i < KEYS_PER_FIND ? count - i : KEYS_PER_FIND;
        struct outcome_search search = {keys + i, block, arena, ret_outcomes + i};
        status = find_block(store, &search, error);
    }
    return status;
}
