/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system tests send and receive, for tests/schema/check: one JSON object a line, in the
 * file that ALLOT_TEST_JOURNAL names. Where that is not set, nothing is kept.
 */
#ifndef ALLOT_WORKER_JOURNAL_H
#define ALLOT_WORKER_JOURNAL_H

#include "common/amqp/client.h"

/* `user`: who publishes it. `test` tells apart the keys of several tests. */
void journal_command(const char *test, struct text user, const struct outgoing *command);
/* `direction`: "reply" or "dead_letter". */
void journal_message(const char *test, const char *direction, const struct client_message *message);

#endif
