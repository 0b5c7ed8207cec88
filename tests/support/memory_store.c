/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/memory_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/memory_document.h"

struct memory_store {
    struct store base;
    struct memory_database *database;
    uint64_t number;                        /* of this session */
    struct memory_transaction *transaction; /* NULL: none is open */
    bool committed;                         /* since `begin`; a commit after it succeeds again */
    bool abort_is_lost;                     /* `end` will not reach the database */
    bool crashed;
};

static struct memory_store *of(struct store *base)
{
    return (struct memory_store *)base;
}

/* --- faults --- */

static void drop_fault(struct memory_database *database, size_t index)
{
    database->fault_count--;
    for (size_t i = index; i < database->fault_count; i++)
        database->faults[i] = database->faults[i + 1];
}

/* Counts the call for every fault that waits; true, and the fault, where one is due. */
static bool take_fault(struct memory_database *database, enum memory_call call,
                       struct memory_fault *ret_fault)
{
    bool due = false;
    for (size_t i = 0; i < database->fault_count; i++) {
        struct memory_fault *fault = &database->faults[i];
        if (fault->call != call && fault->call != MEMORY_ANY_CALL)
            continue;
        if (fault->after > 0) {
            fault->after--;
            continue;
        }
        if (due)
            continue;
        due = true;
        *ret_fault = *fault;
        if (fault->times > 1)
            fault->times--;
        else
            drop_fault(database, i--);
    }
    return due;
}

/* Lets go of the transaction: aborted, or left to itself. */
static void let_go(struct memory_store *store, bool lingers)
{
    struct memory_transaction *transaction = store->transaction;
    store->transaction = NULL;
    if (transaction == NULL)
        return;
    if (lingers && transaction->doom == STORE_OK)
        transaction->lingers = true;
    else
        memory_transaction_free(transaction);
}

static void commit_open(struct memory_store *store)
{
    memory_transaction_commit(store->transaction);
    store->transaction = NULL;
    store->committed = true;
}

/* What a failed call does to the transaction that is open. */
static void suffer(struct memory_store *store, const struct memory_fault *fault)
{
    bool applies = fault->fate == MEMORY_APPLIED && fault->call == MEMORY_COMMIT &&
                   store->transaction != NULL && store->transaction->doom == STORE_OK;
    if (applies)
        commit_open(store);
    else if (store->transaction != NULL && fault->status != STORE_UNAVAILABLE &&
             fault->status != STORE_UNKNOWN)
        memory_transaction_doom(store->transaction, fault->status);
    if (fault->fate == MEMORY_LINGERS)
        store->abort_is_lost = true;
    if (fault->crash)
        memory_store_crash(&store->base, fault->fate);
}

static enum store_status cut_off(struct error *error)
{
    error_set(error, "memory: this store was cut off");
    return STORE_UNAVAILABLE;
}

/* At the start of every call: OK where it may go on. `ret_fault` is set where a fault is due. */
static enum store_status enter(struct memory_store *store, enum memory_call call,
                               struct memory_fault *ret_fault, struct error *error)
{
    if (store->crashed)
        return cut_off(error);
    store->database->counters.calls[call]++;
    if (!take_fault(store->database, call, ret_fault))
        return STORE_OK;
    ret_fault->call = call;
    error_set(error, "memory: a fault that the test asked for");
    suffer(store, ret_fault);
    return ret_fault->status;
}

/* As `enter`, for calls inside a transaction. */
static enum store_status enter_open(struct memory_store *store, enum memory_call call,
                                    struct error *error)
{
    struct memory_fault fault;
    enum store_status status = enter(store, call, &fault, error);
    if (status != STORE_OK)
        return status;
    assert(store->transaction != NULL);
    if (store->transaction->doom != STORE_OK)
        error_set(error, "memory: the transaction is aborted");
    return store->transaction->doom;
}

/* --- the port --- */

static enum store_status prepare(struct store *base, struct error *error)
{
    struct memory_fault fault;
    return enter(of(base), MEMORY_PREPARE, &fault, error);
}

static enum store_status begin(struct store *base, struct error *error)
{
    struct memory_store *store = of(base);
    struct memory_fault fault;
    assert(store->crashed || store->transaction == NULL);
    enum store_status status = enter(store, MEMORY_BEGIN, &fault, error);
    if (status != STORE_OK)
        return status;
    store->committed = store->abort_is_lost = false;
    store->transaction = memory_transaction_new(store->database);
    return STORE_OK;
}

