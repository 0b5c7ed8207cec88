/* SPDX-License-Identifier: Apache-2.0 */
/* The queue that allotctl gets its replies from, and what a reply says. */
#ifndef ALLOT_CTL_REPLY_QUEUE_H
#define ALLOT_CTL_REPLY_QUEUE_H

#include <jansson.h>

#include "common/amqp/client.h"

/* The time to wait for the confirm of a command. */
enum { COMMAND_CONFIRM_MS = 30000 };

/*
 * Declares the exclusive queue USER.allotctl.RUN and consumes from it, without acknowledgements;
 * the broker deletes it with the connection. The policy has to allow it as reply_to. Sets the name,
 * in `arena`. Returns false, with an error that names the permissions, if the broker refuses.
 */
ALLOT_CHECK bool reply_queue_open(struct client *client, const char *run, struct arena *arena,
                                  const char **ret_queue, struct error *error);

/* Returns the body of a reply, which the caller releases; NULL if it is no object with a text
   `status`. */
json_t *reply_read(const struct client_message *message);
/* Returns whether the reply is that of an outcome which was recorded before (x-allot-replayed). */
bool reply_is_replayed(const struct client_message *message);

#endif
