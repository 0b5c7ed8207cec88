/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be preloaded: counts what a program takes from the heap. It slows the program down, so it has
 * a run of its own.
 */
#include "bench/bench_heap.h"

#include <stdlib.h>
#include <sys/mman.h>

/* glibc's own, under the names that it keeps for this. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

static struct heap_counters nowhere; /* until the shared ones are there, and where there are none */
static struct heap_counters *counters = &nowhere;

static __attribute__((constructor)) void find_counters(void)
{
    const char *number = getenv(HEAP_VARIABLE);
    if (number == NULL)
        return;
    void *shared =
        mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(number), 0);
    if (shared != MAP_FAILED)
        counters = shared;
}

static void count(size_t bytes)
{
    atomic_fetch_add_explicit(&counters->allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->bytes, bytes, memory_order_relaxed);
}

void *malloc(size_t bytes)
{
    count(bytes);
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes)
{
    count(number * bytes);
    return __libc_calloc(number, bytes);
}

void *realloc(void *old, size_t bytes)
{
    count(bytes);
    return __libc_realloc(old, bytes);
}
