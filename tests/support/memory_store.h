/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage port in memory, for tests: a database that several stores share, with snapshots,
 * write conflicts and unique names as MongoDB has them (tests/contract shows it). Deterministic, no
 * threads: the order of calls is the only order. It shares no code with the planner.
 */
#ifndef ALLOT_MEMORY_STORE_H
#define ALLOT_MEMORY_STORE_H

#include "allot/store.h"

struct memory_database;

struct memory_database *memory_database_new(void);
/* Its stores are freed before it. NULL is allowed. */
void memory_database_free(struct memory_database *database);

struct store *memory_store_new(struct memory_database *database);

/* --- faults --- */

/* ATTEMPT: mark, unmark and forget. */
enum memory_call {
    MEMORY_PREPARE,
    MEMORY_BEGIN,
    MEMORY_TURN,
    MEMORY_LOAD,
    MEMORY_WRITE,
    MEMORY_COMMIT,
    MEMORY_ATTEMPT,
    MEMORY_ANY_CALL
};

/*
 * What becomes of what the failed call was about.
 *   LOST     it never arrived: no effect; after UNKNOWN the next commit decides, `end` aborts
 *   APPLIED  it took effect, only the answer was lost: commits and attempts
 *   LINGERS  it never arrived, nor will the abort: the transaction keeps its documents blocked
 * until memory_database_resolve_commit or _expire
 */
enum memory_fate { MEMORY_LOST, MEMORY_APPLIED, MEMORY_LINGERS };

struct memory_fault {
    enum memory_call call;
    size_t after; /* so many such calls pass first */
    size_t times; /* then so many fail; 0 is 1 */
    enum store_status status;
    enum memory_fate fate;
    bool crash; /* the store that meets it is cut off for good: UNAVAILABLE from then on */
};

/* Counts calls of all stores. Several may wait; of those that are due the first made wins. */
void memory_database_fail(struct memory_database *database, struct memory_fault fault);
/* Drops the faults that wait, and what is refused. */
void memory_database_clear_faults(struct memory_database *database);
/* From now on the database refuses to store this provider or consumer, as a validator would. */
void memory_database_refuse(struct memory_database *database, struct uuid id);

/* Cuts a store off, as a kill does: its open transaction is dropped, or lingers. */
void memory_store_crash(struct store *store, enum memory_fate fate);
/* Transactions that nobody will end. */
size_t memory_database_lingering(const struct memory_database *database);
/* They end now: their commit, late as it is, takes effect, or they are aborted. */
void memory_database_resolve_commit(struct memory_database *database, bool apply);
/* Every open transaction has outlived its limit: aborted; its owner hears EXPIRED. */
void memory_database_expire(struct memory_database *database);

/* --- what it saw and holds --- */

struct memory_counters {
    size_t calls[MEMORY_ANY_CALL];
    size_t documents_returned;
    size_t documents_written; /* of committed transactions, touched ones included */
};
struct memory_counters memory_database_counters(const struct memory_database *database);
/* Rises by one with each commit that wrote something. */
uint64_t memory_database_sequence(const struct memory_database *database);

/* NULL members are left out. Pointers are valid for the time of the call. In order of key. */
struct memory_visitor {
    void *context;
    void (*provider)(void *context, const struct provider *provider);
    void (*consumer)(void *context, const struct consumer *consumer);
    void (*outcome)(void *context, const struct outcome *outcome);
    void (*attempts)(void *context, struct text principal, struct text key, int64_t count);
};
/* Visits what is committed, for an auditor. */
void memory_database_visit(const struct memory_database *database,
                           const struct memory_visitor *visitor);

#endif
