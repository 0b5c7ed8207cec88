/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. There are two limits: of the bytes in flight of this lane, and of the memory of the
 * process (memory_budget.h). Above three quarters of one of them the subscription is cancelled,
 * below half of it, it starts again. What was on its way is kept up to the limit, so that few
 * deliveries are requeued: a requeued one counts as redelivered, and costs an attempt record. The
 * broker limits deliveries only by the prefetch, which counts messages, not bytes, and which
 * RabbitMQ fixes for the life of a subscription. So each pause also halves the prefetch, or cuts it
 * to the number of commands of the present size that fit. After GROW_AFTER_MS without a pause and
 * with nothing in flight, the subscription is replaced by one with twice the prefetch, up to
 * amqp.prefetch.
 *
 * The broker may already have sent a whole prefetch of large messages when the limit is reached.
 * Such deliveries are not kept: flow_admit notes their tags, and they are requeued after the
 * subscription is cancelled. If they were requeued earlier, the broker would deliver them
 * again at once.
 *
 * Held deliveries are not settled for a long time, but count in the prefetch of the subscription
 * that they came with. So when they are an eighth of it, the subscription is replaced: the new one
 * has the whole prefetch. Nothing but their tags is kept. Those of older subscriptions do not
 * count. What came with these is mostly settled or held first, so about two prefetches are in
 * flight; where much else waits, amqp.max_bytes_in_flight is the limit.
 *
 * The parts of the prefetch that wait for something leave room for the rest: half of it for blamed
 * replies, a quarter for dead letters without a stored letter, an eighth for what is held. With a
 * small prefetch these parts are less than one delivery, so each dead letter without a stored
 * letter counts as held there.
 *
 * The broker may be unable to deliver a message, and then closes the connection over it. It counts
 * a delivery of each message of the prefetch each time, so the prefetch becomes 1 (flow_distrust).
 *
 * One delivery may exceed the limit, because any command must be answered, whatever its size.
 */
#include "worker/service/flow.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/memory.h"
#include "worker/service/events.h"

enum {
    GROW_AFTER_MS = 10000,
    RELEASE_MS = 100,
    RELEASE_MAX = 64,
    SMALL_PREFETCH = 8, /* below, no part of it can be set aside */
};

/* Above this, the subscription is cancelled. */
static size_t pause_bytes(const struct flow *flow)
{
    return flow->bytes_max / 4 * 3;
}

void flow_init(struct flow *flow, size_t bytes_max, uint16_t prefetch_max,
               struct memory_budget *budget, struct counters *counters)
{
    assert(prefetch_max <= PREFETCH_MAX);
    *flow = (struct flow){
        .budget = budget,
        .counters = counters,
        .bytes_max = bytes_max,
        .prefetch_max = prefetch_max,
        .prefetch = prefetch_max,
    };
}

void flow_reset(struct flow *flow)
{
    flow->consuming = false;
    flow->over_limit_count = 0; /* the broker redelivers them by itself */
    flow->held_count = flow->held_now = 0;
}

void flow_clear(struct flow *flow)
{
    free(flow->held);
    flow->held = NULL;
    flow->held_count = flow->held_capacity = 0;
}

bool flow_admit(struct flow *flow, uint64_t tag)
{
    bool fits = flow->bytes <= flow->bytes_max && !memory_budget_is_full(flow->budget);
    if (fits || flow->bytes == 0 || flow->over_limit_count == PREFETCH_MAX)
        return true;
    flow->over_limit[flow->over_limit_count++] = tag;
    counter_add(flow->counters, COUNTER_DELIVERIES_OVER_LIMIT, 1);
    return false;
}

void flow_distrust(struct flow *flow, int64_t now_ms)
{
    flow->prefetch = 1;
    flow->grow_at_ms = now_ms + GROW_AFTER_MS;
}

void flow_hold(struct flow *flow, uint64_t tag, unsigned subscription, int64_t until_ms)
{
    flow->held =
        memory_grown(flow->held, flow->held_count, &flow->held_capacity, sizeof *flow->held);
    flow->held[flow->held_count++] = (struct flow_held){tag, until_ms};
    flow->held_now += subscription == flow->subscription;
    counter_add(flow->counters, COUNTER_DELIVERIES_HELD, 1);
}

void flow_set_waiting(struct flow *flow, size_t waiting)
{
    flow->waiting = flow->prefetch < SMALL_PREFETCH ? waiting : 0;
}

enum transport_status flow_release_held(struct flow *flow, struct transport *transport, size_t max,
                                        int64_t now_ms, struct error *error)
{
    enum transport_status status = TRANSPORT_OK;
    size_t most = max < RELEASE_MAX ? max : RELEASE_MAX;
    size_t released = 0, kept = 0;
    if (flow->held_count == 0 || most == 0 || now_ms < flow->release_at_ms)
        return TRANSPORT_OK;
    flow->release_at_ms = now_ms + RELEASE_MS;
    for (size_t i = 0; i < flow->held_count; i++) {
        struct flow_held held = flow->held[i];
        if (status != TRANSPORT_OK || released == most || now_ms < held.until_ms) {
            flow->held[kept++] = held;
            continue;
        }
        status = transport->ops->requeue(transport, held.tag, error);
        released++;
    }
    flow->held_count = kept;
    return status;
}

static void set_gauges(const struct flow *flow)
{
    counter_set(flow->counters, COUNTER_IN_FLIGHT, flow->count);
    counter_set(flow->counters, COUNTER_BYTES_IN_FLIGHT, flow->bytes);
}

