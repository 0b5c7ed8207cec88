/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Sections: transactions; acquire_document(), which finds write conflicts; names;
 * validators; one function a kind of document, called by write_all(); the advisory lock.
 *
 * A transaction acquires a document before it writes it. This fails with CONFLICT if another
 * transaction has an uncommitted write of the document, or has committed one after the snapshot.
 * The write itself becomes the document's `pending` version, which commit installs and abort drops.
 * A provider's name is acquired in the same way (claim_name, release_name), so two providers cannot
 * get the same name. memory_take_advisory_lock() acquires the one lock document.
 *
 * Guarantees. A write that is not OK aborts the transaction as a whole. An update changes only the
 * members that are flagged as dirty, so a flag that the planner forgot becomes visible in a test. A
 * stored outcome is never replaced. A provider without a change gets a new version too, as MongoDB
 * writes its `rev`.
 *
 * Not here: letters (memory_letters.c); the validators check only what a wrong planner could break,
 * not every member; there is no limit of document size.
 */
#include "tests/support/memory_document.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"

/* --- transactions --- */

struct memory_transaction *memory_transaction_new(struct memory_database *database)
{
    struct memory_transaction *transaction = MEMORY_NEW(struct memory_transaction);
    transaction->database = database;
    transaction->next = database->transactions;
    database->transactions = transaction;
    return transaction;
}

void memory_transaction_take_snapshot(struct memory_transaction *transaction)
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

void memory_transaction_abort(struct memory_transaction *transaction, enum store_status status)
{
    drop_pending(transaction);
    transaction->abort_status = status;
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
    assert(transaction->abort_status == STORE_OK);
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

/* The context of a write: what all functions below need. */
struct write {
    struct memory_transaction *transaction;
    struct error *error;
};

static enum store_status conflict(const struct write *write, const char *what)
{
    error_set(write->error, "memory: %s", what);
    return STORE_CONFLICT;
}

static enum store_status refused(const struct write *write, const char *what)
{
    error_set(write->error, "memory: refused: %s", what);
    return STORE_REFUSED;
}

enum store_status memory_acquire(struct memory_transaction *transaction,
                                 struct memory_document *document, struct error *error)
{
    struct write write = {.transaction = transaction, .error = error};
    if (document->writer == transaction)
        return STORE_OK;
    if (document->writer != NULL)
        return conflict(&write, "another open transaction wrote this document");
    if (document->newest != NULL && document->newest->sequence > transaction->snapshot)
        return conflict(&write, "another transaction wrote this document after the snapshot");
    document->writer = transaction;
    transaction->written =
        memory_grown(transaction->written, transaction->written_count,
                     &transaction->written_capacity, sizeof(struct memory_document *));
    transaction->written[transaction->written_count++] = document;
    return STORE_OK;
}

static enum store_status acquire_document(const struct write *write,
                                          struct memory_document *document)
{
    return memory_acquire(write->transaction, document, write->error);
}

/* Acquires a document that must exist in the snapshot (`stored`), or must not. */
static enum store_status acquire_expected(const struct write *write,
                                          struct memory_document *document, bool stored)
{
    enum store_status status = acquire_document(write, document);
    if (status != STORE_OK)
        return status;
    if ((memory_visible(document, write->transaction->snapshot) != NULL) == stored)
        return STORE_OK;
    return conflict(write, stored ? "the document does not exist" : "the key exists already");
}

/* Returns a new, empty pending version; what was written before in this transaction is dropped. */
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
    enum store_status status = acquire_document(write, document);
    if (status == STORE_OK)
        (void)replace_pending(document, false);
    return status;
}

static enum store_status claim_name(const struct write *write, struct text name, struct uuid holder)
{
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_NAME, name);
    enum store_status status = acquire_document(write, document);
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

/* --- validators --- */

static bool is_refused(const struct memory_database *database, struct uuid id)
{
    for (size_t i = 0; i < database->refused_count; i++) {
        if (uuid_equal(database->refused[i], id))
            return true;
    }
    return false;
}

static bool is_valid_inventory(const struct inventory_record *record)
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
        return refused(write, "this provider, as the test asked for");
    if (provider->name.length == 0 || provider->generation < 0)
        return refused(write, "a provider without a name or generation");
    for (size_t i = 0; i < provider->record_count; i++) {
        if (!is_valid_inventory(&provider->records[i]))
            return refused(write, "an inventory out of range");
    }
    return STORE_OK;
}

