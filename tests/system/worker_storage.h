/* SPDX-License-Identifier: Apache-2.0 */
/* The storage as a system test sees it, independently of the worker, and what breaks it. */
#ifndef ALLOT_WORKER_STORAGE_H
#define ALLOT_WORKER_STORAGE_H

#include <stdint.h>

/*
 * Usage of the providers = sum of the consumers' allocations, and so many consumers, of one claim
 * each, and outcomes are there.
 */
void audit(int64_t consumers, int64_t outcomes);
int64_t transactions_committed(void);
/* Runs a command, given as JSON, on the primary; "admin" or the test's database. */
void run_on_storage(const char *database, const char *json);

/*
 * Lets the next `times` of these commands ("\"aggregate\"", separated by commas) of the worker
 * fail; 0: all of them, until clear_storage_faults. `how` is more of the fail point's data:
 * "\"errorCode\": 112".
 */
void fail_commands(const char *commands, int times, const char *how);
/* How often the fail point was met since fail_commands. */
int64_t clear_storage_faults(void);
/* To every mongod of the stack; the pid files are what script/stack env names. */
void signal_storage(int signal_number);

#endif
