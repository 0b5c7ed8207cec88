/* SPDX-License-Identifier: Apache-2.0 */
/* What a test does to the real MongoDB behind the store's back: commands and fail points. */
#ifndef ALLOT_STORE_ADMIN_H
#define ALLOT_STORE_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

/* Runs a command, given as JSON, on the primary; it has to succeed. */
void admin_run(const char *database, const char *json);
/* An integer of the reply of `getParameter`. */
int64_t admin_parameter(const char *name);
/* How many documents of a collection match. */
int64_t admin_count(const char *database, const char *collection, const char *filter);

/*
 * Lets the next `times` of these commands ("\"aggregate\"", separated by commas) of a worker's
 * client fail; 0: all of them, until admin_clear_faults. `how` is more of the fail point's data:
 * "\"errorCode\": 112".
 */
void admin_fail(const char *commands, int times, const char *how);
void admin_clear_faults(void);

#endif
