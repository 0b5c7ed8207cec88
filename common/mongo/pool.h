/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all stores of a process share: the client pool with its time limits and concerns, and the
 * counters. Inside of common/mongo; it knows nothing of documents.
 */
#ifndef ALLOT_MONGO_POOL_H
#define ALLOT_MONGO_POOL_H

#include <mongoc/mongoc.h>

#include "common/mongo/mongo_store.h"

/* X(identifier, collection) */
#define MONGO_COLLECTIONS(X)                                                                       \
    X(PROVIDERS, "providers")                                                                      \
    X(CONSUMERS, "consumers")                                                                      \
    X(OUTCOMES, "outcomes")                                                                        \
    X(ATTEMPTS, "attempts")                                                                        \
    X(FENCES, "fences")

enum mongo_collection {
#define X(id, name) MONGO_##id,
    MONGO_COLLECTIONS(X)
#undef X
        MONGO_COLLECTION_COUNT
};

const char *mongo_collection_name(enum mongo_collection collection); /* static */

/* Of a server that does not tell its limit: the server's own default. */
enum { LIFETIME_DEFAULT_MS = 60 * 1000 };

struct mongo_pool {
    mongoc_client_pool_t *clients;
    char *database;
    char *worker;
    char life[25]; /* random: tells this process from every other, also of the same name */
    struct clock *clock;
    int64_t timeout_ms;
    int64_t retention_ms;
    int64_t
        server_time_ms; /* what the server may take for one command: less than the socket waits */
    _Atomic int64_t lifetime_ms; /* the server's limit for a transaction, as `prepare` found it */
    _Atomic uint64_t stores;     /* made so far: numbers their fence documents */
    _Atomic uint64_t commands;
    _Atomic uint64_t documents_returned;
};

#endif
