/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the real applier on a store that a test has made. Each function fails the test if an error
 * occurs.
 */
#ifndef ALLOT_APPLIER_BENCH_H
#define ALLOT_APPLIER_BENCH_H

#include "worker/service/applier.h"

struct applier_bench {
    struct policy_source *policy; /* config/policy.example.yaml */
};

/* Loads the policy. Freed by applier_bench_close(). */
struct applier_bench applier_bench_open(void);
/* Frees the policy. */
void applier_bench_close(struct applier_bench *bench);

/* Returns a delivery from the principal `conductor` with a reply_to; texts are borrowed. */
struct delivery conductor_delivery(uint64_t tag, struct text key, struct text body);
/* Returns a delivery with `usage.get` of one project: about the smallest command. */
struct delivery usage_delivery(void);
/* Decodes the delivery, which has to be valid. The job owns the arena. */
struct job *applier_bench_job(const struct applier_bench *bench, struct arena *arena,
                              const struct delivery *delivery);
/* Submits the jobs to a new applier, steps it until it is idle, and reaps the jobs. */
void applier_bench_run(const struct applier_bench *bench, struct store *store, size_t max_commands,
                       struct job_queue *jobs);

enum { BENCH_DOCUMENTS_MAX = 100, BENCH_TIMEOUT_MS = 1000 };

#endif
