/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool: what all stores of a process share. It has libmongoc's client pool with the timeouts
 * and concerns, the names of the collections, and the counters. Internal to common/mongo.
 */
#ifndef ALLOT_MONGO_POOL_H
#define ALLOT_MONGO_POOL_H

#include "common/mongo/libmongoc.h"
#include "common/mongo/mongo_store.h"

/* X(identifier, name in the database) */
#define MONGO_COLLECTIONS(X)                                                                       \
    X(PROVIDERS, "providers")                                                                      \
    X(CONSUMERS, "consumers")                                                                      \
    X(OUTCOMES, "outcomes")                                                                        \
    X(ATTEMPTS, "attempts")                                                                        \
    X(FENCES, "fences")                                                                            \
    X(LETTERS, "letters")                                                                          \
    X(WORKERS, "workers")                                                                          \
    X(NOTIFICATIONS, "notifications")

enum mongo_collection {
#define X(id, name) MONGO_##id,
    MONGO_COLLECTIONS(X)
#undef X
        MONGO_COLLECTION_COUNT
};

/* Returns the name of the collection in the database. Static. */
const char *mongo_collection_name(enum mongo_collection collection);

/* Parses a URI; the caller destroys it. Returns NULL, with an error, if it is invalid, or if a file
   that it names is not a regular file. Does not connect. */
mongoc_uri_t *mongo_uri_parse(struct text text, struct error *error);

/* MongoDB's default of transactionLifetimeLimitSeconds. It counts if the server's value cannot be
   read. */
enum { LIFETIME_DEFAULT_MS = 60 * 1000 };

struct mongo_pool {
    mongoc_client_pool_t *clients; /* owned */
    char *database;                /* owned */
    char *worker;                  /* the worker's name; owned */
    char process_id[25];           /* unique for each process start, unlike the worker's name */
    int64_t started_ms;            /* when it was created, by the monotonic clock */
    struct clock *clock;           /* borrowed */
    int64_t timeout_ms;
    int64_t retention_ms;
    int64_t letters_retention_ms;
    int64_t server_time_ms; /* the server's time limit of one command, below the socket timeout */
    _Atomic int64_t lifetime_ms; /* the server's limit for a transaction; `prepare` sets it */
    _Atomic bool lifetime_warned, ttl_warned; /* `prepare` of any store has logged the warning */
    _Atomic uint64_t stores;                  /* created so far; gives each store its number */
    _Atomic uint64_t primary_changes;         /* as libmongoc's monitoring saw them */
    _Atomic bool clock_differs;          /* this machine's wall clock is far from the database's */
    _Atomic uint64_t clock_measurements; /* of the database's clock, that succeeded */
    _Atomic uint64_t commands;
    _Atomic uint64_t documents_returned;
    struct mongo_pool *next_left; /* the pool that was left before this one */
};

#endif
