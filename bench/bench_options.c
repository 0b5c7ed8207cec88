/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* X(name, kind, target, what): how each option is read, and into what. */
#define OPTIONS(X)                                                                                 \
    X("worker", TEXT, worker, "PROGRAM that takes the commands")                                   \
    X("workload", TEXT, workload, "new, churn, refused, replay, reads or batch")                   \
    X("heap", TEXT, heap, "LIBRARY to preload, that counts allocations")                           \
    X("audit", TEXT, audit, "PROGRAM allotctl, to audit with at the end")                          \
    X("commands", SIZE, commands, "in all")                                                        \
    X("warm", SIZE, warm, "commands before it is measured; else a tenth")                          \
    X("batch", SIZE, batch, "commands in one transaction of the baseline")                         \
    X("window", SIZE, window, "commands unanswered at a time")                                     \
    X("rate", SIZE, rate, "commands a second, at planned times")                                   \
    X("seeded", SIZE, seeded, "consumers in the database before")                                  \
    X("consumers", SIZE, consumers, "of one allocation.batch")                                     \
    X("workers", SIZE, workers, "that take from the queues")                                       \
    X("body", SIZE, body, "bytes of each command, filled up")                                      \
    X("providers", NUMBER, shape.providers, "in the database")                                     \
    X("hot", NUMBER, shape.hot, "providers that are claimed from")                                 \
    X("queues", NUMBER, shape.lots, "with a part of the providers each")                           \
    X("claim-providers", NUMBER, shape.claim_providers, "of one claim")                            \
    X("classes", NUMBER, shape.classes, "of each provider of a claim")                             \
    X("projects", NUMBER, shape.projects, "that own the consumers")                                \
    X("redelivered", FLAG, redelivered, "replies may be repeated, of connections lost")            \
    X("samples", FLAG, samples, "prints the memory at each tenth")                                 \
    X("no-database", FLAG, no_database, "what takes the commands has none")

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
    bench_die("these are the options");
}

static void take(struct bench_options *options, const struct description *description,
                 const char *value)
{
    void *target = (char *)options + description->offset;
    switch (description->kind) {
    case KIND_TEXT: *(const char **)target = value; break;
    case KIND_SIZE: *(size_t *)target = bench_count(value); break;
    case KIND_NUMBER: *(uint32_t *)target = (uint32_t)bench_count(value); break;
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
    options.shape.hot = 0;
    list_long_options(list);
    for (int found = 0; (found = getopt_long(argc, argv, "", list, &index)) != -1;) {
        if (found != 0)
            die_of_usage();
        take(&options, &descriptions[index], optarg);
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
