/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database in memory, and stores (allot/store.h) that work on it, for tests. Several stores share
 * one database. It has snapshots, write conflicts, unique names and validators as MongoDB has them;
 * the suites tests/contract/test_store*.c run against both. Tests inject faults, crash stores and
 * read the committed documents with the calls below.
 *
 * It is deterministic: no thread, no random number, and no clock but the one that a test gives it:
 * the database's clock, which has nothing to do with those of the workers.
 * It shares no code with the planner. What it does not have: durability, expiry of outcomes,
 * attempt records, letters and workers, limits of size, and elections. Its transactions expire only
 * by memory_database_expire().
 */
#ifndef ALLOT_MEMORY_STORE_H
#define ALLOT_MEMORY_STORE_H

#include "allot/clock.h"
#include "allot/store.h"

/* How long letters are kept after they were published. */
enum { MEMORY_LETTERS_RETENTION_MS = 2 * 3600 * 1000 };

struct memory_database;

/* Creates an empty database, owned by the caller. */
struct memory_database *memory_database_new(void);
/* Sets the database's clock, which is borrowed: its wall clock counts. Without one the time is
   always 1. */
void memory_database_use_clock(struct memory_database *database, struct clock *clock);
/* Frees the database; its stores have to be freed before. NULL is allowed. */
void memory_database_free(struct memory_database *database);

/* Creates a store with a session of its own, freed with `ops->free`: a worker of its own, together
   with its siblings. `database` is borrowed. */
struct store *memory_store_new(struct memory_database *database);
/* The same, of the worker and with the attempt records of `store`, which is borrowed. */
struct store *memory_store_sibling(const struct store *store);

/* --- faults --- */

/* The calls of the port. ATTEMPT stands for the four calls for attempt records, LETTER for the
   calls that look for letters, publish, measure or trim them, and for those for notifications. */
enum memory_call {
    MEMORY_PREPARE,
    MEMORY_BEGIN,
    MEMORY_LOCK,
    MEMORY_LOAD,
    MEMORY_WRITE,
    MEMORY_COMMIT,
    MEMORY_ATTEMPT,
    MEMORY_WRITE_LETTERS,
    MEMORY_LETTER,
    MEMORY_PROVE,
    MEMORY_REPORT,
    MEMORY_ANY_CALL
};

/*
 * What a failed call did in the database:
 *   LOST     the request never arrived, so it had no effect. After UNKNOWN, commit may be called
 *            again; `end` aborts
 *   APPLIED  the request took effect, but its answer was lost; only for COMMIT, ATTEMPT, LETTER
 *            and REPORT
 *   LINGERS  neither the request nor the later abort arrives: the open transaction blocks its
 *            documents until memory_database_resolve_commit() or memory_database_expire()
 */
enum memory_fate { MEMORY_LOST, MEMORY_APPLIED, MEMORY_LINGERS };

struct memory_fault {
    enum memory_call call;
    size_t after; /* calls that succeed first */
    size_t times; /* calls that fail then; 0 means 1 */
    enum store_status status;
    enum memory_fate fate;
    bool crash; /* the store that gets the fault crashes: all its later calls are UNAVAILABLE */
};

/* Adds a fault. Calls of all stores count. If several faults are due, the oldest one is used. */
void memory_database_fail(struct memory_database *database, struct memory_fault fault);
/* Removes all faults that wait, and ends the effect of memory_database_refuse(). */
void memory_database_clear_faults(struct memory_database *database);
/* Lets the database refuse this provider or consumer from now on, as a validator does. */
void memory_database_refuse(struct memory_database *database, struct uuid id);

/* Lets each load of this provider or consumer fail with this status from now on, until
   memory_database_clear_faults(). */
void memory_database_fail_load_of(struct memory_database *database, struct uuid id,
                                  enum store_status status);
/* Makes another node the primary. */
void memory_database_elect(struct memory_database *database);

/* Gives a committed letter another state, as people do. */
void memory_database_set_letter_state(struct memory_database *database, struct text id,
                                      enum letter_state new_state);

/* Crashes a store: its calls fail from now on. Its transaction is aborted, or lingers (LINGERS). */
void memory_store_crash(struct store *store, enum memory_fate fate);
/* Counts the lingering transactions. */
size_t memory_database_lingering(const struct memory_database *database);
/* Commits (`apply`) or aborts all lingering transactions. */
void memory_database_resolve_commit(struct memory_database *database, bool apply);
/* Aborts every open transaction. The next call of its store returns EXPIRED. */
void memory_database_expire(struct memory_database *database);

/* --- counters and content --- */

struct memory_counters {
    size_t calls[MEMORY_ANY_CALL];
    size_t documents_returned;
    size_t documents_written; /* by committed transactions, including insert-and-delete */
    size_t watched_loads;     /* loads that asked for the outcome of the watched key */
};
/* Counts the loads of the batches that have this key, borrowed; see watched_loads. */
void memory_database_watch(struct memory_database *database, const char *key);
struct memory_counters memory_database_counters(const struct memory_database *database);
/* Returns a number that grows by one with each commit that wrote something. */
uint64_t memory_database_sequence(const struct memory_database *database);

/* Counts the workers that reported this state last. */
size_t memory_database_workers(const struct memory_database *database, enum worker_state state);

/* Functions that are NULL are skipped. All arguments are borrowed until the function returns. */
struct memory_visitor {
    void *context;
    void (*provider)(void *context, const struct provider *provider);
    void (*consumer)(void *context, const struct consumer *consumer);
    void (*outcome)(void *context, const struct outcome *outcome);
    void (*attempts)(void *context, struct text principal, struct text key, int64_t count);
    void (*letter)(void *context, const struct letter_record *letter);
};
/* Calls the visitor with each committed document, in order of kind and key. */
void memory_database_visit(const struct memory_database *database,
                           const struct memory_visitor *visitor);

#endif
