/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load that every yardstick gets: claim number i is the same everywhere. A claim is a new
 * consumer with two classes on each of two providers, drawn evenly.
 */
#ifndef BENCH_CLAIMS_H
#define BENCH_CLAIMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/uuid.h"

enum {
    CLAIM_PROVIDERS = 2,
    CLAIM_CLASSES = 2,
    CLAIM_AMOUNT_FIRST = 2,
    CLAIM_AMOUNT_SECOND = 4096,
    CLAIM_BODY_MAX = 1024
};
#define CLAIM_PRINCIPAL "conductor"
#define CLAIM_PROJECT "5f2d7f2ab4a24c31a3ce9d1d8e2c8a10"
#define CLAIM_USER "0c1b8b7d9b6f4f0e8a7a2d5d6c7e8f90"
#define CLAIM_TYPE "INSTANCE"

struct bench_claim {
    struct uuid consumer;
    struct uuid key; /* the idempotency key, as a UUID: what producers use */
    uint32_t providers[CLAIM_PROVIDERS];
};

extern const char *const claim_classes[CLAIM_CLASSES];
int64_t claim_amount(size_t resource_class);
struct bench_claim claim_number(uint64_t number, uint32_t provider_count);
struct uuid claim_provider(uint32_t index);
/* The inverse; UINT32_MAX for what is none of ours. */
uint32_t claim_provider_index(const uint8_t bytes[UUID_BYTES]);
/* The command, and the reply that a worker records for it; their length. */
size_t claim_body(const struct bench_claim *claim, char body[CLAIM_BODY_MAX]);
size_t claim_reply(const struct bench_claim *claim, const int64_t generations[CLAIM_PROVIDERS],
                   char body[CLAIM_BODY_MAX]);

double bench_seconds(void); /* monotonic */
/* An argument that has to be a number from 1 on. */
size_t bench_count(const char *argument);
_Noreturn void bench_die(const char *format, ...) ALLOT_PRINTF(1, 2);

#endif
