/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each function is one write of all its letters, with the conditions in the filters: the
 * server checks them under the lock of each document. So two people who do the same, and a worker
 * that dead-letters the command again, cannot undo each other's change unseen.
 *
 * An update is put together in a struct desk_update: filter, $set, $unset and $push. Changes that
 * differ from letter to letter are one bulk operation.
 *
 * Not here: which change follows from what (ctl/desk). Times are the database's, as far as a store
 * knows them (database_clock.c).
 */
#include "common/mongo/letters_desk.h"

#include "common/mongo/document.h"
#include "common/mongo/letter_document.h"
#include "common/mongo/list.h"
#include "common/mongo/session.h"

/* --- one update of many letters ------------------------------------------------------------- */

/* An update that is put together. */
struct desk_update {
    bson_t filter;
    bson_t set;
    bson_t unset;
    bson_t push;
};

static void init_update(struct desk_update *update)
{
    bson_init(&update->filter);
    bson_init(&update->set);
    bson_init(&update->unset);
    bson_init(&update->push);
}

static void begin_update(struct desk_update *update, const struct text *ids, size_t count)
{
    struct list list;
    init_update(update);
    list_begin_in(&list, &update->filter, "_id");
    for (size_t i = 0; i < count; i++)
        list_add_text(&list, ids[i]);
    list_end_in(&list, &update->filter);
}

static void end_update(struct desk_update *update)
{
    bson_destroy(&update->push);
    bson_destroy(&update->unset);
    bson_destroy(&update->set);
    bson_destroy(&update->filter);
}

static int64_t count_in(const bson_t *reply, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, reply, key) ? bson_iter_as_int64(&iter) : 0;
}

static void append_operators(bson_t *operators, const struct desk_update *update)
{
    BSON_APPEND_DOCUMENT(operators, "$set", &update->set);
    if (!bson_empty(&update->unset))
        BSON_APPEND_DOCUMENT(operators, "$unset", &update->unset);
    if (!bson_empty(&update->push))
        BSON_APPEND_DOCUMENT(operators, "$push", &update->push);
}

static enum store_status run_update(struct mongo_store *store, const struct desk_update *update,
                                    size_t *ret_changed, struct error *error)
{
    bson_t operators = BSON_INITIALIZER, reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    append_operators(&operators, update);
    if (!mongoc_collection_update_many(store->collections[MONGO_LETTERS], &update->filter,
                                       &operators, NULL, &reply, &cause))
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    if (ret_changed != NULL)
        *ret_changed = (size_t)count_in(&reply, "matchedCount");
    bson_destroy(&reply);
    bson_destroy(&operators);
    return status;
}

static void append_note(struct mongo_store *store, struct desk_update *update,
                        const struct letter_note *note)
{
    struct letter_event event = {.at_ms = mongo_now_ms(&store->base),
                                 .action = note->action,
                                 .by = note->by,
                                 .note = note->note,
                                 .key = note->key};
    letter_append_action(&update->push, &event);
}

static void require_state(struct desk_update *update, enum letter_state state)
{
    BSON_APPEND_UTF8(&update->filter, "state", letter_state_name(state));
}

static void set_state(struct desk_update *update, enum letter_state state)
{
    BSON_APPEND_UTF8(&update->set, "state", letter_state_name(state));
}

static void require_phase(struct desk_update *update, struct text run, enum letter_phase phase)
{
    document_append_text(&update->filter, "replay.run", run);
    BSON_APPEND_UTF8(&update->filter, "replay.phase", letter_phase_name(phase));
}

static void set_phase(struct mongo_store *store, struct desk_update *update,
                      enum letter_phase phase)
{
    BSON_APPEND_UTF8(&update->set, "replay.phase", letter_phase_name(phase));
    BSON_APPEND_DATE_TIME(&update->set, "replay.at", mongo_now_ms(&store->base));
}

/* --- the state ------------------------------------------------------------------------------ */

static void require_states(struct desk_update *update, const bool *states)
{
    struct list list;
    list_begin_in(&list, &update->filter, "state");
    for (size_t i = 0; i <= LETTER_DISCARDED; i++) {
        if (states[i])
            list_add_word(&list, letter_state_name((enum letter_state)i));
    }
    list_end_in(&list, &update->filter);
}

/* 0: at any time. */
static void require_last_at(struct desk_update *update, int64_t last_at_ms)
{
    bson_t range;
    if (last_at_ms == 0)
        return;
    bson_append_document_begin(&update->filter, "last_at", -1, &range);
    BSON_APPEND_DATE_TIME(&range, "$lte", last_at_ms);
    bson_append_document_end(&update->filter, &range);
}

enum store_status mongo_letters_close(struct store *base, const struct letter_set *set,
                                      enum letter_state state, const struct letter_note *note,
                                      size_t *ret_changed, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct desk_update update;
    *ret_changed = 0;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK || set->count == 0)
        return status;
    begin_update(&update, set->ids, set->count);
    require_states(&update, set->states);
    require_last_at(&update, set->last_at_ms);
    set_state(&update, state);
    append_note(store, &update, note);
    status = run_update(store, &update, ret_changed, error);
    end_update(&update);
    return status;
}

