/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much a lane takes: counts the bytes in hand against amqp.max_bytes_in_flight, ends the
 * consumer above it and starts it again, with a smaller prefetch, below half of it. What comes
 * above the limit is not kept but given back, so that memory is bounded whatever the bodies' size.
 * Belongs to the transport's thread.
 */
#ifndef ALLOT_SERVICE_FLOW_H
#define ALLOT_SERVICE_FLOW_H

#include "allot/transport.h"

enum { PREFETCH_MAX = 2000 }; /* a quorum queue's own bound */

struct flow {
    size_t bytes_max;
    uint16_t prefetch_max;
    size_t bytes; /* in hand */
    size_t count; /* of commands in hand */
    bool consuming;
    uint16_t prefetch;
    int64_t grow_at_ms;                /* monotonic: not before, the prefetch grows again */
    uint64_t over_limit[PREFETCH_MAX]; /* tags to be given back */
    size_t over_limit_count;
};

void flow_init(struct flow *flow, size_t bytes_max, uint16_t prefetch_max);
/* The connection is gone: no consumer, nothing to give back; the bytes in hand stay counted. */
void flow_reset(struct flow *flow);

/* False: too much is in hand; its tag is noted, and the caller drops the delivery. */
ALLOT_CHECK bool flow_admit(struct flow *flow, uint64_t tag);
void flow_add(struct flow *flow, size_t bytes);
void flow_remove(struct flow *flow, size_t bytes);

/* Starts or ends the consumer as the bytes in hand and `stopping` ask for; gives back what has to
   be. Between polls. */
enum transport_status flow_update(struct flow *flow, struct transport *transport, bool stopping,
                                  int64_t now_ms, struct error *error);

#endif
