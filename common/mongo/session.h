/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store: one client of the pool with one session, for one thread. Inside of common/mongo: what
 * its files share.
 */
#ifndef ALLOT_MONGO_SESSION_H
#define ALLOT_MONGO_SESSION_H

#include "common/mongo/pool.h"
#include "common/mongo/status.h"

struct mongo_store {
    struct store base;
    struct mongo_pool *pool;
    mongoc_client_t *client;
    mongoc_database_t *database;
    mongoc_collection_t *collections[MONGO_COLLECTION_COUNT];
    mongoc_client_session_t *session; /* made by `begin`: it may need a server */
    mongoc_transaction_opt_t *transaction_options;
    uint64_t number; /* of this store in its pool */
    char name[48];   /* no other store of any worker has it, nor had it */
    int64_t began_ms;
};

/* Fills `ret_options` for an operation inside the transaction. To be destroyed, also on failure. */
ALLOT_CHECK bool mongo_session_options(struct mongo_store *store, bson_t *ret_options,
                                       struct error *error);

/* What an operation's failure means. `reply` may be NULL. */
enum store_status mongo_failed(const struct mongo_store *store, enum mongo_phase phase,
                               const bson_error_t *cause, const bson_t *reply, struct error *error);

/*
 * Gives each document of the cursor to `row` and destroys the cursor; OK only when the cursor ended
 * without an error. A row that gives another status ends it.
 */
typedef enum store_status (*mongo_row)(void *context, const bson_t *document, struct error *error);
enum store_status mongo_each_row(struct mongo_store *store, enum mongo_phase phase,
                                 mongoc_cursor_t *cursor, mongo_row row, void *context,
                                 struct error *error);

/* A document that has not the form that our validators ask for: REFUSED, naming it. */
enum store_status mongo_malformed(enum mongo_collection collection, const bson_t *document,
                                  struct error *error);

/* The members of the port that have files of their own. */
enum store_status mongo_prepare(struct store *base, struct error *error);
enum store_status mongo_load(struct store *base, struct snapshot *snapshot, struct error *error);
enum store_status mongo_take_advisory_lock(struct store *base, bool *ret_contended,
                                           struct error *error);
enum store_status mongo_write(struct store *base, const struct snapshot *snapshot,
                              struct error *error);
/* The write of a batch of reads: its majority shows that what was read came from the primary
   still. */
enum store_status mongo_write_fence(struct mongo_store *store, struct error *error);
enum store_status mongo_record_attempt(struct store *base, struct text principal, struct text key,
                                       uint64_t attempt, int64_t *ret_crashed, struct error *error);
enum store_status mongo_withdraw_attempt(struct store *base, struct text principal, struct text key,
                                         uint64_t attempt, struct error *error);
enum store_status mongo_clear_attempts(struct store *base, struct text principal, struct text key,
                                       struct error *error);

#endif
