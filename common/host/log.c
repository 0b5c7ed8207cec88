/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. log_write makes a line on the stack of its caller. After log_start it copies the line
 * into a buffer, under a lock that is held only to copy, and never waits for stderr. A thread of
 * its own takes line by line from the buffer and writes each with one write(2). That thread may
 * block for ever, for example if stderr is a pipe that nobody reads. stderr is often shared with
 * other processes, so it is not made non-blocking. Nothing is allocated for a line.
 *
 * The thread also makes lines itself: the number of lines that were dropped, when something can be
 * written again, and the number of lines that repeat (log_repeats.h), when their 10 s are over.
 *
 * Not here: the form of a line (log_format.c), the ring (log_buffer.c).
 */
#include "common/host/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/host/condition.h"
#include "common/host/log_buffer.h"
#include "common/host/log_repeats.h"
#include "common/host/system_clock.h"

enum { MESSAGE_BYTES = 4096, WORKER_BYTES = 256, DROPPED_MS = 10000 };

/* Set before there are threads, only read afterwards. */
static struct {
    enum log_level level;
    enum log_format format;
    char worker[WORKER_BYTES];
    bool started;
} state = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_AUTO};

/* Lines that were not written. */
struct dropped {
    int64_t lines; /* all of them */
    int64_t audit_lines;
};

/* Shared with the thread that writes; guarded by `lock`. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* there may be something to write */
    pthread_cond_t drained; /* all is written */
    bool is_drained;
    bool flushing;          /* numbers are written now, not when they are due */
    int64_t report_ms;      /* monotonic: `dropped` is not written before */
    struct dropped dropped; /* not yet written */
    struct log_repeats repeats;
    struct log_buffer buffer;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A line that is being written. */
struct output {
    size_t length;
    struct dropped lost; /* what has to be counted if it cannot be written */
    char bytes[LOG_LINE_BYTES_MAX];
};

void log_configure(enum log_level level, enum log_format format, const char *worker)
{
    state.level = level;
    state.format = format;
    (void)snprintf(state.worker, sizeof state.worker, "%s", worker != NULL ? worker : "");
}

bool log_enabled(enum log_level level)
{
    return level <= state.level;
}

static enum log_format format_in_use(void)
{
    if (state.format != LOG_FORMAT_AUTO)
        return state.format;
    return isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
}

/* --- the thread that writes ----------------------------------------------------------------- */

