/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the dirty slots: of each collection one run of inserts, one of updates, one of deletes, in
 * order of _id, which the library sends as one command each. The first error ends it: the server
 * has aborted the transaction then.
 */
#include "common/mongo/session.h"

#include <assert.h>
#include <stdio.h>

#include "common/mongo/document.h"

enum { DOCUMENT_BYTES_MAX = 16 * 1024 * 1024 }; /* the server's limit */

struct writing {
    struct mongo_store *store;
    const struct snapshot *snapshot;
    mongoc_bulk_operation_t *bulk;
    int64_t inserts, updates, deletes;
    int64_t now_ms;
};

/* How the slots of one collection become documents. */
struct form {
    enum mongo_collection collection;
    size_t (*count)(const struct snapshot *snapshot);
    struct slot_state (*state)(const struct snapshot *snapshot, size_t index);
    void (*id)(bson_t *document, const struct snapshot *snapshot, size_t index);
    void (*whole)(bson_t *document, const struct writing *writing, size_t index);
    void (*touched)(bson_t *document, const struct writing *writing, size_t index);
    void (*update)(bson_t *update, const struct snapshot *snapshot, size_t index);
};

/* --- the forms --- */

/* What a touched document holds until it is deleted again: as little as the validators let pass. */
static const struct text nothing = {"", 0};

static size_t provider_count(const struct snapshot *snapshot)
{
    return snapshot->provider_count;
}

static struct slot_state provider_state(const struct snapshot *snapshot, size_t index)
{
    return snapshot->providers[index].state;
}

static void provider_id(bson_t *document, const struct snapshot *snapshot, size_t index)
{
    document_provider_id(document, &snapshot->providers[index]);
}

static void whole_provider(bson_t *document, const struct writing *writing, size_t index)
{
    document_provider(document, &writing->snapshot->providers[index]);
}

/* Names are unique; no provider has one with a NUL in it, since no body may hold that. */
static void touched_provider(bson_t *document, const struct writing *writing, size_t index)
{
    struct uuid id = writing->snapshot->providers[index].id;
    struct uuid_text text = uuid_format(id);
    char name[sizeof text.chars + 1] = "";
    (void)snprintf(name + 1, sizeof name - 1, "%s", text.chars);
    struct provider provider = {.id = id, .root = id, .name = text_view(name, sizeof name - 1)};
    document_provider(document, &provider);
}

static void provider_update(bson_t *update, const struct snapshot *snapshot, size_t index)
{
    document_provider_update(update, &snapshot->providers[index]);
}

static size_t consumer_count(const struct snapshot *snapshot)
{
    return snapshot->consumer_count;
}

static struct slot_state consumer_state(const struct snapshot *snapshot, size_t index)
{
    return snapshot->consumers[index].state;
}

static void consumer_id(bson_t *document, const struct snapshot *snapshot, size_t index)
{
    document_consumer_id(document, &snapshot->consumers[index]);
}

static void whole_consumer(bson_t *document, const struct writing *writing, size_t index)
{
    document_consumer(document, &writing->snapshot->consumers[index]);
}

static void touched_consumer(bson_t *document, const struct writing *writing, size_t index)
{
    struct allocation allocation = {.resource_class = {"VCPU", 4}, .amount = 1};
    struct consumer consumer = {
        .id = writing->snapshot->consumers[index].id,
        .project_id = nothing,
        .user_id = nothing,
        .consumer_type = nothing,
        .allocations = &allocation,
        .allocation_count = 1,
    };
    document_consumer(document, &consumer);
}

static void consumer_update(bson_t *update, const struct snapshot *snapshot, size_t index)
{
    document_consumer_update(update, &snapshot->consumers[index]);
}

static size_t outcome_count(const struct snapshot *snapshot)
{
    return snapshot->outcome_count;
}

/* A record is written once: whatever the slot says, it is an insert, so that a record that is there
   already is a conflict and stays. */
static struct slot_state outcome_state(const struct snapshot *snapshot, size_t index)
{
    struct slot_state state = snapshot->outcomes[index].state;
    state.stored = false;
    return state;
}

