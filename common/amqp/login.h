/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a connection in steps: socket, TLS, SASL login, and the check of the broker's version. */
#ifndef ALLOT_AMQP_LOGIN_H
#define ALLOT_AMQP_LOGIN_H

#include "allot/transport.h"
#include "common/amqp/broker_version.h"
#include "common/amqp/librabbitmq.h"
#include "common/amqp/tls.h"
#include "common/codec/amqp_uri.h"

struct login_options {
    struct amqp_hosts hosts;
    struct amqp_tls tls; /* each text ends with a NUL */
    struct text name;    /* the connection's name in the management UI; may be absent */
    int64_t heartbeat_ms;
};

/*
 * Fills hosts and tls; they are copied to `arena`, the other members are zero. Returns false,
 * with an error, if the URI is invalid, or if a user has neither a password nor a TLS client
 * certificate.
 */
ALLOT_CHECK bool login_options_read(struct text uri, const struct amqp_tls *tls,
                                    struct arena *arena, struct login_options *ret_options,
                                    struct error *error);

/* Returns the user that logs in on this host; borrowed. */
struct text login_user(const struct amqp_host *host);

/* Connects the socket of `state`, with TLS if the host asks for it; gives up after 5 s. */
enum transport_status login_connect(amqp_connection_state_t state,
                                    const struct login_options *options,
                                    const struct amqp_host *host, struct error *error);
/* Logs in on the connected socket; gives up after 5 s. */
enum transport_status login_authenticate(amqp_connection_state_t state,
                                         const struct login_options *options,
                                         const struct amqp_host *host, struct error *error);
/* Returns the name of a feature that the worker needs and the broker does not announce in its
   properties; NULL if it has all. Static. */
const char *login_missing_feature(const amqp_table_t *server_properties);
/*
 * Checks that the broker is RabbitMQ 3.10 or later, and has the features that the worker needs;
 * returns REFUSED if not.
 */
enum transport_status login_identify(amqp_connection_state_t state,
                                     struct broker_version *ret_version, struct error *error);
/* Returns the broker's version as it announced it at the login, such as 3.10.8; absent if it did
   not. Borrowed from `state`. */
struct text login_broker_version(amqp_connection_state_t state);

#endif
