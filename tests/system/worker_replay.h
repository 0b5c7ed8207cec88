/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the dead-letter desk share: letters of real commands, policies, allotctl as the
 * operator, and what it prints as JSON. Texts of the database are read by `allotctl letter show`.
 */
#ifndef ALLOT_WORKER_REPLAY_H
#define ALLOT_WORKER_REPLAY_H

#include <jansson.h>
#include <sys/types.h>

#include "tests/system/worker_fixture.h"
#include "tests/system/worker_letters.h"

/* --- policies --------------------------------------------------------------------------------- */

/* conductor and team-blue may do everything, or nothing. Nobody may name a reply queue but that of
   the tests. */
extern const char policy_open[];
extern const char policy_shut[];

/* Writes the policy file of the workers and of allotctl, and sets its variable. A worker that runs
   does not read it. */
void use_policy(const char *content);
/* Ends the worker, if it is not 0, and starts one with this policy. Waits until it takes commands.
 */
pid_t restart_worker(pid_t worker, const char *content);

/* --- commands --------------------------------------------------------------------------------- */

/* Publishes a command whose failure nobody would hear of. */
void send_unanswered(struct producer *producer, const char *key, const char *body);
/* The same, and waits for its letter. Returns the id; static, until the next call. */
const char *make_letter(struct producer *producer, const char *key, const char *body);
/* Waits until there is an open letter of the key. Returns the id; static, until the next call. */
const char *await_letter(const char *key);

/* --- letters without a worker ----------------------------------------------------------------- */

/* Returns the letter that a worker makes of a command of this principal, in `arena`: forbidden. */
struct letter letter_of(struct arena *arena, const char *principal, const char *key,
                        const char *body);
/* Changes letters that fit a filter by an update of MongoDB, both given as JSON. Fails unless it is
   `count` letters. */
void change_letters(const char *filter, const char *update, int64_t count);

/* --- allotctl --------------------------------------------------------------------------------- */

/* Runs allotctl with the operator's URI of the broker, and fails unless it exits with `status`.
   Returns what it printed on both streams; static, until the next call. */
const char *run_operator(int status, const char *format, ...) ALLOT_PRINTF(2, 3);
/* The same for a command that needs the database only. */
const char *run_reader(int status, const char *format, ...) ALLOT_PRINTF(2, 3);
/* Starts such a command of the operator in the background; its output goes to the file. */
pid_t start_operator(const char *output_path, const char *format, ...) ALLOT_PRINTF(2, 3);
/* Writes a file for --body, which is removed when the program ends. Returns its path; static. */
const char *write_body(const char *content);
/* Fails unless `output` contains `part`. */
void expect_output(const char *output, const char *part);
void expect_no_output(const char *output, const char *part);

/* Return the object in the first or the last line of the output. Owned by the caller. */
json_t *first_object(const char *output);
json_t *last_object(const char *output);
/* Returns the object that `letter show --json` prints. Owned by the caller. */
json_t *show_letter(const char *id);
/* Fails unless the member is this text; NULL: it must be null. */
void expect_member(const json_t *object, const char *name, const char *text);
void expect_number(const json_t *object, const char *name, json_int_t number);
/* Fails unless the letter is in this state. */
void expect_state(const char *id, const char *wanted);
/* Fails unless the history of the letter consists of these actions, separated by spaces; an entry
   of a worker is named by its reason. */
void expect_history(const char *id, const char *entries);

#endif
