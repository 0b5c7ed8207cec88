/* SPDX-License-Identifier: Apache-2.0 */
/* The worker processes: starts them, measures them through /proc, and ends them. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include "bench/bench_base.h"

enum { PROCESSES_MAX = 8 };

struct processes_options {
    const char *program; /* allotd, or a baseline in its place */
    size_t count;
    size_t queues;    /* process i consumes from queue i % queues */
    const char *heap; /* the library that counts allocations; NULL: they are not counted */
};
struct processes;
/* Starts the processes. Owned by the caller, freed by processes_end(). */
struct processes *processes_start(const struct processes_options *options);
/* Sends SIGTERM and waits; dies if a process does not exit with 0. */
void processes_end(struct processes *processes);

/* Returns the CPU time of all processes together, in seconds. */
double processes_cpu_seconds(const struct processes *processes);
/* Returns the largest peak memory (VmHWM) of a process, in MiB. */
double processes_peak_mib(const struct processes *processes);
/* Returns the largest resident memory (VmRSS) of a process, in MiB. */
double processes_resident_mib(const struct processes *processes);
/* Returns the number of heap allocations until now; 0 if they are not counted. */
uint64_t processes_allocations(const struct processes *processes);

#endif
