/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport port on a broker in memory. `poll` never waits. Faults are set by tests, and count
 * calls, so that "fail the n-th until nothing fails" is a loop.
 */
#ifndef ALLOT_MEMORY_TRANSPORT_H
#define ALLOT_MEMORY_TRANSPORT_H

#include "allot/transport.h"
#include "tests/support/memory_broker.h"

/* Each counts down from the time it is set: 1 is the next one; 0 is never. */
struct memory_faults {
    uint64_t nack_publish;       /* the broker does not take it */
    uint64_t swallow_confirm;    /* it takes the message, and never says so */
    uint64_t duplicate_delivery; /* a delivered message stays in the queue as well */
    uint64_t lose_at_call;       /* of all calls but close and free: the connection is gone */
    bool lose_after_effect;      /* the lost call does its work first */
};

/* Freed before its broker. */
struct transport *memory_transport_new(struct memory_broker *broker);
struct memory_faults *memory_transport_faults(struct transport *transport);
/* Cuts the connection: what is unacknowledged goes back, the next call gives LOST. */
void memory_transport_cut(struct transport *transport);
/* The calls of the port so far, but close and free. */
uint64_t memory_transport_calls(const struct transport *transport);

#endif
