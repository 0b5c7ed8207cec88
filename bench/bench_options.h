/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the programs that measure: `--name value` each, in any order. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench/bench_claims.h"

struct bench_options {
    struct shape shape;
    const char *worker; /* the program that takes the commands */
    const char *workload;
    const char *heap;  /* the library that counts allocations; NULL: not counted */
    const char *audit; /* allotctl, to audit with; NULL: only by ourselves */
    size_t commands;
    size_t batch; /* commands of one transaction of the baseline */
    size_t warm;  /* commands before it is measured; 0: a tenth of all */
    size_t window;
    size_t rate;      /* of an open loop, a second; 0: closed loop */
    size_t seeded;    /* consumers that are there before */
    size_t consumers; /* of one allocation.batch */
    size_t workers;
    size_t body;      /* bytes of a command, filled up; 0: as it is */
    bool redelivered; /* connections may be lost on the way */
    bool samples;     /* memory at each tenth */
    bool no_database; /* what takes the commands has none */
};

/* Dies, with the list of options, of what is none. */
struct bench_options bench_options_read(int argc, char **argv);

#endif
