/* SPDX-License-Identifier: Apache-2.0 */
/* What of the configuration of this worker others can read or change. */
#ifndef ALLOT_EXPOSURES_H
#define ALLOT_EXPOSURES_H

#include "worker/wiring.h"

/* Logs a warning for each exposure (service/exposure.h) of hosts and files. `config` is the path of
   the settings file, or NULL. Call it after worker_load() and worker_check(). */
void exposures_log(const struct worker *worker, const char *config);

#endif
