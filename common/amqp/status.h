/* SPDX-License-Identifier: Apache-2.0 */
/* Translates librabbitmq's results and the broker's exceptions to transport_status and an error. */
#ifndef ALLOT_AMQP_STATUS_H
#define ALLOT_AMQP_STATUS_H

#include <amqp.h>

#include "allot/transport.h"

/* Why the broker closed a channel or the connection. */
struct closing {
    uint16_t code;
    struct text text; /* borrowed */
};

/* Reads a channel.close or connection.close method. */
struct closing closing_of(const amqp_method_t *method);

/* In each error text, `what` comes first, such as "cannot connect", and then the cause. */

/* Translates an AMQP_STATUS_... of a failed call: REFUSED if it needs an operator, else LOST. */
enum transport_status status_of_library(int result, const char *what, struct error *error);
/* REFUSED if it needs an operator (permissions, missing objects, other arguments), else LOST. */
enum transport_status status_of_closing(struct closing closing, const char *what,
                                        struct error *error);
/* Translates the result of an RPC: OK for a normal reply. */
enum transport_status status_of_reply(amqp_rpc_reply_t reply, const char *what,
                                      struct error *error);

#endif
