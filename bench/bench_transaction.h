/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare transaction: the reads and writes that the worker does for a batch of new claims, by
 * libmongoc alone. It decides nothing; every claim fits.
 */
#ifndef BENCH_TRANSACTION_H
#define BENCH_TRANSACTION_H

#include "bench/bench_database.h"

struct provider_state;

struct raw {
    struct database database;
    struct shape shape;
    mongoc_client_session_t *session;
    struct bench_claim *claims; /* of the batch */
    size_t count;
    struct provider_state *providers; /* by index */
};

/* Creates a database and a session, for batches of up to `batch` claims. Freed by raw_close(). */
struct raw raw_open(const struct shape *shape, size_t batch, size_t seeded);
/* Runs one transaction with `count` claims, from number `first` on. */
void raw_transact(struct raw *raw, size_t first, size_t count);
/* Dies unless the database has exactly `claims` claims beside the seeded ones. */
void raw_audit(struct raw *raw, size_t claims);
/* Drops the database, frees what `raw` owns, and cleans up libmongoc. */
void raw_close(struct raw *raw);

#endif
