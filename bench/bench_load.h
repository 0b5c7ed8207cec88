/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load makes the commands of a benchmark, one after the other, and checks every reply. It knows
 * the state that each success leaves, so it knows what each reply must say. A consumer has at most
 * one unanswered command, since the worker promises no order. A wrong reply ends the program. A
 * load does not use the broker.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/bench_claims.h"

/* X(ID, name) */
#define WORKLOADS(X)                                                                               \
    X(NEW, "new")         /* each command sets a new consumer */                                   \
    X(CHURN, "churn")     /* 60 % new, 20 % replaced, 15 % deleted, 5 % moves of two consumers */  \
    X(REFUSED, "refused") /* every second command exceeds the capacity */                          \
    X(REPLAY, "replay")   /* every third command repeats an answered one */                        \
    X(READS, "reads")     /* a consumer, a provider, a project, one after the other */             \
    X(BATCH, "batch")     /* each command is an allocation.batch of new consumers */

enum workload {
#define X(id, name) WORKLOAD_##id,
    WORKLOADS(X)
#undef X
};

/* Returns the workload with this name; dies if there is none. */
enum workload workload_named(const char *name);

struct load_options {
    struct shape shape;
    enum workload workload;
    size_t commands;          /* the most that load_next() may be called */
    uint32_t batch_consumers; /* of one command of WORKLOAD_BATCH */
    bool redelivered;         /* connections may be lost, and so replies may be repeated */
    size_t seeded;            /* consumers in the database: claims from SEEDED_FIRST on */
    const uint32_t
        *provider_claims; /* by provider: its seeded claims, which are its generation; borrowed */
};

struct load;
/* Creates a load, owned by the caller. The options are copied. */
struct load *load_new(const struct load_options *options);
/* Frees the load. */
void load_free(struct load *load);

struct load_command {
    struct uuid key;
    uint32_t partition;        /* the number of its queue, if there are several */
    const struct buffer *body; /* borrowed until the next load_next() */
};
/* Makes the next command. Commands are numbered from 0 on. */
struct load_command load_next(struct load *load);
/* Checks the reply to command `number`; `replayed` is the reply's x-allot-replayed header. Returns
   false if the command was answered before. */
bool load_reply(struct load *load, size_t number, const char *body, size_t length, bool replayed);

/* Returns what the answered commands must have left in the database. */
struct totals load_totals(const struct load *load);

#endif
