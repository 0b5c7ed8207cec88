/* SPDX-License-Identifier: Apache-2.0 */
/* A database as the worker makes it, seen from outside: seeded before a run, audited after it. */
#ifndef BENCH_DATABASE_H
#define BENCH_DATABASE_H

#include <mongoc/mongoc.h>

#include "bench/bench_claims.h"

struct database {
    mongoc_client_t *client;
    mongoc_database_t *handle;
    mongoc_collection_t *providers, *consumers, *outcomes;
    char name[64];
    struct shape shape;
    size_t seeded;
    uint32_t *touched; /* by seeded claims: of each provider */
};

/*
 * Made anew, with the validators and indexes of the worker's, all providers of the shape, and so
 * many consumers, claims from SEEDED_FIRST on. `purpose` and the process make its name.
 */
struct database database_open(const char *purpose, const struct shape *shape, size_t seeded);
/* Runs an admin command on every node of the replica set. */
void database_each_node(const struct database *database, const char *command);
void database_drop(struct database *database);

/* Dies where usage, allocations or counts are not what they must be. */
void database_audit(struct database *database, const struct totals *totals);

/* What the primary has counted since it was started. */
struct server_counters {
    int64_t started, committed, aborted; /* transactions */
    int64_t commands;                    /* that read, write or commit */
    int64_t at_seconds, at_count;        /* the newest entry of the oplog */
};
struct server_counters database_counters(struct database *database);
/* Prints batch_p10=, batch_p50=, batch_p90= and batch_max=: outcomes a transaction since then. */
void database_print_batches(struct database *database, const struct server_counters *since);

/* Runs a command that must succeed; the reply is the caller's. */
void database_command(struct database *database, const char *on, const bson_t *command,
                      bson_t *ret_reply);

#endif
