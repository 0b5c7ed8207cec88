/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The struct of a store, which has one client of the pool and one session, and the functions that
 * the files of a store share. Internal to common/mongo.
 */
#ifndef ALLOT_MONGO_SESSION_H
#define ALLOT_MONGO_SESSION_H

#include "common/mongo/pool.h"
#include "common/mongo/status.h"

/* What a store knows of the database's clock (database_clock.c). */
struct database_clock {
    bool measured;
    int64_t offset_ms;   /* the database's time since the Unix epoch, minus the monotonic time */
    int64_t measured_ms; /* when, by the monotonic clock */
    uint64_t primary_changes; /* of the pool, before it was measured */
};

struct mongo_store {
    struct store base;
    struct mongo_pool *pool;
    mongoc_client_t *client;
    mongoc_database_t *database;
    mongoc_collection_t *collections[MONGO_COLLECTION_COUNT];
    mongoc_client_session_t *session; /* started by `begin`, since it may need a server; or NULL */
    mongoc_transaction_opt_t *transaction_options;
    char name[48];                /* unique: no other store of any worker has it, or ever had it */
    char family[48];              /* of attempt records: the name of the first of the siblings */
    uint64_t claims;              /* calls of claim_letters that returned OK */
    uint64_t notification_claims; /* calls of claim_notification */
    int64_t began_ms;             /* when the transaction began, by the monotonic clock */
    bool sentinels_seen;          /* in this transaction */
    int64_t call_limit_ms;        /* the server's time limit of a load */
    struct database_clock clock;
};

/* Initializes `ret_options` with what an operation inside the transaction needs. An operation
   without them runs outside of the transaction, and no error says so. The caller
   destroys them, also after a failure, which sets `error`. */
ALLOT_CHECK bool mongo_session_options(struct mongo_store *store, bson_t *ret_options,
                                       struct error *error);

/* Returns the status of a failed operation of this store, and sets `error`. `reply` may be NULL. */
enum store_status mongo_failed(const struct mongo_store *store, enum mongo_phase phase,
                               const bson_error_t *cause, const bson_t *reply, struct error *error);
/* Runs a bulk operation whose counts do not matter. It stays the caller's. */
enum store_status mongo_execute(struct mongo_store *store, mongoc_bulk_operation_t *bulk,
                                struct error *error);

/* Handles one document, which is borrowed for the call. A status other than OK ends the cursor. */
typedef enum store_status (*mongo_row)(void *context, const bson_t *document, struct error *error);
/* Calls `row` for each document of the cursor, and destroys the cursor. Returns OK only if the
   cursor has reached its end without an error. */
enum store_status mongo_each_row(struct mongo_store *store, enum mongo_phase phase,
                                 mongoc_cursor_t *cursor, mongo_row row, void *context,
                                 struct error *error);

/* Sets `error` to the name of a document that does not fit its validator; returns REFUSED. */
enum store_status mongo_malformed(enum mongo_collection collection, const bson_t *document,
                                  struct error *error);

/* Measures the database's clock, unless the last measurement still holds: it is not too old, and
   the primary is the same. What compares or stores a time calls it first. */
enum store_status mongo_measure_clock(struct mongo_store *store, enum mongo_phase phase,
                                      struct error *error);

/* Returns the time of the monotonic clock. */
int64_t mongo_monotonic_ms(const struct mongo_store *store);

/* Returns how far the wall clock of this machine is ahead of the database's. Valid after a
   measurement. */
int64_t mongo_wall_ahead_ms(struct mongo_store *store);

/* --- the calls of the port that have files of their own --- */

int64_t mongo_now_ms(struct store *base);

enum store_status mongo_prepare(struct store *base, struct error *error);
enum store_status mongo_repair(struct store *base, struct store_gap *ret_gap, struct error *error);
enum store_status mongo_load(struct store *base, struct snapshot *snapshot, struct error *error);
enum store_status mongo_take_advisory_lock(struct store *base, bool *ret_contended,
                                           struct error *error);
enum store_status mongo_write(struct store *base, const struct snapshot *snapshot,
                              struct error *error);
enum store_status mongo_find_attempts(struct store *base, const struct attempt_key *keys,
                                      size_t count, struct attempt_history *ret_histories,
                                      struct error *error);
enum store_status mongo_record_attempts(struct store *base, const struct attempt_key *keys,
                                        size_t count, size_t batch, struct error *error);
enum store_status mongo_withdraw_attempts(struct store *base, const struct attempt_key *keys,
                                          size_t count, struct error *error);
enum store_status mongo_clear_attempts(struct store *base, const struct attempt_key *keys,
                                       size_t count, struct error *error);
enum store_status mongo_write_letters(struct store *base, const struct letter *letters,
                                      size_t count, struct error *error);
enum store_status mongo_mark_letters_published(struct store *base, const struct text *ids,
                                               size_t count, struct error *error);
enum store_status mongo_mark_letter_refused(struct store *base, struct text id, struct text reason,
                                            struct error *error);
enum store_status mongo_claim_letters(struct store *base, size_t max, size_t bytes_max,
                                      struct arena *arena, struct letter **ret_letters,
                                      size_t *ret_count, struct error *error);
enum store_status mongo_measure_letters(struct store *base, int64_t max_bytes, struct arena *arena,
                                        struct letter_measure *ret_measure, struct error *error);
enum store_status mongo_trim_letters(struct store *base, const struct letter_cut *cut,
                                     struct letter_trimmed *ret_trimmed, struct error *error);

enum store_status mongo_find_letters(struct store *base, const struct text *ids, size_t count,
                                     struct arena *arena, struct letter_sighting *ret_sightings,
                                     struct error *error);

enum store_status mongo_prove_health(struct store *base, uint64_t *ret_primary,
                                     struct error *error);
enum store_status mongo_report_worker(struct store *base, const struct worker_report *report,
                                      struct error *error);

enum store_status mongo_find_notifications(struct store *base, int64_t rate, int64_t pause_ms,
                                           struct error *error);
enum store_status mongo_claim_notification(struct store *base, int64_t claim_ms,
                                           struct arena *arena, bool *ret_found,
                                           struct notification *ret_notification,
                                           struct error *error);
enum store_status mongo_end_notification(struct store *base,
                                         const struct notification *notification,
                                         enum notification_end end, int64_t pause_ms,
                                         struct error *error);

/* Writes the store's fence document in the transaction: a part of `write` (fence.c). */
enum store_status mongo_write_fence(struct mongo_store *store, struct error *error);

#endif
