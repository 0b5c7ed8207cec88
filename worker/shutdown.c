/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/shutdown.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/host/system_clock.h"
#include "worker/service/events.h"
#include "worker/signals.h"

enum {
    EXIT_SECOND_SIGNAL = 3,
    RESERVE_MS_MAX = 1000,
    NOTE_MS_MAX = 2000, /* a stop does not wait longer for a database that is away */
    FORCED_FLUSH_MS = 100,
};

/* The parts of shutdown.timeout. */
struct limits {
    int64_t lanes_ms;   /* that the lanes have to answer commands */
    int64_t process_ms; /* that the lanes have to end; they close connections after lanes_ms */
    int64_t note_ms;    /* until when the database has to know of the stop */
    int flush_ms;       /* that is left for the log */
};

/* A bit is left over at the end, so that the process ends before the time-out. */
static struct limits limits_of(const struct settings *settings)
{
    int64_t timeout_ms = settings->shutdown_timeout_ms;
    int64_t reserve_ms = timeout_ms / 4 < RESERVE_MS_MAX ? timeout_ms / 4 : RESERVE_MS_MAX;
    return (struct limits){timeout_ms - 2 * reserve_ms, timeout_ms - reserve_ms,
                           timeout_ms - reserve_ms / 2, (int)reserve_ms / 4};
}

struct stopper {
    struct worker *worker;
    int64_t patience_ms;
    int ended_fd; /* an eventfd: the lanes have ended */
};

static void *stop_lanes(void *argument)
{
    const struct stopper *stopper = argument;
    worker_stop(stopper->worker, stopper->patience_ms);
    (void)eventfd_write(stopper->ended_fd, 1);
    return NULL;
}

enum ending { ENDED, TOO_LATE, SECOND_SIGNAL };

static enum ending await_end(int signals, int ended_fd, int64_t until_ms)
{
    for (;;) {
        struct pollfd waiting[] = {{.fd = signals, .events = POLLIN},
                                   {.fd = ended_fd, .events = POLLIN}};
        int64_t rest_ms = until_ms - system_monotonic_ms();
        int ready = poll(waiting, 2, rest_ms > 0 ? (int)rest_ms : 0);
        if (waiting[0].revents != 0 && signals_next(signals, 0) != SIGHUP)
            return SECOND_SIGNAL;
        if (waiting[1].revents != 0)
            return ENDED;
        if (ready == 0)
            return TOO_LATE;
    }
}

/* Stops the lanes in a thread of its own, and waits for it. Without a thread, all is given up. */
static enum ending stop(struct worker *worker, int signals, const struct limits *limits)
{
    static struct stopper stopper; /* the thread may need it until the process ends */
    pthread_t thread;
    int64_t until_ms = system_monotonic_ms() + limits->process_ms;
    stopper = (struct stopper){worker, limits->lanes_ms, eventfd(0, EFD_CLOEXEC)};
    if (stopper.ended_fd < 0 || pthread_create(&thread, NULL, stop_lanes, &stopper) != 0)
        return TOO_LATE;
    enum ending ending = await_end(signals, stopper.ended_fd, until_ms);
    if (ending != ENDED)
        return ending; /* the thread goes on until the process ends */
    (void)pthread_join(thread, NULL);
    (void)close(stopper.ended_fd);
    return ENDED;
}

static bool note_stop(struct worker *worker, int64_t until_ms)
{
    int64_t rest_ms = until_ms - system_monotonic_ms();
    return worker_note_stop(worker, rest_ms < NOTE_MS_MAX ? rest_ms : NOTE_MS_MAX);
}

static void log_end(const struct worker *worker, enum ending ending)
{
    uint64_t returned = worker_returned(worker);
    if (returned > 0)
        event_log(EVENT_COMMANDS_RETURNED, LOG_FIELDS(LOG_I("commands", (int64_t)returned)),
                  "shutdown.timeout passed; commands without an answer go back to the queue");
    event_log(EVENT_WORKER_STOPPED, LOG_NONE,
              ending == ENDED ? "shutdown complete"
                              : "shutdown complete; a call to the broker or the database has not "
                                "returned, and is given up");
}

void shutdown_worker(struct worker *worker, int signals, int status)
{
    const struct limits limits = limits_of(&worker->settings);
    event_log(EVENT_WORKER_STOPPING,
              LOG_FIELDS(LOG_I("in_flight", (int64_t)worker_in_flight(worker)),
                         LOG_I("timeout_ms", worker->settings.shutdown_timeout_ms)),
              "shutting down, waiting for in-flight commands");
    int64_t start_ms = system_monotonic_ms();
    worker_stopping(worker);
    enum ending ending = stop(worker, signals, &limits);
    if (ending == SECOND_SIGNAL) {
        event_log(EVENT_WORKER_FORCED_EXIT, LOG_NONE,
                  "second signal received, exiting immediately");
        (void)log_flush(FORCED_FLUSH_MS);
        _exit(EXIT_SECOND_SIGNAL);
    }
    /* A stop in order, although commands go back to the queue: none of them has crashed a worker.
     */
    if (!note_stop(worker, start_ms + limits.note_ms))
        ending = TOO_LATE;
    log_end(worker, ending);
    (void)log_flush(limits.flush_ms);
    if (ending != ENDED)
        _exit(status);
}
