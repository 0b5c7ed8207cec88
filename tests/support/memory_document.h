/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the memory store: documents with their versions, and the transactions that write them.
 * A reader sees the newest version that is not younger than its snapshot.
 */
#ifndef ALLOT_MEMORY_DOCUMENT_H
#define ALLOT_MEMORY_DOCUMENT_H

#include "tests/support/memory_store.h"

/* A name is a document of its own, so that the unique index is nothing special. */
enum memory_kind {
    KIND_PROVIDER,
    KIND_CONSUMER,
    KIND_OUTCOME,
    KIND_NAME,
    KIND_ATTEMPTS,
    KIND_TURN,
    KIND_COUNT
};

enum { MARKS_MAX = 64 };

/* An attempt at a command, and the session that attempt_sent it. */
struct memory_mark {
    uint64_t session;
    uint64_t attempt;
};

struct memory_version {
    struct memory_version *older;
    uint64_t sequence;
    bool exists; /* false: deleted, or touched */
    struct arena *arena;
    struct provider provider; /* by kind; the rest is zero */
    struct consumer consumer;
    struct outcome outcome;
    struct uuid holder;
    uint64_t turn_of; /* the session that took it */
    struct memory_mark marks[MARKS_MAX];
    size_t mark_count;
};

struct memory_transaction;

struct memory_document {
    struct text key; /* owned */
    struct memory_version *newest;
    struct memory_transaction *writer; /* uncommitted; NULL: nobody */
    struct memory_version *pending;    /* the writer's */
};

struct memory_table {
    struct memory_document **items; /* by key */
    size_t count;
    size_t capacity;
};

struct memory_transaction {
    struct memory_transaction *next;
    struct memory_database *database;
    bool has_snapshot;
    uint64_t snapshot;
    enum store_status doom; /* not OK: aborted, and why */
    bool lingers;           /* has no owner any more */
    struct memory_document **written;
    size_t written_count;
    size_t written_capacity;
};

enum { FAULTS_MAX = 64, REFUSED_MAX = 64 };

struct memory_database {
    struct memory_table tables[KIND_COUNT];
    struct memory_transaction *transactions; /* open ones, doomed ones with an owner included */
    uint64_t sequence;
    uint64_t sessions; /* opened so far */
    struct memory_fault faults[FAULTS_MAX];
    size_t fault_count;
    struct uuid refused[REFUSED_MAX];
    size_t refused_count;
    struct memory_counters counters;
};

/* Aborts the process where there is no memory. */
void *memory_alloc(size_t bytes);

struct text memory_uuid_key(const struct uuid *id);
/* Principal and key, in their order. To be freed. */
char *memory_command_key(struct text principal, struct text key, struct text *ret_key);

/* NULL where there was never one. */
struct memory_document *memory_find(const struct memory_database *database, enum memory_kind kind,
                                    struct text key);
struct memory_document *memory_find_or_add(struct memory_database *database, enum memory_kind kind,
                                           struct text key);
/* What a snapshot shows: NULL where nothing exists. */
const struct memory_version *memory_visible(const struct memory_document *document,
                                            uint64_t snapshot);
struct memory_version *memory_version_new(bool exists);
void memory_version_free(struct memory_version *version);
/* Makes `version` the newest, and drops those that no open snapshot needs. */
void memory_install(struct memory_database *database, struct memory_document *document,
                    struct memory_version *version);
void memory_tables_free(struct memory_database *database);

/* Deep copies, without the marks of dirt. */
void memory_copy_provider(struct arena *arena, const struct provider *from, struct provider *to);
void memory_copy_consumer(struct arena *arena, const struct consumer *from, struct consumer *to);
void memory_copy_outcome(struct arena *arena, const struct outcome *from, struct outcome *to);

struct memory_transaction *memory_transaction_new(struct memory_database *database);
/* Of an open or doomed one; it is gone after. */
void memory_transaction_commit(struct memory_transaction *transaction);
void memory_transaction_free(struct memory_transaction *transaction);
/* Gives its documents free and remembers why. */
void memory_transaction_doom(struct memory_transaction *transaction, enum store_status why);
/* Its first read or write fixes what it sees. */
void memory_transaction_see(struct memory_transaction *transaction);

/* The one document that all who take their turn write. */
enum store_status memory_take_advisory_lock(struct memory_transaction *transaction,
                                            uint64_t session, bool *ret_contended,
                                            struct error *error);
enum store_status memory_write(struct memory_transaction *transaction,
                               const struct snapshot *snapshot, struct error *error);
void memory_load(struct memory_transaction *transaction, struct snapshot *snapshot);

#endif
