/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the memory store share: documents with their versions, and the transactions
 * that write them. For memory_store.c, memory_document.c, memory_load.c, memory_write.c,
 * memory_letters.c, memory_letter_bounds.c and memory_workers.c only.
 *
 * Each commit gets the next sequence number. A transaction's snapshot is the sequence number of its
 * first read or write. It sees of each document the newest version that is not newer than its
 * snapshot, and never its own writes. An uncommitted write is the `pending` version of a document;
 * only one transaction at a time can have one.
 */
#ifndef ALLOT_MEMORY_DOCUMENT_H
#define ALLOT_MEMORY_DOCUMENT_H

#include "tests/support/memory_store.h"

/* A provider's name is a document too, so the unique index needs no code of its own. */
enum memory_kind {
    KIND_PROVIDER,
    KIND_CONSUMER,
    KIND_OUTCOME,
    KIND_NAME,
    KIND_ATTEMPTS,
    KIND_LOCK, /* one document: the advisory lock */
    KIND_LETTER,
    KIND_COUNT
};

enum { MEMORY_ATTEMPTS_MAX = 64 };

/* An attempt record: the family of the store that recorded it, and the size of its batch. */
struct memory_attempt {
    uint64_t family;
    size_t size;
};

struct memory_version {
    struct memory_version *older;
    uint64_t sequence;
    bool exists; /* false: deleted, or inserted and deleted */
    struct arena *arena;
    /* The members of the document's kind are set; the others are zero. */
    struct provider provider;
    struct consumer consumer;
    struct outcome outcome;
    struct letter_record letter;
    struct uuid holder;  /* of the name */
    uint64_t lock_taker; /* session that took the lock */
    struct memory_attempt attempts[MEMORY_ATTEMPTS_MAX];
    size_t attempt_count;
};

struct memory_transaction;

struct memory_document {
    struct text key; /* owned */
    struct memory_version *newest;
    struct memory_transaction *writer; /* has an uncommitted write; NULL: none has */
    struct memory_version *pending;    /* what the writer wrote */
};

struct memory_table {
    struct memory_document **items; /* sorted by key */
    size_t count;
    size_t capacity;
};

struct memory_transaction {
    struct memory_transaction *next;
    struct memory_database *database;
    bool has_snapshot;
    uint64_t snapshot;
    enum store_status abort_status; /* OK: open; else aborted, and the status for its store */
    bool lingers;                   /* no store owns it any more */
    struct memory_document **written;
    size_t written_count;
    size_t written_capacity;
};

enum { FAULTS_MAX = 64, REFUSED_MAX = 64 };

/* A document whose loads fail. */
struct memory_unloadable {
    struct uuid id;
    enum store_status status;
};

/* What a worker reported last. */
struct memory_worker {
    uint64_t life;
    enum worker_state state;
};

/* A group that is known, or the rate; see the port. */
struct memory_notification {
    char *group; /* owned; NULL: the rate */
    size_t group_length;
    int64_t at_ms;
    int64_t due_ms; /* 0: it is not to be sent */
    uint64_t claim; /* the number of the claim; 0: there is none */
    int64_t tries;
    int64_t letters;
    int64_t over_until_ms;
    int64_t expires_ms;
};

struct memory_database {
    struct memory_table tables[KIND_COUNT];
    struct memory_transaction *transactions; /* open, or aborted but not yet ended by their store */
    uint64_t sequence;
    uint64_t sessions; /* opened so far */
    struct memory_fault faults[FAULTS_MAX];
    size_t fault_count;
    struct uuid refused[REFUSED_MAX];
    size_t refused_count;
    struct memory_unloadable unloadable[REFUSED_MAX];
    size_t unloadable_count;
    uint64_t elections; /* the term of the primary is one higher */
    struct memory_counters counters;
    const char *watched;           /* a key, or NULL; borrowed */
    struct clock *clock;           /* or NULL; borrowed */
    struct memory_worker *workers; /* owned */
    size_t worker_count;
    struct memory_notification *notifications; /* owned */
    size_t notification_count;
    size_t notification_capacity;
    uint64_t notification_claims; /* made so far */
    int64_t seen_ms;              /* up to when letters were looked at; 0: never */
};

/* Returns the time by the database's clock. */
int64_t memory_now_ms(const struct memory_database *database);

/* --- documents (memory_document.c) --- */

/* Returns the bytes of `id` as a key, borrowed from it. */
struct text memory_uuid_key(const struct uuid *id);
/* Joins principal and key, so that documents are sorted by them. The caller frees the result, which
   `ret_key` borrows. */
char *memory_command_key(struct text principal, struct text key, struct text *ret_key);

/* Returns the document, borrowed; NULL if it never existed. */
struct memory_document *memory_find(const struct memory_database *database, enum memory_kind kind,
                                    struct text key);
/* As memory_find(), but adds a document without a version if there is none. `key` is copied. */
struct memory_document *memory_find_or_add(struct memory_database *database, enum memory_kind kind,
                                           struct text key);
/* Returns the version that a snapshot sees, borrowed; NULL if the document does not exist in it.
   `document` may be NULL. */
const struct memory_version *memory_visible(const struct memory_document *document,
                                            uint64_t snapshot);
