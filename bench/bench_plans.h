/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of bench_plans: commands of every kind, sent to a worker one by one. Dies of one that is
 * not a success.
 */
#ifndef BENCH_PLANS_H
#define BENCH_PLANS_H

#include "bench/bench_claims.h"

enum { PLANS_BURST = 300 }; /* claims 0 to PLANS_BURST - 1 */

void plans_send_all(const struct shape *shape);

#endif
