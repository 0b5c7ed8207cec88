/* SPDX-License-Identifier: Apache-2.0 */
/* The real applier, run by hand on a store that a test has made. */
#ifndef ALLOT_APPLIER_BENCH_H
#define ALLOT_APPLIER_BENCH_H

#include "worker/service/applier.h"

struct applier_bench {
    struct policy_source *policy; /* the example's */
};

struct applier_bench applier_bench_open(void);
void applier_bench_close(struct applier_bench *bench);

/* A command of `conductor`'s, with a queue for its reply; texts are borrowed. */
struct delivery conductor_delivery(uint64_t tag, struct text key, struct text body);
/* `usage.get` of one project, which is about the least that can be asked for. */
struct delivery usage_delivery(void);
/* Decoded, and it has to be accepted. Takes over the arena. */
struct job *applier_bench_job(const struct applier_bench *bench, struct arena *arena,
                              const struct delivery *delivery);
/* Gives the jobs to an applier, which steps until it is idle, and takes them back. */
void applier_bench_run(const struct applier_bench *bench, struct store *store, size_t max_commands,
                       struct job_queue *jobs);

enum { BENCH_DOCUMENTS_MAX = 100 };

#endif
