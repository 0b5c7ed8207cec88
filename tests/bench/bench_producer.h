/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer that keeps a window of claims in flight, on one connection: confirms and replies are
 * taken as they come, so that it never waits for one message. Dies on whatever is not a success.
 */
#ifndef BENCH_PRODUCER_H
#define BENCH_PRODUCER_H

#include "tests/bench/bench_claims.h"

struct producer;

struct producer *producer_open(const char *uri, uint32_t provider_count, size_t claims);
void producer_close(struct producer *producer);
/* Keeps up to `window` claims unanswered until `answers` are answered in all. */
void producer_run(struct producer *producer, size_t window, size_t answers);
/* Dies unless every claim is confirmed and answered, once. */
void producer_audit(const struct producer *producer);

#endif
