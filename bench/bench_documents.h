/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the documents that the worker would write for claims. The benchmark seeds databases with
 * them, and the bare transaction (bench_transaction.c) writes them. bench_plans compares them with
 * the worker's own documents: a consumer must be equal to the byte; a provider and an outcome must
 * have the same fields, types and size.
 */
#ifndef BENCH_DOCUMENTS_H
#define BENCH_DOCUMENTS_H

#include "bench/bench_claims.h"
#include "common/mongo/libmongoc.h"

/* Each function appends to a bson_t that the caller has initialized. */

/* Appends a field with a UUID. */
void documents_append_uuid(bson_t *parent, const char *name, struct uuid uuid);
/* Appends {principal, key} of command `number`: the _id of its outcome. */
void documents_append_key(bson_t *parent, const char *name, uint64_t number);
/* Builds the provider with this index, after `claims` claims of the shape have been set on it. */
void documents_provider(bson_t *document, const struct shape *shape, uint32_t index,
                        uint32_t claims);
/* Builds the consumer that has exactly this claim. */
void documents_consumer(bson_t *document, const struct shape *shape,
                        const struct bench_claim *claim);
/* Builds the outcome of the command that made this consumer. `generations` are those of the claim's
   providers after the command. */
void documents_outcome(bson_t *document, const struct shape *shape, const struct bench_claim *claim,
                       const int64_t *generations);

#endif
