/* SPDX-License-Identifier: Apache-2.0 */
/* A bare connection to the broker of script/stack, for tests that change queues past the project's
   code. */
#ifndef ALLOT_BROKER_ADMIN_H
#define ALLOT_BROKER_ADMIN_H

#include "common/amqp/librabbitmq.h"

/* Returns the URI in ALLOT_AMQP_URI; fails the test if there is none. */
const char *broker_admin_uri(void);
/* Returns a connection with channel 1 open, owned by the caller; fails the test if it cannot. */
amqp_connection_state_t broker_admin_open(const char *uri);

#endif
