/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGTERM, SIGINT and SIGHUP, read from a signalfd, so that they interrupt no thread.
 */
#ifndef ALLOT_SIGNALS_H
#define ALLOT_SIGNALS_H

/* Blocks the three signals, and ignores SIGPIPE; call it before any thread starts. Returns the
   signalfd, or -1. */
int signals_open(void);
/* Waits for the next signal and returns it; 0 if none came within `timeout_ms` (-1: no limit). */
int signals_next(int fd, int timeout_ms);
/* From now on SIGTERM or SIGINT ends the process at once, with exit status 3. A thread of its own
   reads them, because the main thread waits for the lanes. */
void signals_end_at_next(int fd);

#endif