void flow_add(struct flow *flow, size_t bytes)
{
    flow->count++;
    flow_grow(flow, bytes);
}

void flow_grow(struct flow *flow, size_t bytes)
{
    flow->bytes += bytes;
    memory_budget_add(flow->budget, bytes);
    set_gauges(flow);
}

void flow_remove(struct flow *flow, size_t bytes)
{
    assert(bytes <= flow->bytes);
    flow->bytes -= bytes;
    memory_budget_remove(flow->budget, bytes);
    flow->count--;
    set_gauges(flow);
}

static enum transport_status end_subscription(struct flow *flow, struct transport *transport,
                                              struct error *error)
{
    flow->consuming = false;
    enum transport_status status = transport->ops->cancel(transport, error);
    while (status == TRANSPORT_OK && flow->over_limit_count > 0)
        status =
            transport->ops->requeue(transport, flow->over_limit[--flow->over_limit_count], error);
    return status;
}

/* Returns half of the prefetch, or the number of commands that fit if the next ones are as large as
   those in flight, whichever is less; at least 1. */
static uint16_t smaller_prefetch(const struct flow *flow)
{
    size_t half = flow->prefetch / 2;
    size_t average = flow->count > 0 ? flow->bytes / flow->count : 0;
    size_t fitting = average > 0 ? flow->bytes_max / average : half;
    size_t smaller = fitting < half ? fitting : half;
    return smaller > 0 ? (uint16_t)smaller : 1;
}

static enum transport_status pause(struct flow *flow, struct transport *transport, int64_t now_ms,
                                   struct error *error)
{
    flow->prefetch = smaller_prefetch(flow);
    flow->grow_at_ms = now_ms + GROW_AFTER_MS;
    flow->paused = true;
    flow->paused_at_ms = now_ms;
    counter_add(flow->counters, COUNTER_FLOW_PAUSES, 1);
    event_log(
        EVENT_FLOW_PAUSED,
        LOG_FIELDS(LOG_I("bytes", (int64_t)flow->bytes),
                   LOG_I("requeued", (int64_t)flow->over_limit_count),
                   LOG_I("prefetch", flow->prefetch)),
        "amqp.max_bytes_in_flight or worker.memory_budget nearly reached; consumer cancelled until "
        "usage falls below half");
    return end_subscription(flow, transport, error);
}

static enum transport_status subscribe(struct flow *flow, struct transport *transport,
                                       int64_t now_ms, struct error *error)
{
    enum transport_status status = transport->ops->consume(transport, flow->prefetch, error);
    flow->held_now = flow->waiting = 0;
    flow->subscription++;
    flow->consuming = status == TRANSPORT_OK;
    if (flow->consuming && flow->paused) {
        event_log(EVENT_FLOW_RESUMED,
                  LOG_FIELDS(LOG_I("paused_ms", now_ms - flow->paused_at_ms),
                             LOG_I("prefetch", flow->prefetch)),
                  "bytes in flight fell below half of the limit; consuming again");
        flow->paused = false;
    }
    return status;
}

/* Returns whether a reduced prefetch may grow: nothing is in flight, and no pause was recent. */
static bool may_grow(const struct flow *flow, int64_t now_ms)
{
    return flow->prefetch < flow->prefetch_max && flow->bytes == 0 && now_ms >= flow->grow_at_ms;
}

static void grow(struct flow *flow, int64_t now_ms)
{
    unsigned doubled = flow->prefetch * 2U;
    flow->prefetch = doubled < flow->prefetch_max ? (uint16_t)doubled : flow->prefetch_max;
    flow->grow_at_ms = now_ms + GROW_AFTER_MS;
}

/* A lane that holds nothing is not paused for what others hold: it takes one command at a time. */
static bool is_nearly_full(const struct flow *flow)
{
    return flow->bytes > pause_bytes(flow) ||
           (flow->bytes > 0 && memory_budget_is_nearly_full(flow->budget));
}

static bool has_room(const struct flow *flow)
{
    return flow->bytes <= flow->bytes_max / 2 &&
           (flow->bytes == 0 || memory_budget_has_room(flow->budget));
}

enum transport_status flow_update(struct flow *flow, struct transport *transport, bool stopping,
                                  int64_t now_ms, struct error *error)
{
    if (flow->consuming && stopping)
        return end_subscription(flow, transport, error);
    if (flow->consuming && (is_nearly_full(flow) || flow->over_limit_count > 0))
        return pause(flow, transport, now_ms, error);
    if (flow->consuming && may_grow(flow, now_ms)) {
        grow(flow, now_ms);
        return end_subscription(flow, transport, error); /* the next update subscribes */
    }
    if (flow->consuming && flow->held_now + flow->waiting > flow->prefetch / 8U)
        return end_subscription(flow, transport, error); /* the next one has the whole prefetch */
    if (!flow->consuming && flow->over_limit_count > 0)
        return end_subscription(flow, transport, error); /* deliveries that were on their way */
    if (!flow->consuming && !stopping && has_room(flow))
        return subscribe(flow, transport, now_ms, error);
    return TRANSPORT_OK;
}

size_t flow_blamed_count(const struct flow *flow)
{
    return flow->prefetch > 1 ? flow->prefetch / 2 : 1;
}

size_t flow_without_letter_count(const struct flow *flow)
{
    return flow->prefetch / 4U;
}

size_t flow_blamed_bytes(const struct flow *flow)
{
    return flow->bytes_max / 4;
}
