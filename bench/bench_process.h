/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's processes: started, measured from outside by /proc, and ended. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include "bench/bench_base.h"

enum { PROCESSES_MAX = 8 };

struct processes_options {
    const char *program; /* allotd, or what stands in for it */
    size_t count;
    size_t queues;    /* process i takes from queue i % queues */
    const char *heap; /* the library that counts allocations; NULL: they are not counted */
};
struct processes;
struct processes *processes_start(const struct processes_options *options);
/* Dies where one does not end with 0. */
void processes_end(struct processes *processes);

double processes_cpu_seconds(const struct processes *processes); /* together */
double processes_peak_mib(const struct processes *processes);    /* of the largest */
double processes_resident_mib(const struct processes *processes);
/* Allocations from the heap until now; 0 where they are not counted. */
uint64_t processes_allocations(const struct processes *processes);

#endif
