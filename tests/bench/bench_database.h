/* SPDX-License-Identifier: Apache-2.0 */
/* A database as the worker makes it, seen from outside: seeded before a run, audited after it. */
#ifndef BENCH_DATABASE_H
#define BENCH_DATABASE_H

#include <mongoc/mongoc.h>

#include "tests/bench/bench_claims.h"

struct database {
    mongoc_client_t *client;
    mongoc_database_t *handle;
    mongoc_collection_t *providers, *consumers, *outcomes;
};

/* Made anew, with the validators and indexes of the worker's, and so many empty providers. */
struct database database_open(const char *name, uint32_t provider_count);
void database_drop(struct database *database);
/* Dies where usage, allocations and claims differ by anything. */
void database_audit(struct database *database, size_t claims);
int64_t database_transactions(struct database *database);

#endif
