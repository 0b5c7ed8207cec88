/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system tests share: allotd as a process, producers, and the broker behind its back. Each
 * test has a database of its own; the queues are the stack's, so these programs run one at a time.
 */
#ifndef ALLOT_WORKER_LAB_H
#define ALLOT_WORKER_LAB_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/amqp/client.h"

enum { WAIT_MS = 30000, PROVIDERS = 4, BODY_MAX = 1024 };

/* --- the worker: of the database of this test, named FIXTURE_WORKER ------------------------------- */

#define FIXTURE_WORKER "system-fixture"

pid_t start_worker(void);
/* The status of waitpid; fails where it does not end in time. */
int end_worker(pid_t pid, int signal_number);
int await_end(pid_t pid);
/* A setting of the workers started from now on, until the end of the test. */
void set_worker(const char *variable, const char *value);

/* --- producers -------------------------------------------------------------------------------- */

struct producer {
    struct client *client;
    char queue[128]; /* where its replies go */
};

struct producer open_producer(const char *uri_variable, const char *user);
/* As the worker, which may see all queues; to be closed with client_close. */
struct client *open_worker_client(void);

struct outgoing command_message(const char *key, const char *reply_to, const char *body);
enum client_outcome publish(struct producer *producer, const struct outgoing *command);
void send_body(struct producer *producer, const char *key, const char *body);
/* The next reply, whose memory is the caller's; fails where none comes in time. */
struct client_message receive(struct producer *producer);
void expect_silence(struct producer *producer, int wait_ms);
/* Sends, and fails unless the next reply has `part` in it. */
void expect(struct producer *producer, const char *key, const char *body, const char *part);
bool contains(struct text body, const char *part);

const char *provider_uuid(size_t i); /* valid until the next call */
void make_providers(struct producer *producer);
/* The claim of consumer `i`, 2 VCPU; its key is claim-<i>. */
void claim_body(char *body, size_t room, size_t i);
void claim_body_of(char *body, size_t room, size_t i, const char *project);
void send_claims(struct producer *producer, size_t first, size_t end);
size_t claim_number(const struct client_message *reply);
/*
 * Takes replies, each a success with generation 1, until all claims below `count` are attempt_sent
 * in `answered`, or `enough` replies have come; gives the number of replies.
 */
size_t receive_claims(struct producer *producer, unsigned char *answered, size_t count,
                      size_t enough);
size_t count_answered(const unsigned char *answered, size_t count);

/* --- the broker ------------------------------------------------------------------------------- */

/* Duplicates of what a worker had answered may still wait; they are not the next test's. */
void await_empty_queue(void);
void expect_no_dead_letter(void);
/* The one dead letter that comes next, acknowledged; its memory is the caller's. */
struct client_message take_dead_letter(void);
/* Runs it on the stack's broker; what it writes is cut to `room`. */
void rabbitmqctl(const char *arguments, char *output, size_t room);

/* --- life of a test --------------------------------------------------------------------------- */

const char *fixture_database(void);
int fresh_database(void **state);
int drop_database(void **state);
/* Of the group: the first command must not come before the exchange. */
int declare_topology(void **state);

#define WORKER_TEST(test) cmocka_unit_test_setup_teardown(test, fresh_database, drop_database)

#endif
