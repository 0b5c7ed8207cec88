/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "worker/service/events.h"

enum { EXIT_SECOND_SIGNAL = 3 };

int signals_open(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

int signals_next(int fd, int timeout_ms)
{
    struct signalfd_siginfo info;
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, timeout_ms) == 0)
        return 0;
    ssize_t got;
    do
        got = read(fd, &info, sizeof info);
    while (got < 0 && errno == EINTR);
    /* A worker that cannot read signals could not be stopped, so it ends now. */
    return got == (ssize_t)sizeof info ? (int)info.ssi_signo : SIGTERM;
}

static void *end_at_second_signal(void *fd)
{
    while (signals_next((int)(intptr_t)fd, -1) == SIGHUP)
        continue;
    event_log(EVENT_WORKER_FORCED_EXIT, LOG_NONE, "second signal received, exiting immediately");
    (void)log_flush(LOG_FLUSH_MS);
    _exit(EXIT_SECOND_SIGNAL);
}

void signals_end_at_next(int fd)
{
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, end_at_second_signal, (void *)(intptr_t)fd) == 0)
        (void)pthread_detach(watcher); /* nobody joins it; it ends with the process */
}
