/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the worker within shutdown.timeout. A thread stops the lanes and waits for them, so
 * that the main thread can give up, and can read signals, whatever a library call does.
 */
#ifndef ALLOT_SHUTDOWN_H
#define ALLOT_SHUTDOWN_H

#include "worker/wiring.h"

/*
 * Stops the worker and logs its end. `signals` is that of signals_open(). Returns once all lanes
 * have ended and the log is written. If that takes too long, it ends the process with `status`; a
 * second SIGTERM or SIGINT ends it with status 3.
 */
void shutdown_worker(struct worker *worker, int signals, int status);

#endif
