/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends a load, and measures how long each answer takes. Closed loop: so many commands unanswered
 * at any time. Open loop: at planned times, whatever the answers do, and an answer's latency counts
 * from the planned time, so that a watchdog counts for all commands that it held up.
 */
#ifndef BENCH_PRODUCER_H
#define BENCH_PRODUCER_H

#include "bench/bench_latency.h"
#include "bench/bench_load.h"

struct producer;

struct producer_options {
    const char *uri;
    struct load *load;
    size_t commands;
    size_t window; /* closed loop */
    double rate;   /* commands a second, open loop; 0: closed loop */
};
struct producer *producer_open(const struct producer_options *options);
void producer_close(struct producer *producer);
/* One command, alone: what the worker and the servers do once is behind them then. */
void producer_prime(struct producer *producer);
/* Goes on until `answers` commands are answered in all. */
void producer_run(struct producer *producer, size_t answers);
/* Of the commands from number `first` on. */
struct latency producer_latency(const struct producer *producer, size_t first);
/* Forgets the longest watchdog until now. */
void producer_restart_stalls(struct producer *producer);
/* The longest time, in seconds, with commands unanswered and no answer coming. */
double producer_stall(const struct producer *producer);

/* The queue of commands of a part of the providers. */
struct queue_name {
    char text[32];
};
struct queue_name producer_queue(uint32_t lot);

#endif
