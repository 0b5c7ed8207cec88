/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends a load and measures the latency of each answer. In a closed loop the number of unanswered
 * commands is constant. In an open loop commands are sent at planned times, however late the
 * answers are. Latency counts from the planned time, so a stall counts for every command that it
 * delays.
 */
#ifndef BENCH_PRODUCER_H
#define BENCH_PRODUCER_H

#include "bench/bench_latency.h"
#include "bench/bench_load.h"

struct producer;

/* Pointers are borrowed until producer_close(). */
struct producer_options {
    const char *uri;
    struct load *load;
    size_t commands;
    size_t window; /* closed loop: unanswered commands */
    double rate;   /* open loop: commands a second; 0: closed loop */
};
/* Connects. Owned by the caller, freed by producer_close(). */
struct producer *producer_open(const struct producer_options *options);
void producer_close(struct producer *producer);
/* Sends one command and waits for its answer, so that the worker and the servers have done their
   work of the first command before anything is measured. */
void producer_prime(struct producer *producer);
/* Sends and receives until `answers` commands in total are answered. */
void producer_run(struct producer *producer, size_t answers);
/* Returns the latency of the commands from number `first` on. */
struct latency producer_latency(const struct producer *producer, size_t first);
/* Sets the longest stall to 0. */
void producer_restart_stalls(struct producer *producer);
/* Returns the longest time, in seconds, with unanswered commands and no answer arriving. */
double producer_stall(const struct producer *producer);

/* The commands queue of one partition of the providers. */
struct queue_name {
    char text[32];
};
struct queue_name producer_queue(uint32_t partition);

#endif
