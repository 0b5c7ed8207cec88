/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures the worker end to end: it sends a load through the broker, checks every reply, and
 * audits the database at the end. The worker's settings are in the environment. Prints one line of
 * name=value; docs/performance.md explains the figures.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_database.h"
#include "bench/bench_options.h"
#include "bench/bench_process.h"
#include "bench/bench_producer.h"
#include "bench/bench_topology.h"

enum { WARM_DIVISOR = 10, TENTHS = 10, THOUSAND = 1000 };

struct run {
    struct bench_options options;
    struct database database;
    struct load *load;
    struct producer *producer;
    struct processes *processes;
};

static void audit_by_allotctl(const struct run *run)
{
    int status = 0;
    (void)fflush(stdout); /* or the child prints the buffered text again */
    pid_t pid = fork();
    if (pid == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(127);
        (void)execl(run->options.audit, run->options.audit, "audit", (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        bench_die("allotctl audit ended with wait status %#x (expected 0)", (unsigned)status);
}

static void open_run(struct run *run)
{
    const struct bench_options *options = &run->options;
    for (uint32_t partition = 0; partition < options->shape.partitions; partition++)
        topology_prepare(partition);
    if (!options->no_database) {
        run->database = database_open("worker", &options->shape, options->seeded);
        (void)setenv("ALLOT_MONGODB_DATABASE", run->database.name, 1);
    }
    struct load_options load = {.shape = options->shape,
                                .workload = workload_named(options->workload),
                                .commands = options->commands,
                                .batch_consumers = (uint32_t)options->consumers,
                                .redelivered = options->redelivered,
                                .seeded = options->seeded,
                                .provider_claims = run->database.provider_claims};
    run->load = load_new(&load);
    struct producer_options producer = {.uri = bench_environment("ALLOT_AMQP_URI_CONDUCTOR"),
                                        .load = run->load,
                                        .commands = options->commands,
                                        .window = options->window,
                                        .rate = (double)options->rate};
    run->producer = producer_open(&producer);
    struct processes_options processes = {.program = options->worker,
                                          .count = options->workers,
                                          .queues = options->shape.partitions,
                                          .heap = options->heap};
    run->processes = processes_start(&processes);
}

static void close_run(struct run *run)
{
    struct totals totals = load_totals(run->load);
    if (!run->options.no_database) {
        database_audit(&run->database, &totals);
        if (run->options.audit != NULL)
            audit_by_allotctl(run);
        database_drop(&run->database);
    }
    producer_close(run->producer);
    load_free(run->load);
    free(run->options.shape.mappings);
}

/* --- figures --- */

static void print_server(struct run *run, const struct server_counters *before)
{
    struct server_counters after = database_counters(&run->database);
    double commands = (double)(run->options.commands - 1); /* after producer_prime() */
    double committed = (double)(after.committed - before->committed);
    (void)printf(" transactions=%.2f retries=%.2f", committed * (double)THOUSAND / commands,
                 (double)(after.aborted - before->aborted) * (double)THOUSAND / commands);
    if (committed > 0)
        (void)printf(" trips=%.2f", (double)(after.commands - before->commands) / committed);
    database_print_batches(&run->database, before);
}

/* Runs from `from` to `answers` answered commands; prints the memory at each tenth, if wanted. */
static void run_measured(struct run *run, size_t from, size_t answers)
{
    for (size_t tenth = 1; run->options.samples && tenth < TENTHS; tenth++) {
        producer_run(run->producer, from + (answers - from) * tenth / TENTHS);
        (void)printf(" rss_%zu=%.1f", tenth, processes_resident_mib(run->processes));
    }
    producer_run(run->producer, answers);
    if (run->options.samples)
        (void)printf(" rss_%d=%.1f", TENTHS, processes_resident_mib(run->processes));
}

static void measure(struct run *run)
{
    size_t commands = run->options.commands, warm = run->options.warm;
    if (warm == 0)
        warm = 2 + commands / WARM_DIVISOR;
    producer_run(run->producer, warm);
    if (run->options.samples)
        (void)printf(" rss_0=%.1f", processes_resident_mib(run->processes));
    producer_restart_stalls(run->producer);
    uint64_t allocated = processes_allocations(run->processes);
    double start = bench_seconds(), used = processes_cpu_seconds(run->processes);
    run_measured(run, warm, commands);
    double measured = (double)(commands - warm), seconds = bench_seconds() - start;
    used = processes_cpu_seconds(run->processes) - used;
    allocated = processes_allocations(run->processes) - allocated;
    struct latency latency = producer_latency(run->producer, warm);
    (void)printf(" rate=%.1f cpu=%.4f peak=%.1f stall=%.1f", measured / seconds,
                 used * (double)THOUSAND / measured, processes_peak_mib(run->processes),
                 producer_stall(run->producer) * (double)THOUSAND);
    latency_print(&latency);
    if (run->options.heap != NULL)
        (void)printf(" allocations=%.2f", (double)allocated / measured);
}

int main(int argc, char **argv)
{
    struct run run = {.options = bench_options_read(argc, argv)};
    struct server_counters before = {0};
    size_t left = 0;
    if (run.options.worker == NULL || run.options.commands < 3 ||
        run.options.warm >= run.options.commands)
        bench_die("--worker is missing, or --commands is too small: %zu (minimum 3, and more than "
                  "--warm)",
                  run.options.commands);
    mongoc_init();
    open_run(&run);
    producer_prime(run.producer);
    if (!run.options.no_database)
        before = database_counters(&run.database);
    measure(&run);
    if (!run.options.no_database)
        print_server(&run, &before);
    processes_end(run.processes);
    for (uint32_t partition = 0; partition < run.options.shape.partitions; partition++)
        left += topology_drain(partition);
    (void)printf(" left=%zu\n", left);
    close_run(&run);
    mongoc_cleanup();
    return 0;
}
