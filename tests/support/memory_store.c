/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The memory store is six files: this one has the operations of the port, the faults, the
 * attempt records and the calls for tests; memory_document.c has documents and versions,
 * memory_load.c fills a snapshot, memory_write.c has transactions and writes, memory_letters.c has
 * letters, memory_notifications.c notifications about them, memory_workers.c what workers report.
 *
 * Each call of the port begins with begin_call(). It counts the call, takes a due fault from the
 * database's list (take_fault) and applies it (apply_fault), before the call itself has done
 * anything. Calls inside a transaction use begin_transaction_call(), which also reports an abort.
 *
 * Guarantees. A failed call has exactly the effect that the fault's fate says. A call that fails
 * with UNAVAILABLE or UNKNOWN leaves the transaction open until `end`; any other status aborts it.
 * A crashed store changes nothing more. An attempt record is a commit of its own that needs no
 * transaction, and takes effect at once.
 *
 * Not here: `renew` does nothing, because a session has no state besides its transaction. Commit
 * does not repeat itself after UNKNOWN; each call is one try.
 */
#include "tests/support/memory_store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "tests/support/memory_document.h"

struct memory_store {
    struct store base;
    struct memory_database *database;
    uint64_t session; /* number of this store's session */
    uint64_t family;  /* of attempt records: the session of the first sibling */
    uint64_t claims;  /* calls of claim_letters that returned OK */
    struct memory_transaction *transaction; /* NULL: none since the last commit or `end` */
    bool committed;                         /* since `begin`; another commit returns OK again */
    bool abort_is_lost;                     /* `end` leaves the transaction lingering */
    bool crashed;
};

static struct memory_store *to_memory(struct store *base)
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

/* Counts the call for every fault that waits. If a fault is due, returns true and copies it to
   `ret_fault`; the fault then has one time less, and leaves the list after its last time. */
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

