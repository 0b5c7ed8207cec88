/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/flow.h"

#include <assert.h>

#include "common/host/log.h"

enum { GROW_AFTER_MS = 10000 };

void flow_init(struct flow *flow, size_t bytes_max, uint16_t prefetch_max)
{
    assert(prefetch_max <= PREFETCH_MAX);
    *flow = (struct flow){
        .bytes_max = bytes_max,
        .prefetch_max = prefetch_max,
        .prefetch = prefetch_max,
    };
}

void flow_reset(struct flow *flow)
{
    flow->consuming = false;
    flow->over_limit_count = 0; /* they come again by themselves */
}

bool flow_admit(struct flow *flow, uint64_t tag)
{
    if (flow->bytes <= flow->bytes_max || flow->over_limit_count == PREFETCH_MAX)
        return true;
    flow->over_limit[flow->over_limit_count++] = tag;
    return false;
}

void flow_add(struct flow *flow, size_t bytes)
{
    flow->bytes += bytes;
    flow->count++;
}

void flow_remove(struct flow *flow, size_t bytes)
{
    assert(bytes <= flow->bytes);
    flow->bytes -= bytes;
    flow->count--;
}

static enum transport_status end_consumer(struct flow *flow, struct transport *transport,
                                          struct error *error)
{
    flow->consuming = false;
    enum transport_status status = transport->ops->cancel(transport, error);
    while (status == TRANSPORT_OK && flow->over_limit_count > 0)
        status =
            transport->ops->requeue(transport, flow->over_limit[--flow->over_limit_count], error);
    return status;
}

/* Half of it, or what fits where the commands in hand are such as will come. */
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
    log_write(LOG_LEVEL_INFO, "flow.paused",
              LOG_FIELDS(LOG_I("bytes", (int64_t)flow->bytes),
                         LOG_I("requeued", (int64_t)flow->over_limit_count),
                         LOG_I("prefetch", flow->prefetch)),
              "amqp.max_bytes_in_flight is reached: taking no more for now");
    return end_consumer(flow, transport, error);
}

/* A quiet phase with a prefetch that was cut: the next consumer may have twice as much. */
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

enum transport_status flow_update(struct flow *flow, struct transport *transport, bool stopping,
                                  int64_t now_ms, struct error *error)
{
    if (flow->consuming && stopping)
        return end_consumer(flow, transport, error);
    if (flow->consuming && (flow->bytes > flow->bytes_max || flow->over_limit_count > 0))
        return pause(flow, transport, now_ms, error);
    if (flow->consuming && may_grow(flow, now_ms)) {
        grow(flow, now_ms);
        return end_consumer(flow, transport, error);
    }
    if (!flow->consuming && flow->over_limit_count > 0)
        return end_consumer(flow, transport, error); /* they came after its end */
    if (!flow->consuming && !stopping && flow->bytes <= flow->bytes_max / 2) {
        enum transport_status status = transport->ops->consume(transport, flow->prefetch, error);
        flow->consuming = status == TRANSPORT_OK;
        return status;
    }
    return TRANSPORT_OK;
}