/* Returns false if the rest cannot be written. */
static bool write_all(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, length);
        struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (written >= 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            (void)poll(&room, 1, -1); /* somebody has made it non-blocking */
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* Without the line end, the next line would continue a line of which only a part was written. */
static bool write_line(const struct output *output)
{
    static bool torn;
    if (torn && !write_all("\n", 1))
        return false;
    torn = !write_all(output->bytes, output->length);
    return !torn;
}

static void count_dropped(struct dropped lost)
{
    shared.dropped.lines += lost.lines;
    shared.dropped.audit_lines += lost.audit_lines;
}

static bool take_dropped(struct output *output, int64_t now_ms)
{
    if (shared.dropped.lines == 0 || now_ms < shared.report_ms)
        return false;
    const struct log_line line = {
        system_wall_ms(),
        LOG_LEVEL_WARNING,
        LOG_EVENT_DROPPED,
        "log lines were dropped, because stderr did not take them",
        state.worker,
        LOG_FIELDS(LOG_I("lines", shared.dropped.lines),
                   LOG_I("audit_lines", shared.dropped.audit_lines)),
    };
    output->length = log_format_line(&line, format_in_use(), output->bytes);
    output->lost = shared.dropped;
    shared.dropped = (struct dropped){0};
    shared.report_ms = now_ms + DROPPED_MS;
    return true;
}

static bool take_repeated(struct output *output, int64_t now_ms)
{
    struct log_repeat repeat;
    struct log_field fields[LOG_REPEAT_TEXTS + 1];
    int64_t due_ms = shared.flushing ? now_ms + LOG_REPEATS_MS : now_ms;
    if (shared.repeats.count == 0 || due_ms < shared.repeats.next_ms ||
        !log_repeats_take(&shared.repeats, due_ms, &repeat))
        return false;
    const struct log_line line = log_repeat_line(&repeat, state.worker, system_wall_ms(), fields);
    output->length = log_format_line(&line, format_in_use(), output->bytes);
    output->lost = (struct dropped){.lines = 1};
    return true;
}

static bool take_buffered(struct output *output)
{
    enum log_rank rank = LOG_RANK_USUAL;
    output->length = log_buffer_take(&shared.buffer, output->bytes, &rank);
    output->lost = (struct dropped){.lines = 1, .audit_lines = rank == LOG_RANK_AUDIT};
    return output->length > 0;
}

static bool take_line(struct output *output)
{
    int64_t now_ms = system_monotonic_ms();
    return take_dropped(output, now_ms) || take_repeated(output, now_ms) || take_buffered(output);
}

static void wait_for_line(void)
{
    int64_t until_ms = shared.repeats.count > 0 ? shared.repeats.next_ms : INT64_MAX;
    if (shared.dropped.lines > 0 && shared.report_ms < until_ms)
        until_ms = shared.report_ms;
    shared.is_drained = true;
    (void)pthread_cond_broadcast(&shared.drained);
    (void)condition_wait(&shared.changed, &shared.lock, until_ms);
}

static void *write_lines(void *nothing)
{
    static struct output output;
    (void)pthread_mutex_lock(&shared.lock);
    for (;;) {
        if (!take_line(&output)) {
            wait_for_line();
            continue;
        }
        (void)pthread_mutex_unlock(&shared.lock);
        bool written = write_line(&output);
        (void)pthread_mutex_lock(&shared.lock);
        if (!written)
            count_dropped(output.lost);
    }
    return nothing;
}

bool log_start(void)
{
    sigset_t all, before;
    pthread_t thread;
    condition_init(&shared.changed);
    condition_init(&shared.drained);
    /* A new thread has the signal mask of its creator. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    state.started = pthread_create(&thread, NULL, write_lines, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!state.started)
        return false;
    (void)pthread_setname_np(thread, "log");
    (void)pthread_detach(thread); /* it may be blocked for ever; it ends with the process */
    return true;
}

bool log_flush(int timeout_ms)
{
    if (!state.started)
        return true;
    int64_t now_ms = system_monotonic_ms(), until_ms = now_ms + timeout_ms;
    (void)pthread_mutex_lock(&shared.lock);
    shared.flushing = true;
    shared.report_ms = now_ms;
    shared.is_drained = false;
    (void)pthread_cond_signal(&shared.changed);
    while (!shared.is_drained && system_monotonic_ms() < until_ms)
        (void)condition_wait(&shared.drained, &shared.lock, until_ms);
    bool drained = shared.is_drained;
    shared.flushing = false;
    (void)pthread_mutex_unlock(&shared.lock);
    return drained;
}

/* --- any thread ----------------------------------------------------------------------------- */

static enum log_rank rank_of(const struct log_line *line)
{
    if (strncmp(line->event, "audit.", strlen("audit.")) == 0)
        return LOG_RANK_AUDIT;
    return line->level == LOG_LEVEL_ERROR ? LOG_RANK_ERROR : LOG_RANK_USUAL;
}

static void enqueue(enum log_rank rank, const char *bytes, size_t length)
{
    (void)pthread_mutex_lock(&shared.lock);
    if (log_buffer_put(&shared.buffer, rank, bytes, length))
        (void)pthread_cond_signal(&shared.changed);
    else
        count_dropped((struct dropped){.lines = 1, .audit_lines = rank == LOG_RANK_AUDIT});
    (void)pthread_mutex_unlock(&shared.lock);
}

static void output_line(const struct log_line *line)
{
    char buffer[LOG_LINE_BYTES_MAX];
    size_t length = log_format_line(line, format_in_use(), buffer);
    if (state.started) {
        enqueue(rank_of(line), buffer, length);
        return;
    }
    /* A program whose log cannot be written goes on. */
    ssize_t written = write(STDERR_FILENO, buffer, length);
    (void)written;
}

/* Returns whether the line repeats one of the last 10 s; then it is counted. */
static bool is_repeated(struct log_kind kind, const struct log_line *line)
{
    if (!state.started || !kind.limited || kind.level > LOG_LEVEL_WARNING)
        return false;
    (void)pthread_mutex_lock(&shared.lock);
    bool repeated = log_repeats_add(&shared.repeats, line, system_monotonic_ms());
    (void)pthread_mutex_unlock(&shared.lock);
    return repeated;
}

void log_write(struct log_kind kind, const struct log_field *fields, const char *format, ...)
{
    if (!log_enabled(kind.level))
        return;
    int saved = errno;
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    struct log_line line = {system_wall_ms(), kind.level,   kind.event,
                            message,          state.worker, fields};
    if (is_repeated(kind, &line))
        line.level = LOG_LEVEL_DEBUG;
    if (log_enabled(line.level))
        output_line(&line);
    errno = saved;
}
