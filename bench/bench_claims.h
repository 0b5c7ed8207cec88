/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The claims of the benchmark. A claim is all that one consumer has: the same amounts of each of
 * some providers, which are drawn evenly. Claim `number` in `version` depends on these two numbers
 * and on the shape only, so the worker and all baselines get the same claims in every run.
 */
#ifndef BENCH_CLAIMS_H
#define BENCH_CLAIMS_H

#include "common/base/uuid.h"
#include "bench/bench_base.h"

enum { CLAIM_CLASSES_MAX = 2, CLAIM_PROVIDERS_MAX = 1000, CLAIM_TEXT = 40 };
#define CLAIM_PRINCIPAL "conductor"
#define CLAIM_USER "0c1b8b7d9b6f4f0e8a7a2d5d6c7e8f90"
#define CLAIM_TYPE "INSTANCE"
/* Above the capacity of every provider: its total is this number, and one unit is reserved. */
#define CLAIM_TOO_MUCH 2147483647LL

/* What all claims of a run have in common. */
struct shape {
    uint32_t providers;       /* in the database */
    uint32_t hot;             /* of them, the first ones, which are claimed from */
    uint32_t partitions;      /* of the hot ones, disjoint; claim n stays in n % partitions */
    uint32_t claim_providers; /* providers of one claim */
    uint32_t classes;         /* resource classes of each provider in a claim */
    uint32_t projects;        /* claim n belongs to project n % projects */
    char *mappings;           /* fills up the bodies of commands, owned; NULL: not filled up */
};

/* Returns 1,000 providers, of which each claim has two, with two classes each. */
struct shape shape_default(void);
/* Dies if no claim can be drawn in this shape. */
void shape_check(const struct shape *shape);

struct bench_claim {
    uint64_t number;
    struct uuid consumer;
    uint32_t base, span, first, step; /* of the provider indexes; see claim_provider_at() */
};

/* The first number of the claims that are in the database before a run. A multiple of every number
   of projects that is a power of ten. */
#define SEEDED_FIRST 1000000000000ULL

/* What the commands of a run leave in the database, without what was seeded. */
struct totals {
    int64_t consumers, outcomes;
    int64_t generations; /* the sum over all providers */
};

/* Returns the claim of consumer `number`. Another `version` gives other providers. */
struct bench_claim claim_draw(const struct shape *shape, uint64_t number, uint32_t version);
/* Returns the index of the claim's provider `i`, from 0 on. */
uint32_t claim_provider_at(const struct bench_claim *claim, uint32_t i);

extern const char *const claim_classes[CLAIM_CLASSES_MAX];
int64_t claim_amount(size_t resource_class);
/* Returns the UUID of the provider with this index. */
struct uuid claim_provider(uint32_t index);
/* Returns the index of the provider with this UUID; UINT32_MAX if the benchmark has none. */
uint32_t claim_provider_index(const uint8_t bytes[UUID_BYTES]);
/* Returns the idempotency key of command `number`. It is a UUID, as producers use them. */
struct uuid claim_key(uint64_t number);
void claim_project(const struct shape *shape, uint64_t number, char ret_text[CLAIM_TEXT]);

/* Returns a JSON value of "mappings" that makes a command with one claim about `bytes` long; owned
   by the caller. */
char *claim_mappings(size_t bytes);
/* Adds the members of one consumer's claim, as allocation.set and allocation.batch have them.
   Generation 0 is sent as null: the consumer must not exist. */
void claim_add_params(struct buffer *body, const struct shape *shape,
                      const struct bench_claim *claim, uint32_t generation, bool too_much);
/* Adds the body of the allocation.set of this claim. */
void claim_add_set(struct buffer *body, const struct shape *shape, const struct bench_claim *claim,
                   uint32_t generation, bool too_much);

#endif
