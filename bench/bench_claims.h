/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The claims that every baseline gets: claim `number` in its `version` is the same everywhere. A
 * claim is what one consumer holds of some providers, drawn evenly, and the same amounts of each.
 */
#ifndef BENCH_CLAIMS_H
#define BENCH_CLAIMS_H

#include "common/base/uuid.h"
#include "bench/bench_base.h"

enum { CLAIM_CLASSES_MAX = 2, CLAIM_PROVIDERS_MAX = 1000, CLAIM_TEXT = 40 };
#define CLAIM_PRINCIPAL "conductor"
#define CLAIM_USER "0c1b8b7d9b6f4f0e8a7a2d5d6c7e8f90"
#define CLAIM_TYPE "INSTANCE"
/* More than any provider has: each keeps one unit in reserve. */
#define CLAIM_TOO_MUCH 2147483647LL

/* What is the same for all claims of a run. */
struct shape {
    uint32_t providers;       /* in the database */
    uint32_t hot;             /* of them, those that are claimed from */
    uint32_t lots;            /* disjoint parts of those; claim n stays in part n % lots */
    uint32_t claim_providers; /* of one claim */
    uint32_t classes;         /* of each provider of a claim */
    uint32_t projects;        /* claim n belongs to project n % projects */
    char *mappings;           /* what fills the commands up; NULL: nothing */
};

/* 1,000 providers, two of them with two classes in a claim. */
struct shape shape_default(void);
/* Dies where no claim could be drawn. */
void shape_check(const struct shape *shape);

struct bench_claim {
    uint64_t number;
    struct uuid consumer;
    uint32_t base, span, first, step; /* which providers */
};

/* Numbers of claims that are there before a run; a multiple of any count of projects that is a
   power of ten. */
#define SEEDED_FIRST 1000000000000ULL

/* What the commands of a run leave in the database, beside what was seeded. */
struct totals {
    int64_t consumers, outcomes;
    int64_t generations; /* the sum of all providers' */
};

struct bench_claim claim_draw(const struct shape *shape, uint64_t number, uint32_t version);
/* The index of one of its providers, `i` from 0 on. */
uint32_t claim_provider_at(const struct bench_claim *claim, uint32_t i);

extern const char *const claim_classes[CLAIM_CLASSES_MAX];
int64_t claim_amount(size_t resource_class);
struct uuid claim_provider(uint32_t index);
/* The inverse; UINT32_MAX for what is none of ours. */
uint32_t claim_provider_index(const uint8_t bytes[UUID_BYTES]);
/* The idempotency key of command `number`, a UUID: what producers use. */
struct uuid claim_key(uint64_t number);
void claim_project(const struct shape *shape, uint64_t number, char text[CLAIM_TEXT]);

/* A value of "mappings" that fills the body of one claim up to `bytes`; to be freed. */
char *claim_mappings(size_t bytes);
/* The params of allocation.set without "consumer_uuid"; generation 0: null. */
void claim_add_params(struct buffer *body, const struct shape *shape,
                      const struct bench_claim *claim, uint32_t generation, bool too_much);
/* The command that sets one consumer. */
void claim_add_set(struct buffer *body, const struct shape *shape, const struct bench_claim *claim,
                   uint32_t generation, bool too_much);

#endif
