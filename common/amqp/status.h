/* SPDX-License-Identifier: Apache-2.0 */
/* Translates librabbitmq's results and the broker's exceptions to transport_status and an error. */
#ifndef ALLOT_AMQP_STATUS_H
#define ALLOT_AMQP_STATUS_H

#include "allot/transport.h"
#include "common/amqp/librabbitmq.h"

/* Why the broker closed a channel or the connection. */
struct closing {
    uint16_t code;
    struct text text; /* borrowed */
};

/* Reads a channel.close or connection.close method. */
struct closing closing_of(const amqp_method_t *method);

/* Each error text begins with `what`, such as "cannot connect"; the cause follows. */

/* Translates an AMQP_STATUS_... of a failed call. Returns REFUSED if an operator is needed, or
 * LOST. */
enum transport_status status_of_library(int result, const char *what, struct error *error);
/*
 * Returns whether an AMQP_STATUS_... of a failed read says that the frame's content is bad. Then
 * the message would fail in the same way on any connection. All others have an outside reason
 * (socket, heartbeat, time-out, memory), or are a mistake of the broker.
 */
bool status_blames_content(int result);
/* Translates a closing by the broker. Returns REFUSED if an operator is needed (permissions,
   missing objects, other arguments), or LOST. */
enum transport_status status_of_closing(struct closing closing, const char *what,
                                        struct error *error);
/* Translates the result of an RPC. Returns OK for a normal reply. */
enum transport_status status_of_reply(amqp_rpc_reply_t reply, const char *what,
                                      struct error *error);

#endif
