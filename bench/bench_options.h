/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of bench_raw and bench_worker: `--name value`, in any order. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench/bench_claims.h"

/* Texts are borrowed from argv; `shape.mappings` is owned by the caller. */
struct bench_options {
    struct shape shape;
    const char *worker;   /* the program that consumes the commands */
    const char *workload; /* a name of WORKLOADS */
    const char *heap;     /* the library that counts allocations; NULL: not counted */
    const char *audit;    /* allotctl, which audits at the end; NULL: only bench_audit.c does */
    size_t commands;
    size_t batch;     /* commands in one transaction of bench_raw */
    size_t warm;      /* commands that are not measured, at the start; 0: a tenth of all */
    size_t window;    /* closed loop: unanswered commands at any time */
    size_t rate;      /* open loop: commands a second; 0: closed loop */
    size_t seeded;    /* consumers in the database before the run */
    size_t consumers; /* of one allocation.batch */
    size_t workers;
    size_t body;      /* bytes of a command, filled up with mappings; 0: not filled up */
    bool redelivered; /* connections may be lost, and so replies may be repeated */
    bool samples;     /* print the memory at each tenth of the run */
    bool no_database; /* the worker uses no database */
};

/* Parses the options; dies of an unknown one, after printing all. */
struct bench_options bench_options_read(int argc, char **argv);

#endif
