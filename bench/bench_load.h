/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sent, and what has to come back: a workload makes one command after the other, knows the
 * state that each success leaves, and so what every reply must say. It knows no broker. A consumer
 * has at most one command on its way, since no order is promised. Dies of a wrong reply.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/bench_claims.h"

/* X(ID, name) */
#define WORKLOADS(X)                                                                               \
    X(NEW, "new")         /* a new consumer each */                                                \
    X(CHURN, "churn")     /* 60 % new, 20 % replaced, 15 % deleted, 5 % moves of two consumers */  \
    X(REFUSED, "refused") /* every other one over capacity */                                      \
    X(REPLAY, "replay")   /* every third one repeats an answered one */                            \
    X(READS, "reads")     /* of a consumer, a provider, a project, in turn */                      \
    X(BATCH, "batch")     /* allocation.batch of so many new consumers */

enum workload {
#define X(id, name) WORKLOAD_##id,
    WORKLOADS(X)
#undef X
};

/* Dies of a name that is none. */
enum workload workload_named(const char *name);

struct load_options {
    struct shape shape;
    enum workload workload;
    size_t commands;          /* at most so many will be asked for */
    uint32_t batch_consumers; /* of one command of WORKLOAD_BATCH */
    bool redelivered;         /* connections may be lost, and so replies repeated */
    size_t seeded;            /* consumers that are there: claims from SEEDED_FIRST on */
    const uint32_t *touched;  /* by seeded claims: of each provider, its generation */
};

struct load;
struct load *load_new(const struct load_options *options);
void load_free(struct load *load);

/* One command to send. `body` is valid until the next one. */
struct load_command {
    struct uuid key;
    uint32_t lot; /* which queue, where there are several */
    const struct buffer *body;
};
/* The next one: they are numbered from 0 on. */
struct load_command load_next(struct load *load);
/* The reply to command `number`, whether it was attempt_sent as replayed. False: it is a
 * repetition. */
bool load_reply(struct load *load, size_t number, const char *body, size_t length, bool replayed);

/* Of the commands that are answered. */
struct totals load_totals(const struct load *load);

#endif