/* --- many updates in one write -------------------------------------------------------------- */

/* Adds the operation with this index to a bulk. Returns false, with the cause, if it cannot. */
typedef bool (*add_operation)(struct mongo_store *store, mongoc_bulk_operation_t *bulk,
                              const void *items, size_t index, bson_error_t *cause);

/* Executes a bulk. Sets what the server has counted under `counted`, also after a failure. */
static enum store_status execute(struct mongo_store *store, mongoc_bulk_operation_t *bulk,
                                 const char *counted, size_t *ret_count, struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    if (mongoc_bulk_operation_execute(bulk, &reply, &cause) == 0)
        status = mongo_failed(store, PHASE_RUN, &cause, &reply, error);
    *ret_count = (size_t)count_in(&reply, counted);
    bson_destroy(&reply);
    return status;
}

/* What a bulk is made of. */
struct bulk {
    add_operation add;
    const void *items;
    size_t count;
    const char *counted; /* by the server: "nMatched" or "nUpserted" */
};

/* Makes all operations in one write. */
static enum store_status run_bulk(struct mongo_store *store, const struct bulk *bulk,
                                  size_t *ret_count, struct error *error)
{
    bson_error_t cause;
    bool added = true;
    *ret_count = 0;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK || bulk->count == 0)
        return status;
    mongoc_bulk_operation_t *operations =
        mongoc_collection_create_bulk_operation_with_opts(store->collections[MONGO_LETTERS], NULL);
    for (size_t i = 0; added && i < bulk->count; i++)
        added = bulk->add(store, operations, bulk->items, i, &cause);
    status = added ? execute(store, operations, bulk->counted, ret_count, error)
                   : mongo_failed(store, PHASE_RUN, &cause, NULL, error);
    mongoc_bulk_operation_destroy(operations);
    return status;
}

static bool add_change(struct mongo_store *store, mongoc_bulk_operation_t *bulk, const void *items,
                       size_t index, bson_error_t *cause)
{
    const struct letter_change *change = (const struct letter_change *)items + index;
    struct desk_update update;
    bson_t operators = BSON_INITIALIZER;
    init_update(&update);
    document_append_text(&update.filter, "_id", change->id);
    require_states(&update, change->from);
    require_last_at(&update, change->last_at_ms);
    set_state(&update, change->to);
    append_note(store, &update, &change->note);
    append_operators(&operators, &update);
    bool added =
        mongoc_bulk_operation_update_one_with_opts(bulk, &update.filter, &operators, NULL, cause);
    bson_destroy(&operators);
    end_update(&update);
    return added;
}

enum store_status mongo_letters_change(struct store *base, const struct letter_change *changes,
                                       size_t count, size_t *ret_changed, struct error *error)
{
    const struct bulk bulk = {add_change, changes, count, "nMatched"};
    return run_bulk((struct mongo_store *)base, &bulk, ret_changed, error);
}

/* --- replays -------------------------------------------------------------------------------- */

/* Letters that get their places in a run. */
struct places {
    const struct letter_replay *first;
    const struct text *ids;
};

/* Adds one update that gives an open letter its place in the run. */
static bool add_place(struct mongo_store *store, mongoc_bulk_operation_t *bulk, const void *items,
                      size_t index, bson_error_t *cause)
{
    const struct places *places = items;
    const struct letter_replay *replay = places->first;
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER, set, part;
    document_append_text(&selector, "_id", places->ids[index]);
    BSON_APPEND_UTF8(&selector, "state", letter_state_name(LETTER_OPEN));
    bson_append_document_begin(&update, "$set", -1, &set);
    bson_append_document_begin(&set, "replay", -1, &part);
    document_append_text(&part, "run", replay->run);
    BSON_APPEND_INT64(&part, "place", replay->place + (int64_t)index);
    BSON_APPEND_UTF8(&part, "phase", letter_phase_name(LETTER_PHASE_SELECTED));
    BSON_APPEND_DATE_TIME(&part, "at", mongo_now_ms(&store->base));
    letter_append_text(&part, "by", replay->by);
    bson_append_document_end(&set, &part);
    bson_append_document_end(&update, &set);
    bool added = mongoc_bulk_operation_update_one_with_opts(bulk, &selector, &update, NULL, cause);
    bson_destroy(&update);
    bson_destroy(&selector);
    return added;
}

enum store_status mongo_letters_select(struct store *base, const struct letter_replay *first,
                                       const struct text *ids, size_t count, size_t *ret_changed,
                                       struct error *error)
{
    const struct places places = {first, ids};
    const struct bulk bulk = {add_place, &places, count, "nMatched"};
    return run_bulk((struct mongo_store *)base, &bulk, ret_changed, error);
}

/* An absent text asks for a letter that does not have the field. */
static void require_text(struct desk_update *update, const char *key, struct text value)
{
    bson_t absent;
    if (text_present(value)) {
        document_append_text(&update->filter, key, value);
        return;
    }
    bson_append_document_begin(&update->filter, key, -1, &absent);
    BSON_APPEND_BOOL(&absent, "$exists", false);
    bson_append_document_end(&update->filter, &absent);
}

