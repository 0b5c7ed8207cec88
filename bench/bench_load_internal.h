/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of bench_load: commands are made in one file, and replies checked in the other. */
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
    uint32_t generation; /* 0: there is none */
    uint32_t version;
};

struct sent {
    uint64_t first, second; /* consumers; of a read what is read; of a repetition the command */
    uint64_t reply_hash;
    uint8_t action;
    bool answered;
};

struct load {
    struct load_options options;
    struct sent *commands;
    size_t count;
    struct consumer_state *consumers;
    size_t consumer_count;
    uint64_t *idle; /* consumers without a command on its way */
    size_t idle_count;
    size_t answered_last; /* some command that is answered; SIZE_MAX: none yet */
    struct buffer body;
    struct totals totals;
};

static inline struct bench_claim claim_of(const struct load *load, uint64_t consumer,
                                          uint32_t version)
{
    return claim_draw(&load->options.shape, consumer, version);
}

#endif
