/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport port on librabbitmq. The thread that owns a transport needs a stack of
 * TRANSPORT_STACK_BYTES, and has to call `poll` at least every half heartbeat: librabbitmq sends
 * heartbeats only while it reads.
 */
#ifndef ALLOT_AMQP_TRANSPORT_H
#define ALLOT_AMQP_TRANSPORT_H

#include "allot/transport.h"
#include "common/amqp/notice.h"
#include "common/amqp/tls.h"
#include "common/amqp/topology.h"

struct amqp_options {
    struct text uri; /* amqp:// or amqps://; several, separated by commas, are tried one by one */
    struct text uri_file; /* read again at each `open`, in place of `uri`; absent: there is none */
    struct topology topology;
    bool declare;              /* `open` declares the topology; if false, only checks it */
    int64_t topology_check_ms; /* time between checks of an open connection; 0: one minute */
    int64_t heartbeat_ms;
    struct amqp_tls tls;
    struct text connection_name; /* shown in the management UI */
    struct amqp_observer observer;
};

/* Returns a closed transport, owned by the caller; the options are copied. Returns NULL, with an
   error, if the URI is invalid. */
struct transport *amqp_transport_new(const struct amqp_options *options, struct error *error);

#endif
