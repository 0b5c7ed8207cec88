/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* X(option, how its value is parsed, member of the options that gets the value, help text) */
#define OPTIONS(X)                                                                                 \
    X("worker", TEXT, worker, "PROGRAM that consumes the commands: allotd or bench_broker")        \
    X("workload", TEXT, workload, "new, churn, refused, replay, reads or batch")                   \
    X("heap", TEXT, heap, "LIBRARY to preload, which counts allocations: libbench_heap.so")        \
    X("audit", TEXT, audit, "PROGRAM allotctl, for an audit at the end")                           \
    X("commands", SIZE, commands, "commands in total (10000)")                                     \
    X("warm", SIZE, warm, "commands that are not measured, at the start (a tenth)")                \
    X("batch", SIZE, batch, "commands in one transaction of bench_raw (1)")                        \
    X("window", SIZE, window, "unanswered commands at any time (2000)")                            \
    X("rate", SIZE, rate, "commands a second at planned times: an open loop")                      \
    X("seeded", SIZE, seeded, "consumers in the database before the run (0)")                      \
    X("consumers", SIZE, consumers, "consumers of one allocation.batch (1)")                       \
    X("workers", SIZE, workers, "worker processes (1)")                                            \
    X("body", SIZE, body, "bytes of each command, filled up with mappings")                        \
    X("providers", NUMBER, shape.providers, "providers in the database (1000)")                    \
    X("hot", NUMBER, shape.hot, "providers that are claimed from (all)")                           \
    X("queues", NUMBER, shape.partitions, "queues, each with its part of the providers (1)")       \
    X("claim-providers", NUMBER, shape.claim_providers, "providers of one claim (2)")              \
    X("classes", NUMBER, shape.classes, "resource classes of each provider in a claim (2)")        \
    X("projects", NUMBER, shape.projects, "projects that own the consumers (1000)")                \
    X("redelivered", FLAG, redelivered, "accept repeated replies: connections may be lost")        \
    X("samples", FLAG, samples, "print the memory at each tenth of the run")                       \
    X("no-database", FLAG, no_database, "the worker uses no database")

enum kind { KIND_TEXT, KIND_SIZE, KIND_NUMBER, KIND_FLAG };

struct description {
    const char *name, *what;
    enum kind kind;
    size_t offset;
};

static const struct description descriptions[] = {
#define X(name, kind, target, what)                                                                \
    {(name), (what), KIND_##kind, offsetof(struct bench_options, target)},
    OPTIONS(X)
#undef X
};

enum { OPTION_COUNT = sizeof descriptions / sizeof *descriptions };

static _Noreturn void die_of_usage(void)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        (void)fprintf(stderr, "  --%-16s %s\n", descriptions[i].name, descriptions[i].what);
    bench_die("invalid option or argument: expected the options above");
}

static void set_option(struct bench_options *options, const struct description *description,
                       const char *value)
{
    void *target = (char *)options + description->offset;
    switch (description->kind) {
    case KIND_TEXT: *(const char **)target = value; break;
    case KIND_SIZE: *(size_t *)target = bench_parse_count(value); break;
    case KIND_NUMBER: *(uint32_t *)target = (uint32_t)bench_parse_count(value); break;
    case KIND_FLAG: *(bool *)target = true; break;
    }
}

static void list_long_options(struct option list[OPTION_COUNT + 1])
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        list[i] = (struct option){
            .name = descriptions[i].name,
            .has_arg = descriptions[i].kind == KIND_FLAG ? no_argument : required_argument,
        };
    list[OPTION_COUNT] = (struct option){0};
}

struct bench_options bench_options_read(int argc, char **argv)
{
    struct option list[OPTION_COUNT + 1];
    struct bench_options options = {.shape = shape_default(),
                                    .workload = "new",
                                    .commands = 10000,
                                    .batch = 1,
                                    .window = 2000,
                                    .consumers = 1,
                                    .workers = 1};
    int index = 0;
    options.shape.hot = 0; /* not given */
    list_long_options(list);
    for (int found = 0; (found = getopt_long(argc, argv, "", list, &index)) != -1;) {
        if (found != 0)
            die_of_usage();
        set_option(&options, &descriptions[index], optarg);
    }
    if (optind != argc)
        die_of_usage();
    if (options.shape.hot == 0)
        options.shape.hot = options.shape.providers;
    if (options.body > 0)
        options.shape.mappings = claim_mappings(options.body);
    shape_check(&options.shape);
    return options;
}