static enum store_status take_advisory_lock(struct store *base, bool *ret_contended,
                                            struct error *error)
{
    struct memory_store *store = of(base);
    enum store_status status = enter_open(store, MEMORY_TURN, error);
    if (status == STORE_OK)
        status = memory_take_advisory_lock(store->transaction, store->number, ret_contended, error);
    return status;
}

static enum store_status load(struct store *base, struct snapshot *snapshot, struct error *error)
{
    enum store_status status = enter_open(of(base), MEMORY_LOAD, error);
    if (status == STORE_OK)
        memory_load(of(base)->transaction, snapshot);
    return status;
}

static enum store_status write(struct store *base, const struct snapshot *snapshot,
                               struct error *error)
{
    enum store_status status = enter_open(of(base), MEMORY_WRITE, error);
    return status == STORE_OK ? memory_write(of(base)->transaction, snapshot, error) : status;
}

static enum store_status commit(struct store *base, struct error *error)
{
    struct memory_store *store = of(base);
    struct memory_fault fault;
    enum store_status status = enter(store, MEMORY_COMMIT, &fault, error);
    if (status != STORE_OK || store->committed)
        return status;
    assert(store->transaction != NULL);
    if (store->transaction->doom != STORE_OK) {
        error_set(error, "memory: the transaction is aborted");
        return store->transaction->doom;
    }
    commit_open(store);
    return STORE_OK;
}

static void end(struct store *base)
{
    let_go(of(base), of(base)->abort_is_lost);
}

static void renew(struct store *base)
{
    assert(of(base)->transaction == NULL);
}

static void store_free(struct store *base)
{
    if (base == NULL)
        return;
    let_go(of(base), of(base)->abort_is_lost);
    free(base);
}

/* --- attempts: each call is a commit of its own --- */

enum mark_change { MARK_ADD, MARK_TAKE_BACK, MARK_FORGET_ALL };

struct attempt {
    struct text principal;
    struct text key;
    enum mark_change change;
    uint64_t number;
};

/* All marks but the one that is meant; the same mark twice is one. */
static void copy_other_marks(struct memory_version *version, const struct memory_version *before,
                             struct memory_mark meant)
{
    for (size_t i = 0; before != NULL && i < before->mark_count; i++) {
        const struct memory_mark *mark = &before->marks[i];
        if (mark->session != meant.session || mark->attempt != meant.attempt)
            version->marks[version->mark_count++] = *mark;
    }
}

static int64_t count_deaths(const struct memory_version *before, uint64_t session)
{
    int64_t deaths = 0;
    for (size_t i = 0; before != NULL && i < before->mark_count; i++)
        deaths += before->marks[i].session != session;
    return deaths;
}

static void change_marks(struct memory_store *store, const struct attempt *attempt,
                         int64_t *ret_crashed)
{
    struct memory_database *database = store->database;
    struct memory_mark meant = {store->number, attempt->number};
    struct text joined;
    char *owned = memory_command_key(attempt->principal, attempt->key, &joined);
    struct memory_document *document = memory_find_or_add(database, KIND_ATTEMPTS, joined);
    free(owned);
    if (ret_crashed != NULL)
        *ret_crashed = count_deaths(document->newest, store->number);
    struct memory_version *version = memory_version_new(attempt->change != MARK_FORGET_ALL);
    if (attempt->change != MARK_FORGET_ALL)
        copy_other_marks(version, document->newest, meant);
    if (attempt->change == MARK_ADD) {
        assert(version->mark_count < MARKS_MAX);
        version->marks[version->mark_count++] = meant;
    }
    memory_install(database, document, version);
}

static enum store_status try_attempt(struct store *base, const struct attempt *attempt,
                                     int64_t *ret_crashed, struct error *error)
{
    struct memory_fault fault = {0};
    enum store_status status = enter(of(base), MEMORY_ATTEMPT, &fault, error);
    if (status == STORE_OK)
        change_marks(of(base), attempt, ret_crashed);
    else if (fault.fate == MEMORY_APPLIED && fault.call == MEMORY_ATTEMPT)
        change_marks(of(base), attempt, NULL);
    return status;
}

static enum store_status record_attempt(struct store *base, struct text principal, struct text key,
                                        uint64_t attempt, int64_t *ret_crashed, struct error *error)
{
    struct attempt what = {principal, key, MARK_ADD, attempt};
    return try_attempt(base, &what, ret_crashed, error);
}

