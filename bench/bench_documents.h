/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents that the worker writes for claims, made without the worker: a database is seeded
 * with them, and the baseline `raw` writes them. bench_plans checks that a consumer is equal to the
 * worker's to the byte, and that the others have the worker's fields, types and size.
 */
#ifndef BENCH_DOCUMENTS_H
#define BENCH_DOCUMENTS_H

#include <bson/bson.h>

#include "bench/bench_claims.h"

void documents_append_uuid(bson_t *parent, const char *name, struct uuid uuid);
/* Appends {principal, key} of command `number`: the _id of its outcome. */
void documents_append_key(bson_t *parent, const char *name, uint64_t number);
/* Builds the provider with this index, after `claims` claims of the shape have been set on it. */
void documents_provider(bson_t *document, const struct shape *shape, uint32_t index,
                        uint32_t claims);
void documents_consumer(bson_t *document, const struct shape *shape,
                        const struct bench_claim *claim);
/* Builds the outcome of the command that made this consumer. `generations` are those of the claim's
   providers after the command. */
void documents_outcome(bson_t *document, const struct shape *shape, const struct bench_claim *claim,
                       const int64_t *generations);

#endif
