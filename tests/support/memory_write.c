/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the memory store: transactions, and what a write makes of the dirty slots. */
#include "tests/support/memory_document.h"

#include <assert.h>
#include <stdlib.h>

/* --- transactions --- */

struct memory_transaction *memory_transaction_new(struct memory_database *database)
{
    struct memory_transaction *transaction = memory_alloc(sizeof *transaction);
    transaction->database = database;
    transaction->next = database->transactions;
    database->transactions = transaction;
    return transaction;
}

void memory_transaction_see(struct memory_transaction *transaction)
{
    if (transaction->has_snapshot)
        return;
    transaction->has_snapshot = true;
    transaction->snapshot = transaction->database->sequence;
}

static void drop_pending(struct memory_transaction *transaction)
{
    for (size_t i = 0; i < transaction->written_count; i++) {
        struct memory_document *document = transaction->written[i];
        memory_version_free(document->pending);
        document->pending = NULL;
        document->writer = NULL;
    }
    transaction->written_count = 0;
}

void memory_transaction_doom(struct memory_transaction *transaction, enum store_status why)
{
    drop_pending(transaction);
    transaction->doom = why;
}

void memory_transaction_free(struct memory_transaction *transaction)
{
    if (transaction == NULL)
        return;
    drop_pending(transaction);
    struct memory_transaction **link = &transaction->database->transactions;
    while (*link != transaction)
        link = &(*link)->next;
    *link = transaction->next;
    free(transaction->written);
    free(transaction);
}

void memory_transaction_commit(struct memory_transaction *transaction)
{
    struct memory_database *database = transaction->database;
    assert(transaction->doom == STORE_OK);
    if (transaction->written_count > 0)
        database->sequence++;
    for (size_t i = 0; i < transaction->written_count; i++) {
        struct memory_document *document = transaction->written[i];
        memory_install(database, document, document->pending);
        document->pending = NULL;
        document->writer = NULL;
        database->counters.documents_written++;
    }
    transaction->written_count = 0;
    memory_transaction_free(transaction);
}

/* --- one document --- */

struct write {
    struct memory_transaction *transaction;
    struct error *error;
};

static enum store_status conflict(const struct write *write, const char *what)
{
    error_set(write->error, "memory: %s", what);
    return STORE_CONFLICT;
}

static enum store_status refusal(const struct write *write, const char *what)
{
    error_set(write->error, "memory: refused: %s", what);
    return STORE_REFUSED;
}

static void remember(struct memory_transaction *transaction, struct memory_document *document)
{
    if (transaction->written_count == transaction->written_capacity) {
        transaction->written_capacity = transaction->written_capacity * 2 + 16;
        transaction->written = realloc(transaction->written, transaction->written_capacity *
                                                                 sizeof(struct memory_document *));
        if (transaction->written == NULL)
            abort();
    }
    transaction->written[transaction->written_count++] = document;
}

/* Makes the document ours, unless another transaction wrote it since we look. */
static enum store_status take(const struct write *write, struct memory_document *document)
{
    struct memory_transaction *transaction = write->transaction;
    if (document->writer == transaction)
        return STORE_OK;
    if (document->writer != NULL)
        return conflict(write, "another open transaction wrote this");
    if (document->newest != NULL && document->newest->sequence > transaction->snapshot)
        return conflict(write, "another transaction wrote this since the snapshot");
    document->writer = transaction;
    remember(transaction, document);
    return STORE_OK;
}

/* Takes a document that has to be there, or not to be there, in the snapshot. */
static enum store_status take_as(const struct write *write, struct memory_document *document,
                                 bool stored)
{
    enum store_status status = take(write, document);
    if (status != STORE_OK)
        return status;
    if ((memory_visible(document, write->transaction->snapshot) != NULL) == stored)
        return STORE_OK;
    return conflict(write, stored ? "the document is not there" : "the key is there already");
}

static struct memory_version *replace_pending(struct memory_document *document, bool exists)
{
    memory_version_free(document->pending);
    document->pending = memory_version_new(exists);
    return document->pending;
}

/* --- names --- */

static enum store_status release_name(const struct write *write, struct text name)
{
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_NAME, name);
    enum store_status status = take(write, document);
    if (status == STORE_OK)
        (void)replace_pending(document, false);
    return status;
}

static enum store_status claim_name(const struct write *write, struct text name, struct uuid holder)
{
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_NAME, name);
    enum store_status status = take(write, document);
    if (status != STORE_OK)
        return status;
    const struct memory_version *now = document->pending != NULL
                                           ? document->pending
                                           : memory_visible(document, write->transaction->snapshot);
    if (now != NULL && now->exists)
        return conflict(write, "the name is taken");
    replace_pending(document, true)->holder = holder;
    return STORE_OK;
}