/* Ends the transaction of the store, if there is one: aborts it, or leaves it lingering. */
static void drop_transaction(struct memory_store *store, bool lingers)
{
    struct memory_transaction *transaction = store->transaction;
    store->transaction = NULL;
    if (transaction == NULL)
        return;
    if (lingers && transaction->abort_status == STORE_OK)
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

/* Changes the open transaction and the store as the fault of a call says. */
static void apply_fault(struct memory_store *store, const struct memory_fault *fault)
{
    bool applies = fault->fate == MEMORY_APPLIED && fault->call == MEMORY_COMMIT &&
                   store->transaction != NULL && store->transaction->abort_status == STORE_OK;
    if (applies)
        commit_open(store);
    else if (store->transaction != NULL && fault->status != STORE_UNAVAILABLE &&
             fault->status != STORE_UNKNOWN)
        memory_transaction_abort(store->transaction, fault->status);
    if (fault->fate == MEMORY_LINGERS)
        store->abort_is_lost = true;
    if (fault->crash)
        memory_store_crash(&store->base, fault->fate);
}

/* Begins any call. Returns OK if the call goes on. Otherwise the call has failed, and `ret_fault`
   is the fault, which is applied already. A store that has crashed does not set `ret_fault`. */
static enum store_status begin_call(struct memory_store *store, enum memory_call call,
                                    struct memory_fault *ret_fault, struct error *error)
{
    if (store->crashed) {
        error_set(error, "memory: this store has crashed");
        return STORE_UNAVAILABLE;
    }
    store->database->counters.calls[call]++;
    if (!take_fault(store->database, call, ret_fault))
        return STORE_OK;
    ret_fault->call = call;
    error_set(error, "memory: injected fault");
    apply_fault(store, ret_fault);
    return ret_fault->status;
}

/* Begins a call inside a transaction. If the transaction is aborted, returns its status. */
static enum store_status begin_transaction_call(struct memory_store *store, enum memory_call call,
                                                struct error *error)
{
    struct memory_fault fault;
    enum store_status status = begin_call(store, call, &fault, error);
    if (status != STORE_OK)
        return status;
    assert(store->transaction != NULL);
    if (store->transaction->abort_status != STORE_OK)
        error_set(error, "memory: the transaction is aborted");
    return store->transaction->abort_status;
}

/* --- the port --- */

int64_t memory_now_ms(const struct memory_database *database)
{
    return database->clock != NULL ? database->clock->wall_ms(database->clock) : 1;
}

static enum store_status prepare(struct store *base, struct error *error)
{
    struct memory_fault fault;
    return begin_call(to_memory(base), MEMORY_PREPARE, &fault, error);
}

/* Nothing can be missing here. */
static enum store_status repair(struct store *base, struct store_gap *ret_gap, struct error *error)
{
    *ret_gap = (struct store_gap){.names = {""}};
    return prepare(base, error);
}

static int64_t now_ms(struct store *base)
{
    return memory_now_ms(to_memory(base)->database);
}

static enum store_status start(struct store *base, struct error *error)
{
    (void)base; /* it knows the time */
    (void)error;
    return STORE_OK;
}

static enum store_status begin(struct store *base, struct error *error)
{
    struct memory_store *store = to_memory(base);
    struct memory_fault fault;
    assert(store->crashed || store->transaction == NULL);
    enum store_status status = begin_call(store, MEMORY_BEGIN, &fault, error);
    if (status != STORE_OK)
        return status;
    store->committed = store->abort_is_lost = false;
    store->transaction = memory_transaction_new(store->database);
    return STORE_OK;
}

static enum store_status take_advisory_lock(struct store *base, bool *ret_contended,
                                            struct error *error)
{
    struct memory_store *store = to_memory(base);
    enum store_status status = begin_transaction_call(store, MEMORY_LOCK, error);
    if (status == STORE_OK)
        status =
            memory_take_advisory_lock(store->transaction, store->session, ret_contended, error);
    return status;
}

static bool has_watched_key(const struct memory_database *database, const struct snapshot *snapshot)
{
    for (size_t i = 0; database->watched != NULL && i < snapshot->outcome_count; i++) {
        if (text_is(snapshot->outcomes[i].key, database->watched))
            return true;
    }
    return false;
}

static bool wants(const struct snapshot *snapshot, struct uuid id)
{
    for (size_t i = 0; i < snapshot->provider_count; i++) {
        if (!snapshot->providers[i].state.loaded && uuid_equal(snapshot->providers[i].id, id))
            return true;
    }
    for (size_t i = 0; i < snapshot->consumer_count; i++) {
        if (!snapshot->consumers[i].state.loaded && uuid_equal(snapshot->consumers[i].id, id))
            return true;
    }
    return false;
}

/* Returns the status of the first document whose load fails; OK if there is none. */
static enum store_status find_unloadable(const struct memory_database *database,
                                         const struct snapshot *snapshot, struct error *error)
{
    for (size_t i = 0; i < database->unloadable_count; i++) {
        if (wants(snapshot, database->unloadable[i].id)) {
            error_set(error, "memory: a document cannot be loaded");
            return database->unloadable[i].status;
        }
    }
    return STORE_OK;
}

static enum store_status load(struct store *base, struct snapshot *snapshot, struct error *error)
{
    struct memory_database *database = to_memory(base)->database;
    enum store_status status = begin_transaction_call(to_memory(base), MEMORY_LOAD, error);
    database->counters.watched_loads += has_watched_key(database, snapshot);
    if (status == STORE_OK)
        status = find_unloadable(database, snapshot, error);
    if (status == STORE_OK)
        memory_load(to_memory(base)->transaction, snapshot);
    if (status == STORE_OK && snapshot->bytes_max > 0 &&
        arena_bytes(snapshot->arena) > snapshot->bytes_max) {
        error_set(error, "memory: the documents are too large");
        status = STORE_TOO_LARGE;
    }
    return status;
}

static enum store_status write(struct store *base, const struct snapshot *snapshot,
                               struct error *error)
{
    enum store_status status = begin_transaction_call(to_memory(base), MEMORY_WRITE, error);
    return status == STORE_OK ? memory_write(to_memory(base)->transaction, snapshot, error)
                              : status;
}

static enum store_status write_letters(struct store *base, const struct letter *letters,
                                       size_t count, struct error *error)
{
    enum store_status status = begin_transaction_call(to_memory(base), MEMORY_WRITE_LETTERS, error);
    if (status != STORE_OK)
        return status;
    return memory_write_letters(to_memory(base)->transaction, letters, count, error);
}

static enum store_status commit(struct store *base, struct error *error)
{
    struct memory_store *store = to_memory(base);
    struct memory_fault fault;
    enum store_status status = begin_call(store, MEMORY_COMMIT, &fault, error);
    if (status != STORE_OK || store->committed)
        return status;
    assert(store->transaction != NULL);
    if (store->transaction->abort_status != STORE_OK) {
        error_set(error, "memory: the transaction is aborted");
        return store->transaction->abort_status;
    }
    commit_open(store);
    return STORE_OK;
}

static void end(struct store *base)
{
    drop_transaction(to_memory(base), to_memory(base)->abort_is_lost);
}

static void renew(struct store *base)
{
    assert(to_memory(base)->transaction == NULL);
}

static void limit_calls(struct store *base, int64_t limit_ms)
{
    (void)base; /* calls take no time */
    assert(limit_ms > 0);
    (void)limit_ms;
}

static enum store_status prove_health(struct store *base, uint64_t *ret_primary,
                                      struct error *error)
{
    struct memory_store *store = to_memory(base);
    struct memory_fault fault;
    assert(store->crashed || store->transaction == NULL);
    *ret_primary = store->database->elections + 1;
    enum store_status status = begin_call(store, MEMORY_PROVE, &fault, error);
    return status == STORE_OK ? STORE_OK : STORE_UNAVAILABLE;
}

static void store_free(struct store *base)
{
    if (base == NULL)
        return;
    drop_transaction(to_memory(base), to_memory(base)->abort_is_lost);
    free(base);
}

/* --- attempt records: each change of a command is a commit of its own --- */

enum change_kind { CHANGE_RECORD, CHANGE_WITHDRAW, CHANGE_CLEAR };

static struct memory_document *attempts_of(struct memory_store *store,
                                           const struct attempt_key *key)
{
    struct text joined;
    char *owned = memory_command_key(key->principal, key->key, &joined);
    struct memory_document *document = memory_find_or_add(store->database, KIND_ATTEMPTS, joined);
    free(owned);
    return document;
}

/* Copies the records of other families. */
static void copy_other_attempts(struct memory_version *version, const struct memory_version *before,
                                uint64_t family)
{
    for (size_t i = 0; before != NULL && i < before->attempt_count; i++) {
        if (before->attempts[i].family != family)
            version->attempts[version->attempt_count++] = before->attempts[i];
    }
}

static void apply_change(struct memory_store *store, enum change_kind kind,
                         const struct attempt_key *key, size_t size)
{
    struct memory_document *document = attempts_of(store, key);
    struct memory_version *version = memory_version_new(kind != CHANGE_CLEAR);
    if (kind != CHANGE_CLEAR)
        copy_other_attempts(version, document->newest, store->family);
    if (kind == CHANGE_RECORD) {
        assert(version->attempt_count < MEMORY_ATTEMPTS_MAX);
        version->attempts[version->attempt_count++] = (struct memory_attempt){store->family, size};
    }
    memory_install(store->database, document, version);
}

static enum store_status change_attempts(struct store *base, enum change_kind kind,
                                         const struct attempt_key *keys, size_t count, size_t batch,
                                         struct error *error)
{
    struct memory_fault fault = {0};
    enum store_status status = begin_call(to_memory(base), MEMORY_ATTEMPT, &fault, error);
    bool applied = fault.fate == MEMORY_APPLIED && fault.call == MEMORY_ATTEMPT;
    for (size_t i = 0; i < count && (status == STORE_OK || applied); i++)
        apply_change(to_memory(base), kind, &keys[i], batch);
    return status;
}

static enum store_status find_attempts(struct store *base, const struct attempt_key *keys,
                                       size_t count, struct attempt_history *ret_histories,
                                       struct error *error)
{
    struct memory_store *store = to_memory(base);
    struct memory_fault fault = {0};
    enum store_status status = begin_call(store, MEMORY_ATTEMPT, &fault, error);
    for (size_t i = 0; i < count && status == STORE_OK; i++) {
        const struct memory_version *version = attempts_of(store, &keys[i])->newest;
        ret_histories[i] = (struct attempt_history){0};
        for (size_t j = 0; version != NULL && j < version->attempt_count; j++) {
            const struct memory_attempt *record = &version->attempts[j];
            if (record->family == store->family ||
                memory_is_stopped(store->database, record->family))
                continue;
            ret_histories[i].alone += record->size == 1;
            if (ret_histories[i].smallest == 0 || record->size < ret_histories[i].smallest)
                ret_histories[i].smallest = record->size;
        }
    }
    return status;
}

static enum store_status record_attempts(struct store *base, const struct attempt_key *keys,
                                         size_t count, size_t batch, struct error *error)
{
    return change_attempts(base, CHANGE_RECORD, keys, count, batch, error);
}

static enum store_status withdraw_attempts(struct store *base, const struct attempt_key *keys,
                                           size_t count, struct error *error)
{
    return change_attempts(base, CHANGE_WITHDRAW, keys, count, 0, error);
}

static enum store_status clear_attempts(struct store *base, const struct attempt_key *keys,
                                        size_t count, struct error *error)
{
    return change_attempts(base, CHANGE_CLEAR, keys, count, 0, error);
}

/* --- publishing of letters --- */

/* Begins a call, as begin_call(). Sets whether the call takes effect, which it may do although it
   fails. */
static enum store_status begin_letter_call(struct memory_store *store, bool *ret_applies,
                                           struct error *error)
{
    struct memory_fault fault = {0};
    enum store_status status = begin_call(store, MEMORY_LETTER, &fault, error);
    *ret_applies = status == STORE_OK || fault.fate == MEMORY_APPLIED;
    return status;
}

static enum store_status mark_letters_published(struct store *base, const struct text *ids,
                                                size_t count, struct error *error)
{
    bool applies = false;
    enum store_status status = begin_letter_call(to_memory(base), &applies, error);
    enum store_status result = STORE_OK;
    if (applies)
        result = memory_mark_published(to_memory(base)->database, ids, count, error);
    return status == STORE_OK ? result : status;
}

static enum store_status mark_letter_refused(struct store *base, struct text id, struct text reason,
                                             struct error *error)
{
    bool applies = false;
    enum store_status status = begin_letter_call(to_memory(base), &applies, error);
    enum store_status result = STORE_OK;
    if (applies)
        result = memory_mark_refused(to_memory(base)->database, id, reason, error);
    return status == STORE_OK ? result : status;
}

/* As in common/mongo/letters.c: a call that is repeated after a failure has the same name. */
static enum store_status claim_letters(struct store *base, size_t max, size_t bytes_max,
                                       struct arena *arena, struct letter **ret_letters,
                                       size_t *ret_count, struct error *error)
{
    struct memory_store *store = to_memory(base);
    bool applies = false;
    enum store_status status = begin_letter_call(store, &applies, error);
    enum store_status result = STORE_OK;
    struct text name =
        text_format(arena, "session-%" PRIu64 ".%" PRIu64, store->session, store->claims);
    *ret_count = 0;
    if (applies)
        result = memory_claim_letters(store->database, name, max, bytes_max, arena, ret_letters,
                                      ret_count, error);
    if (status == STORE_OK)
        status = result;
    store->claims += status == STORE_OK;
    if (status != STORE_OK)
        *ret_count = 0;
    return status;
}

static enum store_status find_letters(struct store *base, const struct text *ids, size_t count,
                                      struct arena *arena, struct letter_sighting *ret_sightings,
                                      struct error *error)
{
    bool applies = false;
    enum store_status status = begin_letter_call(to_memory(base), &applies, error);
    if (status == STORE_OK)
        memory_find_letters(to_memory(base)->database, ids, count, arena, ret_sightings);
    return status;
}

static enum store_status measure_letters(struct store *base, int64_t max_bytes, struct arena *arena,
                                         struct letter_measure *ret_measure, struct error *error)
{
    bool applies = false;
    enum store_status status = begin_letter_call(to_memory(base), &applies, error);
    *ret_measure = (struct letter_measure){.count = 0};
    if (status == STORE_OK)
        memory_measure_letters(to_memory(base)->database, max_bytes, arena, ret_measure);
    return status;
}

static enum store_status trim_letters(struct store *base, const struct letter_cut *cut,
                                      struct letter_trimmed *ret_trimmed, struct error *error)
{
    bool applies = false;
    enum store_status status = begin_letter_call(to_memory(base), &applies, error);
    enum store_status result = STORE_OK;
    *ret_trimmed = (struct letter_trimmed){.letters = 0};
    if (applies)
        result = memory_trim_letters(to_memory(base)->database, cut, ret_trimmed, error);
    return status == STORE_OK ? result : status;
}

/* --- notifications --- */

static enum store_status find_notifications(struct store *base, int64_t rate, int64_t pause_ms,
                                            struct error *error)
{
    bool applies = false;
    enum store_status status = begin_letter_call(to_memory(base), &applies, error);
    if (applies)
        memory_find_notifications(to_memory(base)->database, rate, pause_ms);
    return status;
}

static enum store_status claim_notification(struct store *base, int64_t claim_ms,
                                            struct arena *arena, bool *ret_found,
                                            struct notification *ret_notification,
                                            struct error *error)
{
    bool applies = false;
    enum store_status status = begin_letter_call(to_memory(base), &applies, error);
    *ret_found = applies && memory_claim_notification(to_memory(base)->database, claim_ms, arena,
                                                      ret_notification);
    *ret_found = *ret_found && status == STORE_OK;
    return status;
}

static enum store_status end_notification(struct store *base,
                                          const struct notification *notification,
                                          enum notification_end end, int64_t pause_ms,
                                          struct error *error)
{
    bool applies = false;
    enum store_status status = begin_letter_call(to_memory(base), &applies, error);
    if (applies)
        memory_end_notification(to_memory(base)->database, notification, end, pause_ms);
    return status;
}

/* --- workers --- */

static enum store_status report_worker(struct store *base, const struct worker_report *report,
                                       struct error *error)
{
    struct memory_store *store = to_memory(base);
    struct memory_fault fault = {0};
    enum store_status status = begin_call(store, MEMORY_REPORT, &fault, error);
    if (status == STORE_OK || (fault.call == MEMORY_REPORT && fault.fate == MEMORY_APPLIED))
        memory_report_worker(store->database, store->family, report->state);
    return status;
}

static const struct store_ops operations = {
    .prepare = prepare,
    .repair = repair,
    .start = start,
    .now_ms = now_ms,
    .begin = begin,
    .take_advisory_lock = take_advisory_lock,
    .load = load,
    .write = write,
    .write_letters = write_letters,
    .commit = commit,
    .end = end,
    .renew = renew,
    .limit_calls = limit_calls,
    .prove_health = prove_health,
    .find_attempts = find_attempts,
    .record_attempts = record_attempts,
    .withdraw_attempts = withdraw_attempts,
    .clear_attempts = clear_attempts,
    .mark_letters_published = mark_letters_published,
    .mark_letter_refused = mark_letter_refused,
    .claim_letters = claim_letters,
    .find_letters = find_letters,
    .measure_letters = measure_letters,
    .trim_letters = trim_letters,
    .find_notifications = find_notifications,
    .claim_notification = claim_notification,
    .end_notification = end_notification,
    .report_worker = report_worker,
    .free = store_free,
};

struct store *memory_store_new(struct memory_database *database)
{
    struct memory_store *store = MEMORY_NEW(struct memory_store);
    store->base.ops = &operations;
    store->database = database;
    store->session = store->family = ++database->sessions;
    return &store->base;
}

struct store *memory_store_sibling(const struct store *first)
{
    const struct memory_store *sibling = (const struct memory_store *)first;
    struct memory_store *store = to_memory(memory_store_new(sibling->database));
    store->family = sibling->family;
    return &store->base;
}

/* --- the database, for tests --- */

struct memory_database *memory_database_new(void)
{
    return MEMORY_NEW(struct memory_database);
}

void memory_database_use_clock(struct memory_database *database, struct clock *clock)
{
    database->clock = clock;
}

void memory_database_free(struct memory_database *database)
{
    if (database == NULL)
        return;
    while (database->transactions != NULL)
        memory_transaction_free(database->transactions);
    memory_tables_free(database);
    memory_notifications_free(database);
    free(database->workers);
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
    database->unloadable_count = 0;
}

void memory_database_refuse(struct memory_database *database, struct uuid id)
{
    assert(database->refused_count < REFUSED_MAX);
    database->refused[database->refused_count++] = id;
}

void memory_database_fail_load_of(struct memory_database *database, struct uuid id,
                                  enum store_status status)
{
    assert(database->unloadable_count < REFUSED_MAX);
    database->unloadable[database->unloadable_count++] = (struct memory_unloadable){id, status};
}

void memory_database_elect(struct memory_database *database)
{
    database->elections++;
}

void memory_store_crash(struct store *base, enum memory_fate fate)
{
    drop_transaction(to_memory(base), fate == MEMORY_LINGERS);
    to_memory(base)->crashed = true;
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
        memory_transaction_abort(open, STORE_EXPIRED);
}

void memory_database_watch(struct memory_database *database, const char *key)
{
    database->watched = key;
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
    size_t length = strlen(document->key.bytes); /* a NUL separates principal and key */
    struct text principal = text_view(document->key.bytes, length);
    struct text key =
        text_view(document->key.bytes + length + 1, document->key.length - length - 1);
    visitor->attempts(visitor->context, principal, key, (int64_t)document->newest->attempt_count);
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
    if (kind == KIND_LETTER && visitor->letter != NULL)
        visitor->letter(visitor->context, &version->letter);
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
