/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to preload (LD_PRELOAD): counts a program's heap allocations. It slows the program
 * down, so script/bench uses it in a separate run.
 */
#include "bench/bench_heap.h"

#include <stdlib.h>
#include <sys/mman.h>

/* glibc's allocation functions, under the names that it exports for replacements of malloc. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

/* Used until find_counters() has run, since the loader allocates too, and if HEAP_VARIABLE is not
   set. */
static struct heap_counters unshared;
static struct heap_counters *counters = &unshared;

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

static void count_allocation(size_t bytes)
{
    atomic_fetch_add_explicit(&counters->allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->bytes, bytes, memory_order_relaxed);
}

void *malloc(size_t bytes)
{
    count_allocation(bytes);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    count_allocation(count * bytes);
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    count_allocation(bytes);
    return __libc_realloc(old, bytes);
}
