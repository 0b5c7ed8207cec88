/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGTERM, SIGINT and SIGHUP, read from a signalfd, so that they interrupt no thread.
 */
#ifndef ALLOT_SIGNALS_H
#define ALLOT_SIGNALS_H

/* Blocks the three signals, and ignores SIGPIPE; call it before any thread starts. Returns the
   signalfd, which stays open until the process ends; or -1 with errno. */
int signals_open(void);
/* Waits for the next signal and returns it; 0 if none came within `timeout_ms` (-1: no limit). */
int signals_next(int fd, int timeout_ms);

#endif
