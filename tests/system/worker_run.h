/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of replays for the tests: letters of claims, allotctl in the background, and what must be
   true in the end. */
#ifndef ALLOT_WORKER_RUN_H
#define ALLOT_WORKER_RUN_H

#include "tests/system/worker_replay.h"

enum { RUN_ROOM = 32, PROVIDER_OUTCOMES = 2 * PROVIDERS };

/* Stores letters of the claims (claim_body) from 0 on, with the keys claim-<i>. */
void store_claims(size_t count);
/* Starts a worker that allows everything, and makes the providers of the claims. */
pid_t start_with_providers(void);
/* Fails unless each claim took effect once and has one letter, which is closed, and the database is
   consistent. */
void expect_all_done(size_t count);

/* Starts allotctl as the operator in the background. */
pid_t start_run(const char *format, ...) ALLOT_PRINTF(1, 2);
/* Waits until it ends. Returns its status as waitpid does. */
int await_run(pid_t pid);
/* Returns what it has printed; static. */
const char *run_output(void);
/* Group teardown: removes the output. */
int remove_run_output(void **state);

/* Returns the name of the run that a letter belongs to; static. */
const char *run_of_letters(void);
/* Waits until at least so many letters fit the filter, given as JSON. */
void await_letters(const char *filter, int64_t count);

#endif
