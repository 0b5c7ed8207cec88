/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database as a system test uses it: its content, read without the worker's code, and faults.
 * The faults are fail points of mongod and frozen mongod processes, so they need a database server
 * of the tests' own (script/stack). clear_faults ends all of them; every test's teardown calls it.
 */
#ifndef ALLOT_WORKER_DATABASE_H
#define ALLOT_WORKER_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Fails unless the database has `consumers` consumers of one claim each (2 VCPU), `outcomes`
 * outcomes, and a usage of the providers that equals the sum of the consumers' allocations.
 */
void check_database(int64_t consumers, int64_t outcomes);
/* Returns how many documents of the collection fit the filter, given as JSON. */
int64_t count_documents(const char *collection, const char *filter);
/* Returns how many names more than one provider has. */
int64_t double_names(void);
/* Returns whether the collection has a strict validator. */
bool has_validator(const char *collection);
/* Returns how many indexes of the collection fit the filter, given as JSON. */
int64_t count_indexes(const char *collection, const char *filter);
/* Waits until a document of the collection fits the filter, given as JSON. */
void await_document(const char *collection, const char *filter);

/* Returns the hash of all that the database has (dbHash), but for what workers write about
   themselves; static, until the second call from now. */
const char *database_hash(void);

struct found_letters {
    int64_t count;
    char id[64]; /* of one of them */
};
/* Finds the letters that fit a filter, given as JSON. */
struct found_letters database_letters(const char *filter);
/* Waits until so many letters fit the filter. */
void await_stored_letters(const char *filter, int64_t count);

/* Returns the number of transactions that the primary has committed since it started. */
int64_t transactions_committed(void);
/* Runs a command, given as JSON, on the primary. `database` is "admin" or the test's. */
void run_on_database(const char *database, const char *json);

/*
 * Makes commands of the worker fail. `commands` are their names, quoted and separated by commas:
 * "\"insert\", \"update\"". The next `times` of them fail; 0: all of them until clear_faults.
 * `how` is a part of the fail point's data: "\"errorCode\": 112".
 */
void fail_commands(const char *commands, int times, const char *how);
/* A value of `how`: the commit takes effect, but its client is told that the result is unknown. */
#define COMMIT_RESULT_UNKNOWN "\"writeConcernError\": {\"code\": 91, \"errmsg\": \"shutting down\"}"
/* Waits until at least one command has failed since fail_commands. */
void await_failed_command(void);

/*
 * Makes every commit wait until release_commits; other commands go on. mongod may abort a
 * transaction after 10 s (transactionLifetimeLimitSeconds in script/stack); then the worker retries
 * it.
 */
void hold_commits(void);
/* Waits until a commit waits. */
void await_held_commit(void);
void release_commits(void);

/* An open transaction of somebody else. */
struct held_document;
/* Writes the documents of the collection that fit the filter, given as JSON, in a transaction that
   stays open until it is released, or mongod aborts it (see hold_commits). */
struct held_document *hold_document(const char *collection, const char *filter);
/* Aborts the transaction and frees it. */
void release_document(struct held_document *held);

/* Stops every mongod process of the stack: connections stay open, and nothing answers. */
void freeze_database(void);
/* Lets the processes run again. */
void thaw_database(void);

/* Waits until no command of the worker is being executed. Its transactions may be open. */
void await_no_command(void);

/* Ends all faults. Returns how many commands have failed since fail_commands. */
int64_t clear_faults(void);

#endif
