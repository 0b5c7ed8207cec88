/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport port on a broker in memory (memory_broker.h). `poll` never waits. A test can let
 * the n-th publish, delivery or call fail. A loop over n then tests a failure at each place, until
 * a run is over before its failure.
 */
#ifndef ALLOT_MEMORY_TRANSPORT_H
#define ALLOT_MEMORY_TRANSPORT_H

#include "allot/transport.h"
#include "tests/support/memory_broker.h"

/* Each number counts down from the time when it is set: 1 is the next one, 0 means never. */
struct memory_faults {
    uint64_t nack_publish;       /* the broker nacks this publish, and drops the message */
    uint64_t swallow_confirm;    /* the broker accepts this message, but sends no confirm */
    uint64_t lose_route;         /* the route of this publish ends, for an outside reason */
    uint64_t duplicate_delivery; /* a copy of this delivery stays in the queue */
    uint64_t lose_at_call;       /* the connection is lost at this call; close, free do not count */
    bool lose_after_effect;      /* that call has its effect before the connection is lost */
};

/* Creates a closed transport, owned by the caller. `broker` is borrowed; free the transport before
   it. */
struct transport *memory_transport_new(struct memory_broker *broker);
/* Returns the faults, for a test to set; borrowed. */
struct memory_faults *memory_transport_faults(struct transport *transport);
/* Cuts the connection: the broker requeues what is unacknowledged, and the next call returns LOST.
 */
void memory_transport_cut(struct transport *transport);
/* Counts the calls of the port so far, without close and free. */
uint64_t memory_transport_calls(const struct transport *transport);

#endif
