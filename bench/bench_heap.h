/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters of the preloaded library bench_heap, in memory that it shares with the process that
 * started the program.
 */
#ifndef BENCH_HEAP_H
#define BENCH_HEAP_H

#include <stdatomic.h>
#include <stdint.h>

/* The environment variable with the number of the file descriptor of the shared memory. */
#define HEAP_VARIABLE "ALLOT_BENCH_HEAP"

struct heap_counters {
    atomic_uint_fast64_t allocations; /* calls of malloc, calloc and realloc */
    atomic_uint_fast64_t bytes;       /* requested by them */
};

#endif
