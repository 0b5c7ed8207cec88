/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. mongo_write() writes the dirty slots of one collection after the other, with one bulk
 * operation for each: first the inserts, then the updates, then the deletes. In each of these
 * groups the slots come in the order of _id, and libmongoc sends the group as one command. The
 * table `slot_kinds` has the functions that make documents from the slots of each collection. The
 * fence write comes last, if the batch is one of reads.
 *
 * Guarantees. The first error ends the write, since the server has aborted the transaction then. To
 * go on would hide the cause: after a duplicate key (11000, without a label) the next operation
 * gets 251 with the label TransientTransactionError, and the batch would be retried without end
 * (CDRIVER-4755).
 * The server's counts are compared with the number of documents to write. Without that, an update
 * whose document is missing would pass as a success.
 *
 * Touch. A command may depend on a document that does not exist, such as the consumer of a rejected
 * claim. Such a document is inserted and deleted in the same transaction. Two transactions that do
 * this, or one of them with a real insert, then have a write conflict.
 *
 * Not here: which documents a command depends on (the planner sets `dirty`), the content of the
 * documents (document_write.c), and fence writes (fence.c).
 */
#include "common/mongo/session.h"

#include <assert.h>
#include <stdio.h>

#include "common/mongo/document.h"
#include "common/mongo/list.h"

enum { DOCUMENT_BYTES_MAX = 16 * 1024 * 1024 }; /* the server's limit */

struct writer {
    struct mongo_store *store;
    const struct snapshot *snapshot;
    mongoc_bulk_operation_t *bulk;     /* of the current collection */
    int64_t inserts, updates, deletes; /* documents in `bulk` */
    int64_t now_ms;                    /* since the Unix epoch, by the database's clock */
};

/* How the slots of one collection become documents. */
struct slot_kind {
    enum mongo_collection collection;
    size_t (*count)(const struct snapshot *snapshot);
    struct slot_state (*state)(const struct snapshot *snapshot, size_t index);
    void (*id)(bson_t *selector, const struct snapshot *snapshot, size_t index);
    void (*whole)(bson_t *document, const struct writer *writer, size_t index);
    /* Appends the document that is inserted and deleted: as little as the validator allows. */
    void (*touched)(bson_t *document, const struct writer *writer, size_t index);
    void (*update)(bson_t *update, const struct snapshot *snapshot, size_t index);
};

/* --- providers ------------------------------------------------------------------------------ */

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

static void whole_provider(bson_t *document, const struct writer *writer, size_t index)
{
    document_provider(document, &writer->snapshot->providers[index]);
}

/* The name must be one that no provider has, since an index keeps names unique. It begins with a
   NUL, which commands may not contain. */
