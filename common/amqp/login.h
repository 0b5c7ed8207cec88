/* SPDX-License-Identifier: Apache-2.0 */
/* The way into a broker: socket, TLS, SASL, and what kind of broker it is. */
#ifndef ALLOT_AMQP_LOGIN_H
#define ALLOT_AMQP_LOGIN_H

#include <amqp.h>

#include "allot/transport.h"
#include "common/codec/amqp_uri.h"
#include "common/amqp/tls.h"

struct login_options {
    struct amqp_hosts hosts;
    struct amqp_tls tls; /* each text has a NUL behind it */
    struct text name;    /* as the broker's administrators see it; may be absent */
    int64_t heartbeat_ms;
};

/*
 * Options from what a user gives, in `arena`. False, with an error, where the URI is not one, or
 * has no way to log in: a user without a password is one who shows a certificate.
 */
ALLOT_CHECK bool login_options_read(struct text uri, const struct amqp_tls *tls,
                                    struct arena *arena, struct login_options *ret_options,
                                    struct error *error);

/* Who logs in there. */
struct text login_user(const struct amqp_host *host);

/* Opens the socket of `state`: connected, secured and tuned within a few seconds, or not. */
enum transport_status login_connect(amqp_connection_state_t state,
                                    const struct login_options *options,
                                    const struct amqp_host *host, struct error *error);
/* Logs in over it. */
enum transport_status login_authenticate(amqp_connection_state_t state,
                                         const struct login_options *options,
                                         const struct amqp_host *host, struct error *error);
/* REFUSED unless it is RabbitMQ 3.10 or later; gives the minor version, INT_MAX from 4.0 on. */
enum transport_status login_identify(amqp_connection_state_t state, int *ret_version_minor,
                                     struct error *error);

#endif
