/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A route of outgoing messages: one connection with one publishing channel, which is opened when it
 * is needed and opened again after it ended. It never fails: how it ends is an event.
 *
 * A route belongs to the thread of its transport.
 */
#ifndef ALLOT_AMQP_ROUTE_H
#define ALLOT_AMQP_ROUTE_H

#include "common/amqp/publisher.h"

struct amqp_route {
    enum route id;
    struct login_options login;
    struct connection *connection; /* NULL: closed */
    struct publisher publisher;
    bool blocked; /* connection.blocked; ends with the connection */
    size_t next_host;
    int64_t open_at_ms; /* monotonic: not opened before */
    int64_t pause_ms;   /* before the next opening that follows a failure */

    bool lacks_target; /* a message found no exchange or no queue; the owner sets it back */

    /* An end that the next poll has to report. */
    bool ended;
    enum close_cause cause;
    char *reason; /* owned; may be NULL */
};

/* Prepares a closed route; freed by amqp_route_clear(). */
void amqp_route_init(struct amqp_route *route, enum route id);
/* Closes the route and frees what it owns. May be called on a zeroed route. */
void amqp_route_clear(struct amqp_route *route);

/* Closes the connection, gracefully if it still works, and forgets what was to be reported. */
void amqp_route_close(struct amqp_route *route);
/* Closes the socket and sends nothing more: the broker may not be reading. */
void amqp_route_drop(struct amqp_route *route);

/* Returns whether amqp_route_ready() would open the route now. */
bool amqp_route_is_due(const struct amqp_route *route);
/* See transport_ops.ready. `login` is copied; its texts and hosts are borrowed, until the route is
   closed. */
bool amqp_route_ready(struct amqp_route *route, const struct login_options *login);
/* See transport_ops.publish. The message may stay in the socket until amqp_route_flush(). */
void amqp_route_publish(struct amqp_route *route, const struct outgoing *outgoing);
/* Sends what is collected (connection_uncork). */
void amqp_route_flush(struct amqp_route *route);
/* Reads what has arrived and hands the events to the handler. Returns whether there were any. */
bool amqp_route_dispatch(struct amqp_route *route, const struct transport_handler *handler);

#endif
