/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database with the worker's validators and indexes, made without the worker: it is seeded before
 * a run, and audited after it. Every function dies if the server reports an error.
 */
#ifndef BENCH_DATABASE_H
#define BENCH_DATABASE_H

#include "bench/bench_claims.h"
#include "common/mongo/libmongoc.h"

struct database {
    mongoc_client_t *client;
    mongoc_database_t *handle;
    mongoc_collection_t *providers, *consumers, *outcomes;
    char name[64];
    struct shape shape;
    size_t seeded;
    uint32_t *provider_claims; /* by provider index: how many seeded claims have it */
};

/*
 * Creates a database with all providers of the shape and with `seeded` consumers, whose claims have
 * the numbers from SEEDED_FIRST on. Its name is made of `purpose` and the process id.
 */
struct database database_open(const char *purpose, const struct shape *shape, size_t seeded);
/* Runs an admin command, in JSON, on every node of the replica set. */
void database_each_node(const struct database *database, const char *command);
/* Drops the database, and frees what database_open() allocated. */
void database_drop(struct database *database);

/* Dies if usages, allocations or numbers of documents differ from `totals` and what was seeded. */
void database_audit(struct database *database, const struct totals *totals);

/* Counters of the primary since it was started. */
struct server_counters {
    int64_t started, committed, aborted; /* transactions */
    int64_t commands;                    /* that read, write or commit */
    int64_t at_seconds, at_count;        /* operation time: the newest entry of the oplog */
};
struct server_counters database_counters(struct database *database);
/* Prints batch_p10=, batch_p50=, batch_p90= and batch_max=: outcomes that were inserted by one
   transaction, of all transactions after `since`. */
void database_print_batches(struct database *database, const struct server_counters *since);

/* Runs a command on database `on`; the reply is owned by the caller. */
void database_command(struct database *database, const char *on, const bson_t *command,
                      bson_t *ret_reply);

#endif
