/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes every message of the system tests to a file, for tests/schema/check: one JSON object per
 * line. The variable ALLOT_TEST_JOURNAL names the file; if it is not set, nothing is written.
 */
#ifndef ALLOT_WORKER_JOURNAL_H
#define ALLOT_WORKER_JOURNAL_H

#include "common/amqp/client.h"

/* `test` distinguishes equal message ids of several tests. `user` published the command. */
void journal_command(const char *test, struct text user, const struct outgoing *command);
/* `direction` is "reply" or "dead_letter". */
void journal_message(const char *test, const char *direction, const struct client_message *message);

#endif
