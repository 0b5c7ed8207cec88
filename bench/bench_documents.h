/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents that the worker writes for claims, made without it: what seeds a database, and what
 * the baseline writes. bench_plans shows that they are the worker's to the byte.
 */
#ifndef BENCH_DOCUMENTS_H
#define BENCH_DOCUMENTS_H

#include <bson/bson.h>

#include "bench/bench_claims.h"

void documents_append_uuid(bson_t *parent, const char *name, struct uuid uuid);
/* {principal, key} of command `number`. */
void documents_append_key(bson_t *parent, const char *name, uint64_t number);
/* A provider from which `touched` claims hold. */
void documents_provider(bson_t *document, const struct shape *shape, uint32_t index,
                        uint32_t touched);
void documents_consumer(bson_t *document, const struct shape *shape,
                        const struct bench_claim *claim);
/* The outcome of a command that made this consumer; `generations` of its providers, after it. */
void documents_outcome(bson_t *document, const struct shape *shape, const struct bench_claim *claim,
                       const int64_t *generations);

#endif
