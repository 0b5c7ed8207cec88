/* SPDX-License-Identifier: Apache-2.0 */
/* What the preloaded library counts, in memory that it shares with whoever started the program. */
#ifndef BENCH_HEAP_H
#define BENCH_HEAP_H

#include <stdatomic.h>
#include <stdint.h>

/* Names the descriptor of the shared memory. */
#define HEAP_VARIABLE "ALLOT_BENCH_HEAP"

struct heap_counters {
    atomic_uint_fast64_t allocations; /* malloc, calloc and realloc */
    atomic_uint_fast64_t bytes;
};

#endif