enum store_status mongo_letter_set_key(struct store *base, struct text id, struct text old_key,
                                       struct text new_key, bool *ret_changed, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct desk_update update;
    size_t changed = 0;
    *ret_changed = false;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK)
        return status;
    begin_update(&update, &id, 1);
    require_state(&update, LETTER_OPEN);
    require_text(&update, "new_key", old_key);
    document_append_text(&update.set, "new_key", new_key);
    BSON_APPEND_DATE_TIME(&update.set, "new_key_at", mongo_now_ms(base));
    status = run_update(store, &update, &changed, error);
    end_update(&update);
    *ret_changed = changed == 1;
    return status;
}

/* Appends {$or: [{state: open}, {edited_key: key, "replay.phase": sending}]}. */
static void require_editable(struct desk_update *update, struct text key)
{
    struct list list;
    bson_t part;
    list_begin(&list, &update->filter, "$or");
    bson_append_document_begin(&list.array, list_next(&list), -1, &part);
    BSON_APPEND_UTF8(&part, "state", letter_state_name(LETTER_OPEN));
    bson_append_document_end(&list.array, &part);
    bson_append_document_begin(&list.array, list_next(&list), -1, &part);
    document_append_text(&part, "edited_key", key);
    BSON_APPEND_UTF8(&part, "replay.phase", letter_phase_name(LETTER_PHASE_SENDING));
    bson_append_document_end(&list.array, &part);
    list_end(&list, &update->filter);
}

enum store_status mongo_letter_set_edited(struct store *base, struct text id, struct text run,
                                          struct text edited_to, const struct letter_note *note,
                                          bool *ret_changed, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct desk_update update;
    size_t changed = 0;
    *ret_changed = false;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK)
        return status;
    begin_update(&update, &id, 1);
    require_editable(&update, note->key);
    set_state(&update, LETTER_REPLAYED);
    set_phase(store, &update, LETTER_PHASE_SENDING);
    document_append_text(&update.set, "replay.run", run);
    BSON_APPEND_INT64(&update.set, "replay.place", 0);
    letter_append_text(&update.set, "replay.by", note->by);
    document_append_text(&update.set, "edited_key", note->key);
    document_append_text(&update.set, "edited_to", edited_to);
    append_note(store, &update, note);
    status = run_update(store, &update, &changed, error);
    end_update(&update);
    *ret_changed = changed == 1;
    return status;
}

enum store_status mongo_letters_begin_send(struct store *base, struct text run,
                                           const struct text *ids, size_t count,
                                           const struct letter_note *note, size_t *ret_changed,
                                           struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct desk_update update;
    *ret_changed = 0;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK || count == 0)
        return status;
    begin_update(&update, ids, count);
    require_state(&update, LETTER_OPEN);
    require_phase(&update, run, LETTER_PHASE_SELECTED);
    set_state(&update, LETTER_REPLAYED);
    set_phase(store, &update, LETTER_PHASE_SENDING);
    BSON_APPEND_UTF8(&update.unset, "edited_key", "");
    BSON_APPEND_UTF8(&update.unset, "edited_to", "");
    append_note(store, &update, note);
    status = run_update(store, &update, ret_changed, error);
    end_update(&update);
    return status;
}

enum store_status mongo_letters_end_send(struct store *base, struct text run,
                                         const struct text *ids, size_t count, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct desk_update update;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    if (status != STORE_OK || count == 0)
        return status;
    begin_update(&update, ids, count);
    require_phase(&update, run, LETTER_PHASE_SENDING);
    set_phase(store, &update, LETTER_PHASE_SENT);
    status = run_update(store, &update, NULL, error);
    end_update(&update);
    return status;
}

/* --- import --------------------------------------------------------------------------------- */

static bool add_insert(struct mongo_store *store, mongoc_bulk_operation_t *bulk, const void *items,
                       size_t index, bson_error_t *cause)
{
    const struct letter_record *record = (const struct letter_record *)items + index;
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER, options = BSON_INITIALIZER, part;
    document_append_text(&selector, "_id", record->letter.id);
    bson_append_document_begin(&update, "$setOnInsert", -1, &part);
    letter_append_record(&part, record, mongo_now_ms(&store->base),
                         store->pool->letters_retention_ms);
    bson_append_document_end(&update, &part);
    BSON_APPEND_BOOL(&options, "upsert", true);
    bool added =
        mongoc_bulk_operation_update_one_with_opts(bulk, &selector, &update, &options, cause);
    bson_destroy(&options);
    bson_destroy(&update);
    bson_destroy(&selector);
    return added;
}

enum store_status mongo_letters_insert(struct store *base, const struct letter_record *records,
                                       size_t count, size_t *ret_inserted, struct error *error)
{
    const struct bulk bulk = {add_insert, records, count, "nUpserted"};
    return run_bulk((struct mongo_store *)base, &bulk, ret_inserted, error);
}
