/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a load, shared by bench_load.c (commands) and bench_replies.c (replies). */
#ifndef BENCH_LOAD_INTERNAL_H
#define BENCH_LOAD_INTERNAL_H

#include "bench/bench_load.h"

enum action {
    ACTION_SET,
    ACTION_REPLACE,
    ACTION_DELETE,
    ACTION_MOVE,
    ACTION_REFUSE,
    ACTION_REPEAT,
    ACTION_BATCH,
    ACTION_GET_CONSUMER,
    ACTION_GET_PROVIDER,
    ACTION_GET_USAGE,
};

struct consumer_state {
    uint32_t generation; /* 0: it does not exist */
    uint32_t version;    /* of its claim */
};

struct sent_command {
    /* Of a change: the numbers of its consumers. Of a read: `first` is the number of the consumer,
       provider or project. Of a repetition: `first` is the number of the repeated command. */
    uint64_t first, second;
    uint64_t reply_hash;
    uint8_t action; /* enum action */
    bool answered;
};

struct load {
    struct load_options options;
    struct sent_command *commands;
    size_t count;
    struct consumer_state *consumers;
    size_t consumer_count;
    uint64_t *idle; /* consumers that exist and have no unanswered command */
    size_t idle_count;
    size_t answered_last; /* the last answered ACTION_SET; SIZE_MAX: none yet */
    struct buffer body;
    struct totals totals;
};

static inline struct bench_claim claim_of(const struct load *load, uint64_t consumer,
                                          uint32_t version)
{
    return claim_draw(&load->options.shape, consumer, version);
}

#endif
