/* SPDX-License-Identifier: Apache-2.0 */
/* Percentiles of times and of sizes, by nearest rank. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "bench/bench_base.h"

struct latency {
    double p50, p90, p99, max; /* seconds */
};
struct latency latency_of(const double *seconds, size_t count);
/* Prints p50=, p90=, p99= and max=, in milliseconds. */
void latency_print(const struct latency *latency);

/* Returns the smallest value that at least `percent` of the sorted values do not exceed; 0 if there
   are no values. */
double percentile(const double *sorted, size_t count, unsigned percent);
void sort_values(double *values, size_t count);

#endif
