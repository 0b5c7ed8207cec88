/* SPDX-License-Identifier: Apache-2.0 */
/* From librabbitmq's statuses and the broker's exceptions to ours: the only place. */
#ifndef ALLOT_AMQP_STATUS_H
#define ALLOT_AMQP_STATUS_H

#include <amqp.h>

#include "allot/transport.h"

/* How the broker said that it closes a channel or the connection. */
struct closing {
    uint16_t code;
    struct text text; /* borrowed */
};

/* Of a CHANNEL_CLOSE or CONNECTION_CLOSE method. */
struct closing closing_of(const amqp_method_t *method);

/* LOST, with "what: librabbitmq's words"; REFUSED for what only a person can mend. */
enum transport_status status_of_library(int status, const char *what, struct error *error);
/* REFUSED for rights, absence, other arguments; LOST for all else. */
enum transport_status status_of_closing(struct closing closing, const char *what,
                                        struct error *error);
/* Of any RPC; OK for a normal reply. */
enum transport_status status_of_reply(amqp_rpc_reply_t reply, const char *what,
                                      struct error *error);

#endif
