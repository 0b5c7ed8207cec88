/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that bench_plans sends to the worker: each kind at least once. */
#ifndef BENCH_PLANS_H
#define BENCH_PLANS_H

#include "bench/bench_claims.h"

/* The burst at the start: claims 0 to PLANS_BURST - 1. */
enum { PLANS_BURST = 300 };

/* Sends all commands and waits for the replies; dies if one is not a success. */
void plans_send_all(const struct shape *shape);

#endif
