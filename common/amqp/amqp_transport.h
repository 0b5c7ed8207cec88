/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport port on librabbitmq; the only folder that includes it. The thread that owns it has
 * a stack of 8 MiB or more (librabbitmq decodes nested headers by recursion), and calls poll at
 * least every half heartbeat.
 */
#ifndef ALLOT_AMQP_TRANSPORT_H
#define ALLOT_AMQP_TRANSPORT_H

#include "allot/transport.h"
#include "common/amqp/tls.h"
#include "common/amqp/topology.h"

struct amqp_options {
    struct text uri; /* amqp:// or amqps://; several, separated by commas, are tried in turn */
    struct topology topology;
    bool declare; /* else only checked */
    int64_t heartbeat_ms;
    struct amqp_tls tls;
    struct text connection_name;
};

/* NULL, with an error, where the URI is not one. Connects to nothing yet. Options are copied. */
struct transport *amqp_transport_new(const struct amqp_options *options, struct error *error);

#endif