/* --- what the validators ask for --- */

static bool is_refused(const struct memory_database *database, struct uuid id)
{
    for (size_t i = 0; i < database->refused_count; i++) {
        if (uuid_equal(database->refused[i], id))
            return true;
    }
    return false;
}

static bool is_valid_stock(const struct inventory_record *record)
{
    const struct inventory *inventory = &record->inventory;
    return inventory->total >= 1 && inventory->reserved >= 0 && inventory->min_unit >= 1 &&
           inventory->max_unit >= 1 && inventory->step_size >= 1 && inventory->ratio >= 1 &&
           record->used >= 0;
}

static enum store_status validate_provider(const struct write *write,
                                           const struct provider *provider)
{
    if (is_refused(write->transaction->database, provider->id))
        return refusal(write, "this provider");
    if (provider->name.length == 0 || provider->generation < 0)
        return refusal(write, "a provider without a name or generation");
    for (size_t i = 0; i < provider->record_count; i++) {
        if (!is_valid_stock(&provider->records[i]))
            return refusal(write, "an inventory out of range");
    }
    return STORE_OK;
}

static enum store_status validate_consumer(const struct write *write,
                                           const struct consumer *consumer)
{
    if (is_refused(write->transaction->database, consumer->id))
        return refusal(write, "this consumer");
    if (consumer->allocation_count == 0 || consumer->generation < 0)
        return refusal(write, "a consumer without allocations or generation");
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        if (consumer->allocations[i].amount < 1)
            return refusal(write, "an amount below 1");
    }
    return STORE_OK;
}

/* --- providers --- */

static enum store_status insert_provider(const struct write *write,
                                         struct memory_document *document,
                                         const struct provider *slot)
{
    struct memory_version *version = replace_pending(document, true);
    memory_copy_provider(version->arena, slot, &version->provider);
    enum store_status status = validate_provider(write, &version->provider);
    return status == STORE_OK ? claim_name(write, slot->name, slot->id) : status;
}

static struct inventory_record *stock_of(struct provider *provider, struct text resource_class)
{
    for (size_t i = 0; i < provider->record_count; i++) {
        if (text_equal(provider->records[i].inventory.resource_class, resource_class))
            return &provider->records[i];
    }
    return NULL;
}

/* Only what is attempt_sent as changed is taken over: a mark that is missing has to show. */
static enum store_status apply_used(const struct write *write, struct provider *stored,
                                    const struct provider *slot)
{
    for (size_t i = 0; i < slot->record_count; i++) {
        if (!slot->records[i].dirty)
            continue;
        struct inventory_record *record =
            stock_of(stored, slot->records[i].inventory.resource_class);
        if (record == NULL)
            return refusal(write, "a usage without an inventory");
        record->used = slot->records[i].used;
    }
    return STORE_OK;
}

static void apply_place(struct memory_version *version, const struct provider *slot)
{
    version->provider.name = text_copy(version->arena, slot->name);
    version->provider.has_parent = slot->has_parent;
    version->provider.parent = slot->parent;
    version->provider.root = slot->root;
}

static void apply_stocks(struct memory_version *version, const struct provider *slot)
{
    struct provider copy;
    memory_copy_provider(version->arena, slot, &copy);
    version->provider.records = copy.records;
    version->provider.record_count = copy.record_count;
}

static enum store_status move_name(const struct write *write, struct text old,
                                   const struct provider *slot)
{
    if (text_equal(old, slot->name))
        return STORE_OK;
    enum store_status status = release_name(write, old);
    return status == STORE_OK ? claim_name(write, slot->name, slot->id) : status;
}

static enum store_status update_provider(const struct write *write,
                                         struct memory_document *document,
                                         const struct provider *slot)
{
    const struct provider *stored =
        &memory_visible(document, write->transaction->snapshot)->provider;
    struct memory_version *version = replace_pending(document, true);
    enum store_status status = STORE_OK;
    memory_copy_provider(version->arena, stored, &version->provider);
    version->provider.generation = slot->generation;
    if (slot->place_dirty)
        apply_place(version, slot);
    if (slot->records_dirty)
        apply_stocks(version, slot);
    else
        status = apply_used(write, &version->provider, slot);
    if (status == STORE_OK)
        status = validate_provider(write, &version->provider);
    if (status == STORE_OK && slot->place_dirty)
        status = move_name(write, stored->name, slot);
    return status;
}