static void outcome_id(bson_t *document, const struct snapshot *snapshot, size_t index)
{
    const struct outcome *outcome = &snapshot->outcomes[index];
    document_command_id(document, outcome->principal, outcome->key);
}

static void append_outcome(bson_t *document, const struct writing *writing,
                           const struct outcome *outcome)
{
    int64_t expires_ms = writing->now_ms + writing->store->pool->retention_ms;
    document_outcome(document, outcome, writing->now_ms, expires_ms);
}

static void whole_outcome(bson_t *document, const struct writing *writing, size_t index)
{
    assert(text_present(writing->snapshot->outcomes[index].body));
    append_outcome(document, writing, &writing->snapshot->outcomes[index]);
}

static void touched_outcome(bson_t *document, const struct writing *writing, size_t index)
{
    const struct outcome *slot = &writing->snapshot->outcomes[index];
    struct outcome outcome = {.principal = slot->principal, .key = slot->key};
    append_outcome(document, writing, &outcome);
}

/* In order of how often batches meet there, so that the loser of two knows soon. */
static const struct form forms[] = {
    {MONGO_PROVIDERS, provider_count, provider_state, provider_id, whole_provider, touched_provider,
     provider_update},
    {MONGO_CONSUMERS, consumer_count, consumer_state, consumer_id, whole_consumer, touched_consumer,
     consumer_update},
    {MONGO_OUTCOMES, outcome_count, outcome_state, outcome_id, whole_outcome, touched_outcome,
     NULL},
};

/* --- one collection --- */

static enum store_status refuse_document(const bson_t *document, struct error *error)
{
    error_set(error, "mongodb: a document of %u bytes is larger than the server takes",
              document->len);
    return STORE_REFUSED;
}

static enum store_status add(struct writing *writing, const struct form *form, size_t index,
                             struct error *error)
{
    bson_t document = BSON_INITIALIZER;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    if (form->state(writing->snapshot, index).exists)
        form->whole(&document, writing, index);
    else
        form->touched(&document, writing, index);
    if (document.len > DOCUMENT_BYTES_MAX)
        status = refuse_document(&document, error);
    else if (!mongoc_bulk_operation_insert_with_opts(writing->bulk, &document, NULL, &cause))
        status = mongo_failed(writing->store, PHASE_RUN, &cause, NULL, error);
    bson_destroy(&document);
    writing->inserts++;
    return status;
}

static enum store_status change(struct writing *writing, const struct form *form, size_t index,
                                struct error *error)
{
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    form->id(&selector, writing->snapshot, index);
    form->update(&update, writing->snapshot, index);
    if (update.len > DOCUMENT_BYTES_MAX)
        status = refuse_document(&update, error);
    else if (!mongoc_bulk_operation_update_one_with_opts(writing->bulk, &selector, &update, NULL,
                                                         &cause))
        status = mongo_failed(writing->store, PHASE_RUN, &cause, NULL, error);
    bson_destroy(&update);
    bson_destroy(&selector);
    writing->updates++;
    return status;
}

static enum store_status take_away(struct writing *writing, const struct form *form, size_t index,
                                   struct error *error)
{
    bson_t selector = BSON_INITIALIZER;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    form->id(&selector, writing->snapshot, index);
    if (!mongoc_bulk_operation_remove_one_with_opts(writing->bulk, &selector, NULL, &cause))
        status = mongo_failed(writing->store, PHASE_RUN, &cause, NULL, error);
    bson_destroy(&selector);
    writing->deletes++;
    return status;
}

/* The members of a tree whose root changed, though they have no slot. */
static enum store_status change_nodes(struct writing *writing, struct error *error)
{
    const struct snapshot *snapshot = writing->snapshot;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    for (size_t i = 0; status == STORE_OK && i < snapshot->node_count; i++) {
        const struct tree_node *node = &snapshot->nodes[i];
        if (!node->dirty)
            continue;
        bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER;
        document_append_uuid(&selector, "_id", node->id);
        document_node_update(&update, node);
        if (!mongoc_bulk_operation_update_one_with_opts(writing->bulk, &selector, &update, NULL,
                                                        &cause))
            status = mongo_failed(writing->store, PHASE_RUN, &cause, NULL, error);
        bson_destroy(&update);
        bson_destroy(&selector);
        writing->updates++;
    }
    return status;
}

