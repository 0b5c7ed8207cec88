/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL); /* if it was ignored, the status of a program would be lost */
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
