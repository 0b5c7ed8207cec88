/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_latency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERCENT = 100 };

static const double milliseconds = 1000.0; /* in a second */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_values(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
}

double percentile(const double *sorted, size_t count, unsigned percent)
{
    if (count == 0)
        return 0;
    size_t rank = (count * percent + PERCENT - 1) / PERCENT;
    return sorted[rank > 0 ? rank - 1 : 0];
}

struct latency latency_of(const double *seconds, size_t count)
{
    double *sorted = bench_array(count, sizeof *sorted);
    memcpy(sorted, seconds, count * sizeof *sorted);
    sort_values(sorted, count);
    struct latency latency = {
        .p50 = percentile(sorted, count, 50),
        .p90 = percentile(sorted, count, 90),
        .p99 = percentile(sorted, count, 99),
        .max = percentile(sorted, count, PERCENT),
    };
    free(sorted);
    return latency;
}

void latency_print(const struct latency *latency)
{
    (void)printf(" p50=%.2f p90=%.2f p99=%.2f max=%.2f", latency->p50 * milliseconds,
                 latency->p90 * milliseconds, latency->p99 * milliseconds,
                 latency->max * milliseconds);
}