/* Creates a version, owned by the caller. */
struct memory_version *memory_version_new(bool exists);
/* Frees a version. NULL is allowed. */
void memory_version_free(struct memory_version *version);
/* Makes `version` the newest one, owned by the document. Frees the versions that no open snapshot
   sees. */
void memory_install(struct memory_database *database, struct memory_document *document,
                    struct memory_version *version);
/* Frees all documents of the database. */
void memory_tables_free(struct memory_database *database);

/* Deep copies into `arena`, with clean flags, as a load returns them. */
void memory_copy_provider(struct arena *arena, const struct provider *from, struct provider *to);
void memory_copy_consumer(struct arena *arena, const struct consumer *from, struct consumer *to);
void memory_copy_outcome(struct arena *arena, const struct outcome *from, struct outcome *to);

/* --- transactions (memory_write.c, memory_load.c) --- */

/* Creates a transaction without a snapshot, owned by the caller. */
struct memory_transaction *memory_transaction_new(struct memory_database *database);
/* Commits an open transaction, and frees it. */
void memory_transaction_commit(struct memory_transaction *transaction);
/* Drops all that is not committed, and frees the transaction. NULL is allowed. */
void memory_transaction_free(struct memory_transaction *transaction);
/* Drops all that the transaction wrote, and keeps `status` for its store. */
void memory_transaction_abort(struct memory_transaction *transaction, enum store_status status);
/* Takes the snapshot, unless the transaction has one. */
void memory_transaction_take_snapshot(struct memory_transaction *transaction);

/* Makes the transaction the writer of a document. Returns CONFLICT if another transaction is its
   writer, or has committed a write since the snapshot. */
enum store_status memory_acquire(struct memory_transaction *transaction,
                                 struct memory_document *document, struct error *error);

/* Writes the one lock document; see `take_advisory_lock` of the port. */
enum store_status memory_take_advisory_lock(struct memory_transaction *transaction,
                                            uint64_t session, bool *ret_contended,
                                            struct error *error);
/* Writes the dirty slots. Aborts the transaction unless it returns OK. */
enum store_status memory_write(struct memory_transaction *transaction,
                               const struct snapshot *snapshot, struct error *error);
/* Fills the slots that are not loaded. */
void memory_load(struct memory_transaction *transaction, struct snapshot *snapshot);

/* --- letters (memory_letters.c): the calls of the port, without faults --- */

/* Aborts the transaction unless it returns OK. */
enum store_status memory_write_letters(struct memory_transaction *transaction,
                                       const struct letter *letters, size_t count,
                                       struct error *error);
/* Return UNAVAILABLE if a letter is written by an open transaction: the server would wait for it.
 */
enum store_status memory_mark_published(struct memory_database *database, const struct text *ids,
                                        size_t count, struct error *error);
enum store_status memory_mark_refused(struct memory_database *database, struct text id,
                                      struct text reason, struct error *error);
/* Fills in what is stored under the ids. Texts are copied to `arena`. */
void memory_find_letters(const struct memory_database *database, const struct text *ids,
                         size_t count, struct arena *arena, struct letter_sighting *ret_sightings);
/* Claims under a name, of which all calls get the same letters. The texts are copied to `arena`. */
enum store_status memory_claim_letters(struct memory_database *database, struct text name,
                                       size_t max, size_t bytes_max, struct arena *arena,
                                       struct letter **ret_letters, size_t *ret_count,
                                       struct error *error);

/* Returns the letter's newest version; NULL if there is no such letter. `document` may be NULL. */
const struct letter_record *memory_newest_letter(const struct memory_document *document);
/* Sets the error of a call that meets a letter of an open transaction; returns UNAVAILABLE. */
enum store_status memory_letter_busy(struct error *error);
/* Commits a copy of the newest version, and returns it to be changed. */
struct letter_record *memory_change_letter(struct memory_database *database,
                                           struct memory_document *document);

/* --- workers (memory_workers.c) --- */

void memory_report_worker(struct memory_database *database, uint64_t life, enum worker_state state);
/* Returns whether the life has ended in order, so that its attempt records do not count. */
bool memory_is_stopped(const struct memory_database *database, uint64_t life);

/* --- notifications (memory_notifications.c): the calls of the port, without faults --- */

void memory_find_notifications(struct memory_database *database, int64_t rate, int64_t pause_ms);
/* Returns whether there was one. Texts are copied to `arena`. */
bool memory_claim_notification(struct memory_database *database, int64_t claim_ms,
                               struct arena *arena, struct notification *ret_notification);
void memory_end_notification(struct memory_database *database,
                             const struct notification *notification, enum notification_end end,
                             int64_t pause_ms);
void memory_notifications_free(struct memory_database *database);

/* --- bounds of letters (memory_letter_bounds.c): the calls of the port, without faults --- */

void memory_measure_letters(const struct memory_database *database, int64_t max_bytes,
                            struct arena *arena, struct letter_measure *ret_measure);
/* Returns UNAVAILABLE as the calls above. */
enum store_status memory_trim_letters(struct memory_database *database,
                                      const struct letter_cut *cut,
                                      struct letter_trimmed *ret_trimmed, struct error *error);

#endif