static bool is_inserted(struct slot_state state)
{
    return state.dirty && !state.stored;
}

static bool is_updated(struct slot_state state)
{
    return state.dirty && state.stored && state.exists;
}

static bool is_deleted(struct slot_state state)
{
    return state.dirty && !state.exists;
}

static enum store_status
add_run(struct writing *writing, const struct form *form, bool (*belongs)(struct slot_state),
        enum store_status (*one)(struct writing *, const struct form *, size_t, struct error *),
        struct error *error)
{
    enum store_status status = STORE_OK;
    size_t count = form->count(writing->snapshot);
    for (size_t i = 0; status == STORE_OK && i < count; i++) {
        if (belongs(form->state(writing->snapshot, i)))
            status = one(writing, form, i, error);
    }
    return status;
}

static enum store_status add_runs(struct writing *writing, const struct form *form,
                                  struct error *error)
{
    enum store_status status = add_run(writing, form, is_inserted, add, error);
    if (status == STORE_OK)
        status = add_run(writing, form, is_updated, change, error);
    if (status == STORE_OK && form->collection == MONGO_PROVIDERS)
        status = change_nodes(writing, error);
    if (status == STORE_OK)
        status = add_run(writing, form, is_deleted, take_away, error);
    return status;
}

static int64_t count_in(const bson_t *reply, const char *field)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, reply, field) ? bson_iter_as_int64(&iter) : 0;
}

/* The transaction's own snapshot showed the documents, so a miss is somebody else's doing. */
static enum store_status check_counts(const struct writing *writing, const bson_t *reply,
                                      const char *collection, struct error *error)
{
    if (count_in(reply, "nInserted") == writing->inserts &&
        count_in(reply, "nMatched") == writing->updates &&
        count_in(reply, "nRemoved") == writing->deletes)
        return STORE_OK;
    error_set(error, "mongodb: not every document of %s was there to be written", collection);
    return STORE_CONFLICT;
}

static enum store_status execute_runs(struct writing *writing, const struct form *form,
                                      struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status;
    if (writing->inserts + writing->updates + writing->deletes == 0)
        return STORE_OK;
    if (mongoc_bulk_operation_execute(writing->bulk, &reply, &cause) != 0)
        status = check_counts(writing, &reply, mongo_collection_name(form->collection), error);
    else
        status = mongo_failed(writing->store, PHASE_RUN, &cause, &reply, error);
    bson_destroy(&reply);
    return status;
}

static enum store_status write_collection(struct writing *writing, const struct form *form,
                                          struct error *error)
{
    bson_t options;
    enum store_status status = STORE_MISCONFIGURED;
    writing->inserts = writing->updates = writing->deletes = 0;
    if (mongo_session_options(writing->store, &options, error)) {
        BSON_APPEND_BOOL(&options, "ordered", true);
        writing->bulk = mongoc_collection_create_bulk_operation_with_opts(
            writing->store->collections[form->collection], &options);
        status = add_runs(writing, form, error);
        if (status == STORE_OK)
            status = execute_runs(writing, form, error);
        mongoc_bulk_operation_destroy(writing->bulk);
    }
    bson_destroy(&options);
    return status;
}

enum store_status mongo_write(struct store *base, const struct snapshot *snapshot,
                              struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct clock *clock = store->pool->clock;
    struct writing writing = {
        .store = store, .snapshot = snapshot, .now_ms = clock->wall_ms(clock)};
    enum store_status status = STORE_OK;
    for (size_t i = 0; status == STORE_OK && i < sizeof forms / sizeof *forms; i++)
        status = write_collection(&writing, &forms[i], error);
    if (status == STORE_OK && snapshot->fence)
        status = mongo_write_fence(store, error);
    return status;
}
