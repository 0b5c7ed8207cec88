/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker end to end: claims go in by the broker, in a closed loop, and every reply is checked.
 * The environment holds the worker's settings. Usage: bench_worker ALLOTD COMMANDS WINDOW PROVIDERS
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench_database.h"
#include "tests/bench/bench_producer.h"
#include "worker/amqp/client.h"
#include "worker/amqp/topology.h"

enum { WARM_PERCENT = 10 };

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL)
        bench_die("%s is not set: run it by script/bench", name);
    return value;
}

/* The first command must not come before the exchange. */
static void declare_topology(void)
{
    struct error error = {""};
    struct amqp_tls tls = {TEXT_NONE, TEXT_NONE, TEXT_NONE};
    struct topology topology = {text_of("allot.commands"), text_of("allot.commands"),
                                text_of("allot.dead"), text_of("allot.dead")};
    if (topology_declare(text_of(environment("ALLOT_AMQP_URI")), &tls, &topology, &error) !=
        TRANSPORT_OK)
        bench_die("%s", error.text);
}

/* Takes away what waits in the queue of commands; how much that was. */
static size_t drain_commands(void)
{
    struct error error = {""};
    struct amqp_tls tls = {TEXT_NONE, TEXT_NONE, TEXT_NONE};
    struct client_message message;
    size_t count = 0;
    struct client *client = client_open(text_of(environment("ALLOT_AMQP_URI")), &tls, &error);
    if (client == NULL)
        bench_die("%s", error.text);
    for (; client_get(client, "allot.commands", &message, &error) == CLIENT_MESSAGE; count++) {
        if (!client_ack(client, message.tag, &error))
            bench_die("%s", error.text);
        arena_free(message.arena);
    }
    client_close(client);
    return count;
}

/* It dies with us, also where bench_die ends us: a worker left behind would take the next run's
   commands. */
static pid_t start_worker(char *program)
{
    char flag[] = "--config", file[] = "config/allotd.example.yaml";
    char *arguments[] = {program, flag, file, NULL};
    pid_t pid = fork();
    if (pid < 0)
        bench_die("cannot fork");
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execv(program, arguments);
    _exit(127);
}

static void end_worker(pid_t pid)
{
    int status = 0;
    (void)kill(pid, SIGTERM);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        bench_die("the worker ended with status %d", status);
}

/* --- what the worker took --- */

static void read_process(pid_t pid, const char *name, char *text, size_t room)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        bench_die("the worker is gone");
    text[fread(text, 1, room - 1, file)] = '\0';
    (void)fclose(file);
}

static double processor_seconds(pid_t pid)
{
    char text[1024];
    unsigned long user = 0, kernel = 0;
    read_process(pid, "stat", text, sizeof text);
    const char *after_name = strrchr(text, ')'); /* the name may hold anything */
    if (after_name == NULL ||
        sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &kernel) != 2)
        bench_die("no times of the worker");
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static double peak_mib(pid_t pid)
{
    char text[4096];
    unsigned long kib = 0;
    read_process(pid, "status", text, sizeof text);
    const char *line = strstr(text, "VmHWM:");
    if (line == NULL || sscanf(line, "VmHWM: %lu", &kib) != 1)
        bench_die("no peak of the worker's memory");
    return (double)kib / 1024;
}

struct figures {
    double rate, processor, peak, transactions;
};

static struct figures measure(pid_t worker, struct producer *producer, struct database *database,
                              size_t claims, size_t window)
{
    size_t warm = 1 + claims * WARM_PERCENT / 100;
    int64_t committed = database_transactions(database);
    producer_run(producer, window, warm);
    double start = bench_seconds(), used = processor_seconds(worker);
    producer_run(producer, window, claims);
    double measured = (double)(claims - warm);
    struct figures figures = {
        .rate = measured / (bench_seconds() - start),
        .processor = (processor_seconds(worker) - used) * 1000 / measured,
        .peak = peak_mib(worker),
        .transactions =
            (double)(database_transactions(database) - committed) * 1000 / (double)claims,
    };
    return figures;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        bench_die("usage: bench_worker ALLOTD COMMANDS WINDOW PROVIDERS");
    char name[64];
    size_t claims = bench_count(argv[2]), window = bench_count(argv[3]);
    uint32_t provider_count = (uint32_t)bench_count(argv[4]);
    if (claims < 2 || provider_count < 2)
        bench_die("too few: two commands and two providers at the least");
    mongoc_init();
    (void)snprintf(name, sizeof name, "allot_bench_%d", (int)getpid());
    (void)setenv("ALLOT_MONGODB_DATABASE", name, 1);
    declare_topology();
    (void)drain_commands(); /* of a run that died */
    struct database database = database_open(name, provider_count);
    struct producer *producer =
        producer_open(environment("ALLOT_AMQP_URI_CONDUCTOR"), provider_count, claims);
    pid_t worker = start_worker(argv[1]);
    struct figures figures = measure(worker, producer, &database, claims, window);
    end_worker(worker);
    producer_audit(producer);
    database_audit(&database, claims);
    (void)printf("rate=%.0f transactions=%.1f cpu=%.4f rss=%.1f left=%zu\n", figures.rate,
                 figures.transactions, figures.processor, figures.peak, drain_commands());
    producer_close(producer);
    database_drop(&database);
    mongoc_cleanup();
    return 0;
}
