/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes commands in the name of their principals. */
#ifndef ALLOT_CTL_DESK_SENDER_H
#define ALLOT_CTL_DESK_SENDER_H

#include "common/amqp/client.h"
#include "ctl/desk/desk.h"

/*
 * Checks that the broker lets the client's user publish as `principal`: publishes a message that no
 * queue gets. Returns false, with an error that says which tag the user needs, if it does not.
 */
ALLOT_CHECK bool sender_check(const struct desk *desk, struct client *client, struct text principal,
                              struct error *error);

/* Publishes a command. Returns false, with an error, if the connection is lost. */
ALLOT_CHECK bool sender_send(struct client *client, const struct outgoing *outgoing,
                             struct error *error);
/* Waits for the confirms of all commands that were sent. Returns false, with an error, if it is not
   certain that the broker has them. */
ALLOT_CHECK bool sender_confirm(const struct desk *desk, struct client *client,
                                struct error *error);

#endif
