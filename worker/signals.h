/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGTERM, SIGINT and SIGHUP, read from a descriptor, so that no thread is interrupted by them.
 */
#ifndef ALLOT_SIGNALS_H
#define ALLOT_SIGNALS_H

/* Before any thread. -1: none could be had. SIGPIPE is ignored from now on. */
int signals_open(void);
/* Waits for the next one; 0: none came within `timeout_ms` (-1: as long as it takes). */
int signals_next(int fd, int timeout_ms);
/* From now on SIGTERM or SIGINT ends the process at once, with exit status 3. */
void signals_end_at_next(int fd);

#endif
