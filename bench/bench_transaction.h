/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents that the worker reads and writes for a batch of claims, in one transaction by bare
 * libmongoc. It decides nothing: a claim always fits.
 */
#ifndef BENCH_TRANSACTION_H
#define BENCH_TRANSACTION_H

#include "bench/bench_database.h"

struct holder; /* what is known of a provider */

struct raw {
    struct database database;
    struct shape shape;
    mongoc_client_session_t *session;
    struct bench_claim *claims; /* the batch's */
    size_t count;               /* of them */
    struct holder *refcount;    /* of each provider */
};

/* A database of its own; room for `batch` claims. To be closed. */
struct raw raw_open(const struct shape *shape, size_t batch, size_t seeded);
/* One transaction with the claims from number `first` on. */
void raw_transact(struct raw *raw, size_t first, size_t count);
/* Dies where the database does not show exactly so many claims. */
void raw_audit(struct raw *raw, size_t claims);
/* Drops the database. */
void raw_close(struct raw *raw);

#endif
