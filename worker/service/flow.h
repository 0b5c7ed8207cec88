/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow control of a lane: bounds the memory of the commands in flight by
 * amqp.max_bytes_in_flight, and by the budget of the process, whatever the size of a body or an
 * answer. Belongs to the transport thread.
 */
#ifndef ALLOT_SERVICE_FLOW_H
#define ALLOT_SERVICE_FLOW_H

#include "allot/limits.h"
#include "allot/transport.h"
#include "worker/service/counters.h"
#include "worker/service/memory_budget.h"

/* A delivery that is requeued later. */
struct flow_held {
    uint64_t tag;
    int64_t until_ms; /* monotonic: not before */
};

struct flow {
    struct memory_budget *budget; /* borrowed */
    struct counters *counters;    /* borrowed; NULL: nothing is counted */
    size_t bytes_max;
    uint16_t prefetch_max;
    size_t bytes; /* of the commands in flight */
    size_t count; /* of the commands in flight */
    bool consuming;
    uint16_t prefetch;                 /* of this subscription, or of the next */
    int64_t grow_at_ms;                /* monotonic: the prefetch does not grow before */
    bool paused;                       /* by the limit; ends with the next subscription */
    int64_t paused_at_ms;              /* monotonic */
    uint64_t over_limit[PREFETCH_MAX]; /* delivery tags to requeue */
    size_t over_limit_count;
    struct flow_held *held; /* owned; oldest first */
    size_t held_count;
    size_t held_capacity;
    size_t held_now;       /* of this subscription */
    unsigned subscription; /* its number */
    size_t waiting;        /* deliveries of it that wait for a long time */
    int64_t release_at_ms; /* monotonic: none of them is requeued before */
};

/* Makes a flow without a subscription; flow_clear() frees what it owns. */
void flow_init(struct flow *flow, size_t bytes_max, uint16_t prefetch_max,
               struct memory_budget *budget, struct counters *counters);
void flow_clear(struct flow *flow);
/* Forgets the subscription and the tags to requeue, because the connection is lost. Commands in
   flight stay counted until they are removed. */
void flow_reset(struct flow *flow);

/* Returns whether there is room for a delivery. If not, its tag is kept to be requeued, and the
   caller drops the delivery. */
ALLOT_CHECK bool flow_admit(struct flow *flow, uint64_t tag);
/* The broker has failed, perhaps over a message that it cannot deliver. From the next subscription
   on, one command is taken at a time, so that no others count as delivered with that message. The
   prefetch grows again as after a pause. */
void flow_distrust(struct flow *flow, int64_t now_ms);

/* Counts one command in flight, of so many bytes. */
void flow_add(struct flow *flow, size_t bytes);
/* A command in flight holds so many bytes more, such as its answer. */
void flow_grow(struct flow *flow, size_t bytes);
/* Ends the count of one command; `bytes` as in flow_add and flow_grow together. */
void flow_remove(struct flow *flow, size_t bytes);

/* Keeps the tag of a delivery that cannot be settled for a long time, and nothing else of it. It
   takes no room from the commands that come later. `subscription` is the number of the one that it
   came with; it is not requeued before `until_ms`. */
void flow_hold(struct flow *flow, uint64_t tag, unsigned subscription, int64_t until_ms);
/* Sets how many deliveries of the present subscription wait for a long time without being held.
   They take room too. It counts only while the prefetch is too small for a part of it to be set
   aside. */
void flow_set_waiting(struct flow *flow, size_t waiting);
/* Requeues the oldest held deliveries: at most `max`, and a few from time to time, since they may
   be held again. `max` is how many of them could be settled now. */
enum transport_status flow_release_held(struct flow *flow, struct transport *transport, size_t max,
                                        int64_t now_ms, struct error *error);

/* Starts or cancels the subscription, as the bytes in flight and `stopping` demand, and requeues
   the deliveries over the limit. Call it between polls. */
enum transport_status flow_update(struct flow *flow, struct transport *transport, bool stopping,
                                  int64_t now_ms, struct error *error);
/* Returns how many of the commands in flight may wait for dead letters whose letters are not
   stored. */
size_t flow_without_letter_count(const struct flow *flow);
/* Returns how many of the commands in flight may wait for replies of blamed destinations
   (isolation.h): half of the present prefetch, at least 1. The rest is for the others. */
size_t flow_blamed_count(const struct flow *flow);
/* Returns how many bytes these commands may have: a quarter of the limit, so that they alone
   neither pause the subscription nor keep it paused. */
size_t flow_blamed_bytes(const struct flow *flow);

#endif