static void touched_provider(bson_t *document, const struct writer *writer, size_t index)
{
    struct uuid id = writer->snapshot->providers[index].id;
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

/* --- consumers ------------------------------------------------------------------------------ */

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

static void whole_consumer(bson_t *document, const struct writer *writer, size_t index)
{
    document_consumer(document, &writer->snapshot->consumers[index]);
}

static void touched_consumer(bson_t *document, const struct writer *writer, size_t index)
{
    static const struct text empty = {"", 0};
    struct allocation allocation = {.resource_class = {"VCPU", 4}, .amount = 1};
    struct consumer consumer = {
        .id = writer->snapshot->consumers[index].id,
        .project_id = empty,
        .user_id = empty,
        .consumer_type = empty,
        .allocations = &allocation,
        .allocation_count = 1,
    };
    document_consumer(document, &consumer);
}

static void consumer_update(bson_t *update, const struct snapshot *snapshot, size_t index)
{
    document_consumer_update(update, &snapshot->consumers[index]);
}

/* --- outcomes ------------------------------------------------------------------------------- */

static size_t outcome_count(const struct snapshot *snapshot)
{
    return snapshot->outcome_count;
}

/* An outcome is written once. It is always an insert, whatever the slot says, so a second one under
   the same key is a conflict, and the first one stays. */
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

static void append_outcome(bson_t *document, const struct writer *writer,
                           const struct outcome *outcome)
{
    int64_t expires_ms = writer->now_ms + writer->store->pool->retention_ms;
    document_outcome(document, outcome, writer->now_ms, expires_ms);
}

static void whole_outcome(bson_t *document, const struct writer *writer, size_t index)
{
    assert(text_present(writer->snapshot->outcomes[index].body));
    append_outcome(document, writer, &writer->snapshot->outcomes[index]);
}

static void touched_outcome(bson_t *document, const struct writer *writer, size_t index)
{
    const struct outcome *slot = &writer->snapshot->outcomes[index];
    struct outcome outcome = {.principal = slot->principal, .key = slot->key};
    append_outcome(document, writer, &outcome);
}

/* --- one collection ------------------------------------------------------------------------- */

/* The collection with the most conflicts comes first, so that a batch with a conflict ends soon. */
static const struct slot_kind slot_kinds[] = {
    {MONGO_PROVIDERS, provider_count, provider_state, provider_id, whole_provider, touched_provider,
     provider_update},
    {MONGO_CONSUMERS, consumer_count, consumer_state, consumer_id, whole_consumer, touched_consumer,
     consumer_update},
    {MONGO_OUTCOMES, outcome_count, outcome_state, outcome_id, whole_outcome, touched_outcome,
     NULL},
};

static enum store_status refuse_size(const bson_t *document, struct error *error)
{
    error_set(error, "mongodb: document too large: %u bytes (limit %d)", document->len,
              DOCUMENT_BYTES_MAX);
    return STORE_REFUSED;
}

static enum store_status add_insert(struct writer *writer, const struct slot_kind *kind,
                                    size_t index, struct error *error)
{
    bson_t document = BSON_INITIALIZER;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    if (kind->state(writer->snapshot, index).exists)
        kind->whole(&document, writer, index);
    else
        kind->touched(&document, writer, index);
    if (document.len > DOCUMENT_BYTES_MAX)
        status = refuse_size(&document, error);
    else if (!mongoc_bulk_operation_insert_with_opts(writer->bulk, &document, NULL, &cause))
        status = mongo_failed(writer->store, PHASE_RUN, &cause, NULL, error);
    bson_destroy(&document);
    writer->inserts++;
    return status;
}

/* Adds an update to the bulk operation. */
static enum store_status add_one_update(struct writer *writer, const bson_t *selector,
                                        const bson_t *update, struct error *error)
{
    bson_error_t cause;
    writer->updates++;
    if (update->len > DOCUMENT_BYTES_MAX)
        return refuse_size(update, error);
    if (mongoc_bulk_operation_update_one_with_opts(writer->bulk, selector, update, NULL, &cause))
        return STORE_OK;
    return mongo_failed(writer->store, PHASE_RUN, &cause, NULL, error);
}

static enum store_status add_update(struct writer *writer, const struct slot_kind *kind,
                                    size_t index, struct error *error)
{
    bson_t selector = BSON_INITIALIZER, update = BSON_INITIALIZER;
    kind->id(&selector, writer->snapshot, index);
    kind->update(&update, writer->snapshot, index);
    enum store_status status = add_one_update(writer, &selector, &update, error);
    bson_destroy(&update);
    bson_destroy(&selector);
    return status;
}

static enum store_status add_delete(struct writer *writer, const struct slot_kind *kind,
                                    size_t index, struct error *error)
{
    bson_t selector = BSON_INITIALIZER;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    kind->id(&selector, writer->snapshot, index);
    if (!mongoc_bulk_operation_remove_one_with_opts(writer->bulk, &selector, NULL, &cause))
        status = mongo_failed(writer->store, PHASE_RUN, &cause, NULL, error);
    bson_destroy(&selector);
    writer->deletes++;
    return status;
}

/* Returns the first dirty node from `index` on; `node_count` if there is none. */
static size_t next_dirty_node(const struct snapshot *snapshot, size_t index)
{
    while (index < snapshot->node_count && !snapshot->nodes[index].dirty)
        index++;
    return index;
}

/* Appends the ids of the dirty nodes from `index` on, up to one that has another root. Returns the
   index of that one; `node_count` if there is none. */
static size_t append_nodes(bson_t *selector, const struct writer *writer, size_t index,
                           size_t *ret_count)
{
    const struct snapshot *snapshot = writer->snapshot;
    struct uuid root = snapshot->nodes[index].root;
    struct list list;
    list_begin_in(&list, selector, "_id");
    while (index < snapshot->node_count && uuid_equal(snapshot->nodes[index].root, root)) {
        list_add_uuid(&list, snapshot->nodes[index].id);
        index = next_dirty_node(snapshot, index + 1);
    }
    list_end_in(&list, selector);
    *ret_count = list.count;
    return index;
}

/* Adds one update of all nodes with the same new root. */
static enum store_status add_nodes(struct writer *writer, const bson_t *selector,
                                   const struct tree_node *node, size_t count, struct error *error)
{
    bson_t update = BSON_INITIALIZER;
    bson_error_t cause;
    enum store_status status = STORE_OK;
    document_node_update(&update, node);
    if (!mongoc_bulk_operation_update_many_with_opts(writer->bulk, selector, &update, NULL, &cause))
        status = mongo_failed(writer->store, PHASE_RUN, &cause, NULL, error);
    bson_destroy(&update);
    writer->updates += (int64_t)count;
    return status;
}

/* Adds the updates of the providers below a moved one, whose root changed. They have nodes in the
   snapshot, but no slots. All of them have the same new root, so they are one statement. */
static enum store_status add_node_updates(struct writer *writer, struct error *error)
{
    const struct snapshot *snapshot = writer->snapshot;
    enum store_status status = STORE_OK;
    size_t first = next_dirty_node(snapshot, 0);
    while (status == STORE_OK && first < snapshot->node_count) {
        bson_t selector = BSON_INITIALIZER;
        size_t count = 0;
        size_t next = append_nodes(&selector, writer, first, &count);
        status = add_nodes(writer, &selector, &snapshot->nodes[first], count, error);
        bson_destroy(&selector);
        first = next;
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

/* Adds an operation for each slot whose state `belongs` to it, in the order of _id. */
static enum store_status
add_all(struct writer *writer, const struct slot_kind *kind, bool (*belongs)(struct slot_state),
        enum store_status (*one)(struct writer *, const struct slot_kind *, size_t, struct error *),
        struct error *error)
{
    enum store_status status = STORE_OK;
    size_t count = kind->count(writer->snapshot);
    for (size_t i = 0; status == STORE_OK && i < count; i++) {
        if (belongs(kind->state(writer->snapshot, i)))
            status = one(writer, kind, i, error);
    }
    return status;
}

static enum store_status add_operations(struct writer *writer, const struct slot_kind *kind,
                                        struct error *error)
{
    enum store_status status = add_all(writer, kind, is_inserted, add_insert, error);
    if (status == STORE_OK)
        status = add_all(writer, kind, is_updated, add_update, error);
    if (status == STORE_OK && kind->collection == MONGO_PROVIDERS)
        status = add_node_updates(writer, error);
    if (status == STORE_OK)
        status = add_all(writer, kind, is_deleted, add_delete, error);
    return status;
}

static int64_t count_in(const bson_t *reply, const char *field)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, reply, field) ? bson_iter_as_int64(&iter) : 0;
}

/* To the server an update or delete of a document that does not exist is no error; only the counts
   show it. The slot is out of date then, so the batch has to load again. */
static enum store_status check_counts(const struct writer *writer, const bson_t *reply,
                                      const char *collection, struct error *error)
{
    if (count_in(reply, "nInserted") == writer->inserts &&
        count_in(reply, "nMatched") == writer->updates &&
        count_in(reply, "nRemoved") == writer->deletes)
        return STORE_OK;
    error_set(error, "mongodb: write to '%s' matched fewer documents than expected", collection);
    return STORE_CONFLICT;
}

static enum store_status execute(struct writer *writer, const struct slot_kind *kind,
                                 struct error *error)
{
    bson_t reply;
    bson_error_t cause;
    enum store_status status;
    if (writer->inserts + writer->updates + writer->deletes == 0)
        return STORE_OK;
    if (mongoc_bulk_operation_execute(writer->bulk, &reply, &cause) != 0)
        status = check_counts(writer, &reply, mongo_collection_name(kind->collection), error);
    else
        status = mongo_failed(writer->store, PHASE_RUN, &cause, &reply, error);
    bson_destroy(&reply);
    return status;
}

static enum store_status write_collection(struct writer *writer, const struct slot_kind *kind,
                                          struct error *error)
{
    bson_t options;
    enum store_status status = STORE_MISCONFIGURED;
    writer->inserts = writer->updates = writer->deletes = 0;
    if (mongo_session_options(writer->store, &options, error)) {
        BSON_APPEND_BOOL(&options, "ordered", true);
        writer->bulk = mongoc_collection_create_bulk_operation_with_opts(
            writer->store->collections[kind->collection], &options);
        status = add_operations(writer, kind, error);
        if (status == STORE_OK)
            status = execute(writer, kind, error);
        mongoc_bulk_operation_destroy(writer->bulk);
    }
    bson_destroy(&options);
    return status;
}

enum store_status mongo_write(struct store *base, const struct snapshot *snapshot,
                              struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    struct writer writer = {.store = store, .snapshot = snapshot, .now_ms = mongo_now_ms(base)};
    enum store_status status = STORE_OK;
    for (size_t i = 0; status == STORE_OK && i < sizeof slot_kinds / sizeof *slot_kinds; i++)
        status = write_collection(&writer, &slot_kinds[i], error);
    if (status == STORE_OK && snapshot->fence)
        status = mongo_write_fence(store, error);
    return status;
}
