/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all system tests share: allotd as a process, producers, and the broker.
 *
 * A system test runs the real worker on a real broker and a real replica set. It needs the
 * variables of `script/stack env`, and fails without them. Each test has a database of its own, but
 * all tests use the same queues, so only one of these programs may run at a time.
 *
 * A usual test: open_producer, start_worker, make_providers, send_claims, receive_claims,
 * check_database, end_worker. A helper that fails ends the test; the teardown kills the workers.
 */
#ifndef ALLOT_WORKER_FIXTURE_H
#define ALLOT_WORKER_FIXTURE_H

#include "tests/support/cmocka.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/amqp/client.h"

enum { WAIT_MS = 120000, PROVIDERS = 4, BODY_MAX = 1024 };

/* --- the worker ------------------------------------------------------------------------------- */

/* The setting worker.name of all workers. */
#define FIXTURE_WORKER "system-fixture"

/* Starts a worker on this test's database. Its log goes to the test's stderr. */
pid_t start_worker(void);
/* The same, with the log appended to an existing file; NULL: to the test's stderr. */
pid_t start_worker_with_log(const char *log_path);
/* Waits until a line of the log contains `event`. */
void await_log_event(const char *log_path, const char *event);
/* Sends a signal, then does what await_end does. */
int end_worker(pid_t pid, int signal_number);
/* Waits until the worker ends. Returns its status as waitpid does. */
int await_end(pid_t pid);
/*
 * Sets an environment variable for the workers that start from now on, until the test ends. Both
 * strings are borrowed until then.
 */
void set_worker(const char *variable, const char *value);

/* --- producers -------------------------------------------------------------------------------- */

struct producer {
    struct client *client; /* owned; to be closed with client_close */
    char queue[128];       /* receives its replies */
};

struct producer open_producer(const char *uri_variable, const char *user);
/* Opens a client as the worker's user, which may read all queues. Owned by the caller. */
struct client *open_worker_client(void);

/* Returns a command to publish. All texts are borrowed; NULL: the property is absent. */
struct outgoing command_message(const char *key, const char *reply_to, const char *body);
enum client_outcome publish(struct producer *producer, const struct outgoing *command);
/* Publishes a command and fails unless the broker confirms it. */
void send_body(struct producer *producer, const char *key, const char *body);
/* Waits for the next reply. The caller frees its arena. */
struct client_message receive(struct producer *producer);
/* Fails if a reply arrives within `wait_ms`. */
void expect_silence(struct producer *producer, int wait_ms);
/* Sends a command and fails unless the body of the next reply contains `part`. */
void expect(struct producer *producer, const char *key, const char *body, const char *part);
bool contains(struct text body, const char *part);

const char *provider_uuid(size_t i); /* valid until the next call */
/* Creates PROVIDERS providers, each with an inventory of VCPU. Two outcomes each. */
void make_providers(struct producer *producer);
/* Writes the claim of consumer `i` to `body`: 2 VCPU, project "p". */
void claim_body(char *body, size_t room, size_t i);
void claim_body_of(char *body, size_t room, size_t i, const char *project);
/* Sends the claims from `first` up to, but not including, `end`, with the keys claim-<i>. */
void send_claims(struct producer *producer, size_t first, size_t end);
/* Returns <i> of the reply to the command with the key PREFIX<i>; fails at another key. */
size_t reply_number(const struct client_message *reply, const char *prefix);
/* The same for claim-<i>. */
size_t claim_number(const struct client_message *reply);
/*
 * Receives replies to claims, and fails unless each is a success with consumer generation 1. Sets
 * answered[i] to 1 for the reply to claim-<i>. Stops when all claims below `count` are answered, or
 * after `enough` replies. Returns the number of replies.
 */
size_t receive_claims(struct producer *producer, unsigned char *answered, size_t count,
                      size_t enough);
size_t count_answered(const unsigned char *answered, size_t count);

/* --- the broker ------------------------------------------------------------------------------- */

/* Waits until no message in the command queue is ready, that is, the worker has taken all. */
void await_empty_queue(void);
void expect_no_dead_letter(void);
/* Waits for the next dead letter and acknowledges it. The caller frees its arena. */
struct client_message take_dead_letter(void);
/* Runs rabbitmqctl for the stack's broker. Its output is cut to `room` bytes. */
void rabbitmqctl(const char *arguments, char *output, size_t room);
/* Has the broker close all connections of a user. */
void close_connections_of(const char *user);

/* --- setup and teardown ----------------------------------------------------------------------- */

const char *fixture_database(void);
int fresh_database(void **state);
int drop_database(void **state);
/* Group setup: declares the topology, so that a producer may publish before a worker runs. */
int declare_topology(void **state);

#define WORKER_TEST(test) cmocka_unit_test_setup_teardown(test, fresh_database, drop_database)

#endif
