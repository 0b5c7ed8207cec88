/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_heap.h"
#include "bench/bench_producer.h"

struct processes {
    pid_t pids[PROCESSES_MAX];
    size_t count;
    struct heap_counters *heap; /* shared with all of them; NULL: not counted */
};

/* --- starting and ending --- */

/* Maps the counters. The worker inherits the file descriptor, whose number is in HEAP_VARIABLE, and
   its preloaded library maps the same memory. */
static struct heap_counters *share_counters(void)
{
    char number[16];
    int file = memfd_create("allot-bench-heap", 0);
    if (file < 0 || ftruncate(file, sizeof(struct heap_counters)) != 0)
        bench_die("cannot share memory with the worker");
    void *shared = mmap(NULL, sizeof(struct heap_counters), PROT_READ, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED)
        bench_die("cannot share memory with the worker");
    (void)snprintf(number, sizeof number, "%d", file);
    (void)setenv(HEAP_VARIABLE, number, 1);
    return shared;
}

/* Runs the program in this child process. The kernel kills it if the parent ends, also by
   bench_die(): a worker that stays would consume the commands of the next run. */
static _Noreturn void become_worker(const struct processes_options *options, size_t index)
{
    char flag[] = "--config", file[] = "config/allotd.example.yaml";
    char program[4096];
    char *arguments[] = {program, flag, file, NULL};
    struct queue_name queue = producer_queue((uint32_t)(index % options->queues));
    (void)snprintf(program, sizeof program, "%s", options->program);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setenv("ALLOT_AMQP_QUEUE", queue.text, 1);
    if (options->heap != NULL)
        (void)setenv("LD_PRELOAD", options->heap, 1);
    (void)execv(program, arguments);
    _exit(127);
}

struct processes *processes_start(const struct processes_options *options)
{
    struct processes *processes = bench_array(1, sizeof *processes);
    if (options->count > PROCESSES_MAX)
        bench_die("too many workers: %zu (limit %d)", options->count, PROCESSES_MAX);
    if (options->heap != NULL)
        processes->heap = share_counters();
    for (; processes->count < options->count; processes->count++) {
        pid_t pid = fork();
        if (pid < 0)
            bench_die("cannot start a worker process");
        if (pid == 0)
            become_worker(options, processes->count);
        processes->pids[processes->count] = pid;
    }
    return processes;
}

void processes_end(struct processes *processes)
{
    for (size_t i = 0; i < processes->count; i++)
        (void)kill(processes->pids[i], SIGTERM);
    for (size_t i = 0; i < processes->count; i++) {
        int status = 0;
        if (waitpid(processes->pids[i], &status, 0) != processes->pids[i] || status != 0)
            bench_die("a worker ended with wait status %#x (expected 0)", (unsigned)status);
    }
    if (processes->heap != NULL)
        (void)munmap(processes->heap, sizeof *processes->heap);
    free(processes);
}

/* --- measuring --- */

static void read_process(pid_t pid, const char *name, char *text, size_t room)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        bench_die("cannot open %s: the worker has ended", path);
    text[fread(text, 1, room - 1, file)] = '\0';
    (void)fclose(file);
}

static double cpu_seconds(pid_t pid)
{
    char text[1024];
    unsigned long user = 0, kernel = 0;
    read_process(pid, "stat", text, sizeof text);
    const char *after_name = strrchr(text, ')'); /* the program's name may contain anything */
    if (after_name == NULL ||
        sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &kernel) != 2)
        bench_die("cannot read the CPU times of the worker");
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* Reads a line "NAME:   123 kB" of /proc/PID/status; `name` includes the colon. */
static double status_mib(pid_t pid, const char *name)
{
    char text[4096];
    unsigned long kib = 0;
    read_process(pid, "status", text, sizeof text);
    const char *line = strstr(text, name);
    if (line == NULL || sscanf(line + strlen(name), " %lu", &kib) != 1)
        bench_die("missing %s in /proc/%d/status", name, (int)pid);
    return (double)kib / 1024;
}

static double largest_mib(const struct processes *processes, const char *name)
{
    double largest = 0;
    for (size_t i = 0; i < processes->count; i++) {
        double mib = status_mib(processes->pids[i], name);
        if (mib > largest)
            largest = mib;
    }
    return largest;
}

double processes_cpu_seconds(const struct processes *processes)
{
    double seconds = 0;
    for (size_t i = 0; i < processes->count; i++)
        seconds += cpu_seconds(processes->pids[i]);
    return seconds;
}

double processes_peak_mib(const struct processes *processes)
{
    return largest_mib(processes, "VmHWM:");
}

double processes_resident_mib(const struct processes *processes)
{
    return largest_mib(processes, "VmRSS:");
}

uint64_t processes_allocations(const struct processes *processes)
{
    return processes->heap != NULL ? atomic_load(&processes->heap->allocations) : 0;
}
