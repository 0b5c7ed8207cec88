/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The input is a file in memory, so nobody waits for a program that does not read it, and
 * there is no SIGPIPE. The output is a pipe that is read until the program ends; its first line is
 * kept and the rest is dropped.
 *
 * The end is noticed by a look every LOOK_MS, and at once if the program closes its output. A
 * program that leaves something in the background may end while its output stays open, so the end
 * of the output alone does not count.
 */
#include "common/host/run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/memory.h"
#include "common/host/system_clock.h"

enum { LOOK_MS = 20, LINE_BYTES_MAX = 200, FIRST_OTHER_FD = 3 };

extern char **environ;

struct child {
    pid_t pid;
    int output; /* the end to read; -1: it is closed */
    char line[LINE_BYTES_MAX + 1];
    size_t length;
    bool line_ended;
};

/* --- the start ------------------------------------------------------------------------------ */

/* Returns a file with the text, to be read from its start; -1: there is none. */
static int file_of(struct text input)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    for (size_t done = 0; fd >= 0 && done < input.length;) {
        ssize_t written = write(fd, input.bytes + done, input.length - done);
        if (written < 0) {
            (void)close(fd);
            return -1;
        }
        done += (size_t)written;
    }
    if (fd >= 0)
        (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Returns the environment without the variables of allotd, a list to be freed. */
static char **program_environment(void)
{
    static const char prefix[] = "ALLOT_";
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **list = memory_array(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], prefix, sizeof prefix - 1) != 0)
            list[kept++] = environ[i];
    }
    list[kept] = NULL;
    return list;
}

static int set_files(posix_spawn_file_actions_t *actions, int input, int output)
{
    int failure = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
    if (failure == 0)
        failure = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    if (failure == 0)
        failure = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
    if (failure == 0)
        failure = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_OTHER_FD);
    return failure;
}

/* allotd blocks the signals that end it, and ignores SIGPIPE; the program does neither. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int failure = posix_spawnattr_setsigmask(attributes, &none);
    if (failure == 0)
        failure = posix_spawnattr_setsigdefault(attributes, &all);
    if (failure == 0)
        failure = posix_spawnattr_setpgroup(attributes, 0);
    if (failure == 0)
        failure = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    return failure;
}

/* Returns 0 or an error number. */
static int spawn(const char *path, int input, int output, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *program = memory_string(path, strlen(path));
    char *const arguments[] = {program, NULL};
    char **environment = program_environment();
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    int failure = set_files(&actions, input, output);
    if (failure == 0)
        failure = set_attributes(&attributes);
    if (failure == 0)
        failure = posix_spawn(ret_pid, path, &actions, &attributes, arguments, environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    free(environment);
    free(program);
    return failure;
}

static bool start(const struct program_run *run, struct child *ret_child, struct error *error)
{
    int ends[2] = {-1, -1}, input = file_of(run->input), failure = 0;
    if (input < 0 || pipe2(ends, O_CLOEXEC) != 0)
        failure = errno;
    else
        failure = spawn(run->path, input, ends[1], &ret_child->pid);
    if (input >= 0)
        (void)close(input);
    if (ends[1] >= 0)
        (void)close(ends[1]);
    if (failure == 0) {
        ret_child->output = ends[0];
        (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
        return true;
    }
    if (ends[0] >= 0)
        (void)close(ends[0]);
    error_set(error, "cannot run %s: %s", run->path, strerror(failure));
    return false;
}

/* --- the output ----------------------------------------------------------------------------- */

static void keep(struct child *child, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && !child->line_ended && child->length < LINE_BYTES_MAX; i++) {
        if (bytes[i] != '\n')
            child->line[child->length++] = bytes[i];
        else
            child->line_ended = child->length > 0;
    }
}

static void close_output(struct child *child)
{
    if (child->output >= 0)
        (void)close(child->output);
    child->output = -1;
}

/* Reads what is there, at most some of it, so that a program that writes on and on is still
   limited. */
static void read_output(struct child *child)
{
    char bytes[4096];
    if (child->output < 0)
        return;
    ssize_t got = read(child->output, bytes, sizeof bytes);
    if (got > 0)
        keep(child, bytes, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        close_output(child);
}

/* --- the end -------------------------------------------------------------------------------- */

static bool has_ended(const struct child *child, int *ret_status)
{
    return waitpid(child->pid, ret_status, WNOHANG) == child->pid;
}

/* Waits for output or the stop, but not longer than LOOK_MS. Returns whether to stop. */
static bool wait_for_output(const struct program_run *run, struct child *child)
{
    struct pollfd waiting[] = {{.fd = run->stop_fd, .events = POLLIN},
                               {.fd = child->output, .events = POLLIN}};
    (void)poll(waiting, 2, LOOK_MS);
    read_output(child);
    return waiting[0].revents != 0;
}

static void kill_all(const struct child *child)
{
    int status = 0;
    (void)kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
}

static bool judge(const struct program_run *run, struct child *child, int status,
                  struct error *error)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    read_output(child);
    const char *separator = child->length > 0 ? ": " : "";
    if (WIFEXITED(status))
        error_set(error, "%s exited with status %d%s%.*s", run->path, WEXITSTATUS(status),
                  separator, (int)child->length, child->line);
    else
        error_set(error, "%s was ended by signal %d%s%.*s", run->path, WTERMSIG(status), separator,
                  (int)child->length, child->line);
    return false;
}

static bool await(const struct program_run *run, struct child *child, struct error *error)
{
    int64_t until_ms = system_monotonic_ms() + run->timeout_ms;
    int status = 0;
    while (!has_ended(child, &status)) {
        bool stops = wait_for_output(run, child);
        if (!stops && system_monotonic_ms() < until_ms)
            continue;
        kill_all(child);
        if (stops)
            error_set(error, "%s was killed: the worker stops", run->path);
        else
            error_set(error, "%s was killed: it had not ended after %lld ms", run->path,
                      (long long)run->timeout_ms);
        return false;
    }
    return judge(run, child, status, error);
}

bool run_program(const struct program_run *run, struct error *error)
{
    struct child child = {.output = -1};
    if (!start(run, &child, error))
        return false;
    bool done = await(run, &child, error);
    close_output(&child);
    return done;
}