static enum store_status withdraw_attempt(struct store *base, struct text principal,
                                          struct text key, uint64_t attempt, struct error *error)
{
    struct attempt what = {principal, key, MARK_TAKE_BACK, attempt};
    return try_attempt(base, &what, NULL, error);
}

static enum store_status clear_attempts(struct store *base, struct text principal, struct text key,
                                        struct error *error)
{
    struct attempt what = {principal, key, MARK_FORGET_ALL, 0};
    return try_attempt(base, &what, NULL, error);
}

static const struct store_ops operations = {
    .prepare = prepare,
    .begin = begin,
    .take_advisory_lock = take_advisory_lock,
    .load = load,
    .write = write,
    .commit = commit,
    .end = end,
    .renew = renew,
    .record_attempt = record_attempt,
    .withdraw_attempt = withdraw_attempt,
    .clear_attempts = clear_attempts,
    .free = store_free,
};

struct store *memory_store_new(struct memory_database *database)
{
    struct memory_store *store = memory_alloc(sizeof *store);
    store->base.ops = &operations;
    store->database = database;
    store->number = ++database->sessions;
    return &store->base;
}

/* --- the database --- */

struct memory_database *memory_database_new(void)
{
    return memory_alloc(sizeof(struct memory_database));
}

void memory_database_free(struct memory_database *database)
{
    if (database == NULL)
        return;
    while (database->transactions != NULL)
        memory_transaction_free(database->transactions);
    memory_tables_free(database);
    free(database);
}

void memory_database_fail(struct memory_database *database, struct memory_fault fault)
{
    assert(database->fault_count < FAULTS_MAX && fault.status != STORE_OK);
    database->faults[database->fault_count++] = fault;
}

void memory_database_clear_faults(struct memory_database *database)
{
    database->fault_count = 0;
    database->refused_count = 0;
}

void memory_database_refuse(struct memory_database *database, struct uuid id)
{
    assert(database->refused_count < REFUSED_MAX);
    database->refused[database->refused_count++] = id;
}

void memory_store_crash(struct store *base, enum memory_fate fate)
{
    let_go(of(base), fate == MEMORY_LINGERS);
    of(base)->crashed = true;
}

size_t memory_database_lingering(const struct memory_database *database)
{
    size_t count = 0;
    for (const struct memory_transaction *open = database->transactions; open != NULL;
         open = open->next)
        count += open->lingers;
    return count;
}

void memory_database_resolve_commit(struct memory_database *database, bool apply)
{
    struct memory_transaction *open = database->transactions;
    while (open != NULL) {
        struct memory_transaction *next = open->next;
        if (open->lingers && apply)
            memory_transaction_commit(open);
        else if (open->lingers)
            memory_transaction_free(open);
        open = next;
    }
}

void memory_database_expire(struct memory_database *database)
{
    memory_database_resolve_commit(database, false);
    for (struct memory_transaction *open = database->transactions; open != NULL; open = open->next)
        memory_transaction_doom(open, STORE_EXPIRED);
}

struct memory_counters memory_database_counters(const struct memory_database *database)
{
    return database->counters;
}

uint64_t memory_database_sequence(const struct memory_database *database)
{
    return database->sequence;
}

static void visit_attempts(const struct memory_visitor *visitor,
                           const struct memory_document *document)
{
    size_t length = strlen(document->key.bytes);
    struct text principal = text_view(document->key.bytes, length);
    struct text key =
        text_view(document->key.bytes + length + 1, document->key.length - length - 1);
    visitor->attempts(visitor->context, principal, key, (int64_t)document->newest->mark_count);
}

static void visit(const struct memory_visitor *visitor, enum memory_kind kind,
                  const struct memory_document *document)
{
    const struct memory_version *version = document->newest;
    if (version == NULL || !version->exists)
        return;
    if (kind == KIND_PROVIDER && visitor->provider != NULL)
        visitor->provider(visitor->context, &version->provider);
    if (kind == KIND_CONSUMER && visitor->consumer != NULL)
        visitor->consumer(visitor->context, &version->consumer);
    if (kind == KIND_OUTCOME && visitor->outcome != NULL)
        visitor->outcome(visitor->context, &version->outcome);
    if (kind == KIND_ATTEMPTS && visitor->attempts != NULL)
        visit_attempts(visitor, document);
}

void memory_database_visit(const struct memory_database *database,
                           const struct memory_visitor *visitor)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        const struct memory_table *table = &database->tables[kind];
        for (size_t i = 0; i < table->count; i++)
            visit(visitor, (enum memory_kind)kind, table->items[i]);
    }
}