static enum store_status delete_provider(const struct write *write,
                                         struct memory_document *document)
{
    const struct memory_version *stored = memory_visible(document, write->transaction->snapshot);
    (void)replace_pending(document, false);
    return stored != NULL ? release_name(write, stored->provider.name) : STORE_OK;
}

static enum store_status write_provider(const struct write *write, const struct provider *slot)
{
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_PROVIDER, memory_uuid_key(&slot->id));
    enum store_status status = take_as(write, document, slot->state.stored);
    if (status != STORE_OK)
        return status;
    if (!slot->state.exists)
        return delete_provider(write, document);
    return slot->state.stored ? update_provider(write, document, slot)
                              : insert_provider(write, document, slot);
}

/* A member of a tree whose root changed, though it has no slot. */
static enum store_status write_node(const struct write *write, const struct tree_node *node)
{
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_PROVIDER, memory_uuid_key(&node->id));
    enum store_status status = take_as(write, document, true);
    if (status != STORE_OK)
        return status;
    struct memory_version *written = document->pending;
    if (written == NULL) {
        const struct memory_version *stored =
            memory_visible(document, write->transaction->snapshot);
        written = replace_pending(document, true);
        memory_copy_provider(written->arena, &stored->provider, &written->provider);
    }
    written->provider.root = node->root;
    return validate_provider(write, &written->provider);
}

/* --- consumers and outcomes --- */

static enum store_status write_consumer(const struct write *write, const struct consumer *slot)
{
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_CONSUMER, memory_uuid_key(&slot->id));
    enum store_status status = take_as(write, document, slot->state.stored);
    if (status != STORE_OK)
        return status;
    struct memory_version *version = replace_pending(document, slot->state.exists);
    if (!slot->state.exists)
        return STORE_OK;
    memory_copy_consumer(version->arena, slot, &version->consumer);
    return validate_consumer(write, &version->consumer);
}

static enum store_status write_outcome(const struct write *write, const struct outcome *slot)
{
    struct text key;
    char *owned = memory_command_key(slot->principal, slot->key, &key);
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_OUTCOME, key);
    free(owned);
    enum store_status status = take_as(write, document, false);
    if (status != STORE_OK)
        return status;
    struct memory_version *version = replace_pending(document, slot->state.exists);
    if (!slot->state.exists)
        return STORE_OK;
    assert(text_present(slot->body));
    memory_copy_outcome(version->arena, slot, &version->outcome);
    return STORE_OK;
}

static enum store_status write_all(const struct write *write, const struct snapshot *snapshot)
{
    enum store_status status = STORE_OK;
    for (size_t i = 0; status == STORE_OK && i < snapshot->provider_count; i++) {
        if (snapshot->providers[i].state.dirty)
            status = write_provider(write, &snapshot->providers[i]);
    }
    for (size_t i = 0; status == STORE_OK && i < snapshot->node_count; i++) {
        if (snapshot->nodes[i].dirty)
            status = write_node(write, &snapshot->nodes[i]);
    }
    for (size_t i = 0; status == STORE_OK && i < snapshot->consumer_count; i++) {
        if (snapshot->consumers[i].state.dirty)
            status = write_consumer(write, &snapshot->consumers[i]);
    }
    for (size_t i = 0; status == STORE_OK && i < snapshot->outcome_count; i++) {
        if (snapshot->outcomes[i].state.dirty)
            status = write_outcome(write, &snapshot->outcomes[i]);
    }
    return status;
}

enum store_status memory_take_advisory_lock(struct memory_transaction *transaction,
                                            uint64_t session, bool *ret_contended,
                                            struct error *error)
{
    struct write write = {.transaction = transaction, .error = error};
    struct memory_document *turn =
        memory_find_or_add(transaction->database, KIND_TURN, text_of("turn"));
    memory_transaction_see(transaction);
    enum store_status status = take(&write, turn);
    if (status != STORE_OK) {
        memory_transaction_doom(transaction, status);
        return status;
    }
    const struct memory_version *before = memory_visible(turn, transaction->snapshot);
    *ret_contended = before != NULL && before->turn_of != session;
    replace_pending(turn, true)->turn_of = session;
    return STORE_OK;
}

enum store_status memory_write(struct memory_transaction *transaction,
                               const struct snapshot *snapshot, struct error *error)
{
    struct write write = {.transaction = transaction, .error = error};
    memory_transaction_see(transaction);
    enum store_status status = write_all(&write, snapshot);
    if (status != STORE_OK)
        memory_transaction_doom(transaction, STORE_CONFLICT);
    return status;
}
