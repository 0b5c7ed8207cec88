/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The baseline without a broker: runs the transactions of batches of claims, one after the other.
 * Prints one line of name=value: the rate, and the latency of a transaction.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench_latency.h"
#include "bench/bench_options.h"
#include "bench/bench_transaction.h"

enum { WARM_DIVISOR = 10 };

static void measure(struct raw *raw, size_t transactions, size_t batch, size_t warm)
{
    size_t i = 0;
    double *seconds = bench_array(transactions, sizeof *seconds);
    for (; i < warm; i++)
        raw_transact(raw, i * batch, batch);
    double start = bench_seconds(), before = start;
    for (; i < transactions; i++) {
        raw_transact(raw, i * batch, batch);
        seconds[i] = bench_seconds() - before;
        before += seconds[i];
    }
    struct latency latency = latency_of(seconds + warm, transactions - warm);
    (void)printf("rate=%.1f", (double)((transactions - warm) * batch) / (before - start));
    latency_print(&latency);
    free(seconds);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_options_read(argc, argv);
    size_t transactions = options.commands / options.batch;
    size_t warm = options.warm > 0 ? options.warm / options.batch : 1 + transactions / WARM_DIVISOR;
    if (transactions <= warm)
        bench_die("too few transactions: %zu (minimum %zu, one more than are not measured)",
                  transactions, warm + 1);
    struct raw raw = raw_open(&options.shape, options.batch, options.seeded);
    measure(&raw, transactions, options.batch, warm);
    raw_audit(&raw, transactions * options.batch);
    (void)printf("\n");
    raw_close(&raw);
    free(options.shape.mappings);
    return 0;
}
