/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Administration of the real MongoDB for a test, past the store: commands, parameters, counts and
 * fail points. The server is the one of ALLOT_MONGODB_URI, and needs enableTestCommands. A call
 * that fails ends the test.
 */
#ifndef ALLOT_STORE_ADMIN_H
#define ALLOT_STORE_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

/* Runs a command, given as JSON, on the primary. */
void admin_run(const char *database, const char *json);
/* Returns a server parameter, an integer. */
int64_t admin_parameter(const char *name);
void admin_set_parameter(const char *name, int64_t value);
/* Returns the time of the primary, in milliseconds since the Unix epoch. */
int64_t admin_now_ms(void);
/* Counts the documents of a collection that match `filter`, given as JSON; without the sentinel. */
int64_t admin_count(const char *database, const char *collection, const char *filter);
/* Counts the indexes of a collection that match `filter`, given as JSON. */
int64_t admin_index_count(const char *database, const char *collection, const char *filter);
/* Waits until the server has ended every transaction of the stores under test. */
void admin_await_no_transaction(void);

/* Waits until a drop in this database waits for a lock. */
void admin_await_waiting_drop(const char *database);

/* --- fail points --- */

/* Values of `how`: members of the fail point's data, given as JSON. */
#define ADMIN_CUT "\"closeConnection\": true"
#define ADMIN_WRITE_CONCERN_TIMEOUT                                                                \
    "\"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting timed out\"}"

/*
 * Fails the next `times` of these commands of the stores under test; 0: all of them, until
 * admin_clear_faults(). `commands` are names in double quotes, separated by commas.
 */
void admin_fail(const char *commands, int times, const char *how);
/* Lets the first of these commands pass, and fails all that follow, until admin_clear_faults(). */
void admin_fail_after_first(const char *commands, const char *how);
/* Waits until a command has met the fault that was set last; it may still be held up there. */
void admin_await_fault(void);
void admin_clear_faults(void);
/* Clears the faults after a test: a tear-down function of cmocka. */
int admin_tear_down(void **state);

#endif