static enum store_status validate_consumer(const struct write *write,
                                           const struct consumer *consumer)
{
    if (is_refused(write->transaction->database, consumer->id))
        return refused(write, "this consumer, as the test asked for");
    if (consumer->allocation_count == 0 || consumer->generation < 0)
        return refused(write, "a consumer without allocations or generation");
    for (size_t i = 0; i < consumer->allocation_count; i++) {
        if (consumer->allocations[i].amount < 1)
            return refused(write, "an amount below 1");
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

static struct inventory_record *record_of(struct provider *provider, struct text resource_class)
{
    for (size_t i = 0; i < provider->record_count; i++) {
        if (text_equal(provider->records[i].inventory.resource_class, resource_class))
            return &provider->records[i];
    }
    return NULL;
}

/* Copies only the usages that are flagged as dirty, so that a missing flag is noticed by a test. */
static enum store_status apply_used(const struct write *write, struct provider *stored,
                                    const struct provider *slot)
{
    for (size_t i = 0; i < slot->record_count; i++) {
        if (!slot->records[i].dirty)
            continue;
        struct inventory_record *record =
            record_of(stored, slot->records[i].inventory.resource_class);
        if (record == NULL)
            return refused(write, "a usage without an inventory");
        record->used = slot->records[i].used;
    }
    return STORE_OK;
}

/* Copies name, parent and root. */
static void apply_place(struct memory_version *version, const struct provider *slot)
{
    version->provider.name = text_copy(version->arena, slot->name);
    version->provider.has_parent = slot->has_parent;
    version->provider.parent = slot->parent;
    version->provider.root = slot->root;
}

static void apply_inventories(struct memory_version *version, const struct provider *slot)
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
        apply_inventories(version, slot);
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
    enum store_status status = acquire_expected(write, document, slot->state.stored);
    if (status != STORE_OK)
        return status;
    if (!slot->state.exists)
        return delete_provider(write, document);
    return slot->state.stored ? update_provider(write, document, slot)
                              : insert_provider(write, document, slot);
}

/* Writes the new root of a provider in a tree. If it has a dirty slot, that is written before. */
static enum store_status write_node(const struct write *write, const struct tree_node *node)
{
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_PROVIDER, memory_uuid_key(&node->id));
    enum store_status status = acquire_expected(write, document, true);
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
    enum store_status status = acquire_expected(write, document, slot->state.stored);
    if (status != STORE_OK)
        return status;
    struct memory_version *version = replace_pending(document, slot->state.exists);
    if (!slot->state.exists)
        return STORE_OK;
    struct consumer content = *slot;
    if (slot->mappings_unloaded)
        content.mappings =
            memory_visible(document, write->transaction->snapshot)->consumer.mappings;
    memory_copy_consumer(version->arena, &content, &version->consumer);
    return validate_consumer(write, &version->consumer);
}

static enum store_status write_outcome(const struct write *write, const struct outcome *slot)
{
    struct text key;
    char *owned = memory_command_key(slot->principal, slot->key, &key);
    struct memory_document *document =
        memory_find_or_add(write->transaction->database, KIND_OUTCOME, key);
    free(owned);
    enum store_status status = acquire_expected(write, document, false);
    if (status != STORE_OK)
        return status;
    struct memory_version *version = replace_pending(document, slot->state.exists);
    if (!slot->state.exists)
        return STORE_OK;
    assert(text_present(slot->body));
    memory_copy_outcome(version->arena, slot, &version->outcome);
    version->outcome.recorded_at_ms = memory_now_ms(write->transaction->database);
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

/* --- the calls of memory_store.c --- */

enum store_status memory_take_advisory_lock(struct memory_transaction *transaction,
                                            uint64_t session, bool *ret_contended,
                                            struct error *error)
{
    struct write write = {.transaction = transaction, .error = error};
    struct memory_document *lock =
        memory_find_or_add(transaction->database, KIND_LOCK, text_of("lock"));
    memory_transaction_take_snapshot(transaction);
    enum store_status status = acquire_document(&write, lock);
    if (status != STORE_OK) {
        memory_transaction_abort(transaction, status);
        return status;
    }
    const struct memory_version *before = memory_visible(lock, transaction->snapshot);
    *ret_contended = before != NULL && before->lock_taker != session;
    replace_pending(lock, true)->lock_taker = session;
    return STORE_OK;
}

enum store_status memory_write(struct memory_transaction *transaction,
                               const struct snapshot *snapshot, struct error *error)
{
    struct write write = {.transaction = transaction, .error = error};
    memory_transaction_take_snapshot(transaction);
    enum store_status status = write_all(&write, snapshot);
    if (status != STORE_OK)
        memory_transaction_abort(transaction, STORE_CONFLICT);
    return status;
}
