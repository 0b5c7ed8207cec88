/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A state machine over the steps of desk_step. desk_consumer_tick() sends what brings it
 * towards deliveries, and desk_consumer_take() handles the answers:
 *
 *   CLOSED -> OPENING -> LIMITING -> STARTING -> CONSUMING -> CANCELLING -> PAUSED -> LIMITING ...
 *
 * A channel of its own, because the broker closes a channel over a missing queue or permission, and
 * the commands' deliveries would be void. If the desk's channel is closed after it has delivered
 * something, the whole connection counts as lost: a delivery tag of a closed channel would name
 * another message on the next one. If it has delivered nothing, it is opened again later.
 *
 * Why not librabbitmq's RPC calls: see topology_watch.c. Here deliveries of commands are on their
 * way while the desk is tried again.
 */
#include "common/amqp/desk_consumer.h"

#include <stdio.h>

#include "allot/limits.h"
#include "common/amqp/connection.h"
#include "common/amqp/properties.h"

enum { POSTPONE_MS = 2000 };

void desk_consumer_init(struct desk_consumer *desk, struct text queue, int64_t retry_ms,
                        struct amqp_observer observer)
{
    *desk = (struct desk_consumer){.queue = queue, .retry_ms = retry_ms, .observer = observer};
}

void desk_consumer_reset(struct desk_consumer *desk)
{
    desk->step = DESK_CLOSED;
    desk->wanted = desk->received = desk->late = false;
    desk->due_ms = 0;
    acks_restart(&desk->acks);
}

void desk_consumer_clear(struct desk_consumer *desk)
{
    acks_clear(&desk->acks);
}

void desk_consumer_delivered(struct desk_consumer *desk)
{
    desk->received = true;
}

/* --- what the observer is told -------------------------------------------------------------- */

static void tell_unavailable(struct desk_consumer *desk, const char *why)
{
    if (!desk->unavailable)
        amqp_notify(&desk->observer, AMQP_DESK_UNAVAILABLE, why);
    desk->unavailable = true;
}

static void tell_available(struct desk_consumer *desk)
{
    if (desk->unavailable)
        amqp_notify(&desk->observer, AMQP_DESK_AVAILABLE, "");
    desk->unavailable = false;
}

/* --- sending -------------------------------------------------------------------------------- */

static int send_consume(struct desk_consumer *desk, amqp_connection_state_t state)
{
    (void)snprintf(desk->tag, sizeof desk->tag, "allot.desk.%u", ++desk->started);
    amqp_basic_consume_t consume = {.queue = bytes_of(desk->queue),
                                    .consumer_tag = amqp_cstring_bytes(desk->tag)};
    return amqp_send_method(state, CHANNEL_DESK, AMQP_BASIC_CONSUME_METHOD, &consume);
}

static int send_step(struct desk_consumer *desk, amqp_connection_state_t state)
{
    amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
    amqp_basic_qos_t qos = {.prefetch_count = DESK_PREFETCH};
    amqp_basic_cancel_t cancel = {.consumer_tag = amqp_cstring_bytes(desk->tag)};
    switch (desk->step) {
    case DESK_OPENING:
        return amqp_send_method(state, CHANNEL_DESK, AMQP_CHANNEL_OPEN_METHOD, &open);
    case DESK_LIMITING: return amqp_send_method(state, CHANNEL_DESK, AMQP_BASIC_QOS_METHOD, &qos);
    case DESK_STARTING: return send_consume(desk, state);
    case DESK_CANCELLING:
        return amqp_send_method(state, CHANNEL_DESK, AMQP_BASIC_CANCEL_METHOD, &cancel);
    case DESK_CLOSED:
    case DESK_CONSUMING:
    case DESK_PAUSED: break;
    }
    return AMQP_STATUS_OK;
}

static enum transport_status go_on(struct desk_consumer *desk, struct connection *connection,
                                   enum desk_step step, struct error *error)
{
    desk->step = step;
    int result = send_step(desk, connection->state);
    return connection_check_send(connection, result, "cannot consume from the desk queue", error);
}

void desk_consumer_start(struct desk_consumer *desk, int64_t now_ms)
{
    desk->wanted = desk->queue.length > 0;
    if (!desk->postponed || desk->step != DESK_CLOSED)
        return;
    desk->postponed = false;
    desk->late = true;
    desk->due_ms = now_ms + POSTPONE_MS;
}

bool desk_consumer_postpone(struct desk_consumer *desk)
{
    desk->postponed = true;
    return desk->late && (desk->step == DESK_STARTING || desk->step == DESK_CONSUMING);
}

enum transport_status desk_consumer_stop(struct desk_consumer *desk, struct connection *connection,
                                         struct error *error)
{
    desk->wanted = false;
    if (desk->step != DESK_CONSUMING)
        return TRANSPORT_OK;
    return go_on(desk, connection, DESK_CANCELLING, error);
}

enum transport_status desk_consumer_tick(struct desk_consumer *desk, struct connection *connection,
                                         int64_t now_ms, struct error *error)
{
    if (!desk->wanted || now_ms < desk->due_ms)
        return TRANSPORT_OK;
    if (desk->step == DESK_CLOSED)
        return go_on(desk, connection, DESK_OPENING, error);
    if (desk->step == DESK_PAUSED)
        return go_on(desk, connection, DESK_LIMITING, error);
    return TRANSPORT_OK;
}

/* --- answers -------------------------------------------------------------------------------- */

static enum transport_status take_close(struct desk_consumer *desk, struct connection *connection,
                                        const struct incoming *incoming, int64_t now_ms,
                                        struct error *error)
{
    struct error loss;
    error_set(&loss, "the broker closed the channel of the desk queue: %u %s",
              (unsigned int)incoming->code, incoming->reason != NULL ? incoming->reason : "");
    tell_unavailable(desk, loss.text);
    if (desk->received)
        return connection_lose(connection, &loss, error);
    desk->step = DESK_CLOSED;
    desk->due_ms = now_ms + desk->retry_ms;
    acks_restart(&desk->acks);
    return connection_send_close_ok(connection, CHANNEL_DESK, error);
}

/* Returns the step that follows the one that was answered. */
static enum desk_step answered(struct desk_consumer *desk)
{
    switch (desk->step) {
    case DESK_OPENING: return DESK_PAUSED;
    case DESK_LIMITING: return DESK_STARTING;
    case DESK_STARTING: tell_available(desk); return DESK_CONSUMING;
    case DESK_CANCELLING: return DESK_PAUSED;
    case DESK_CLOSED:
    case DESK_CONSUMING:
    case DESK_PAUSED: break;
    }
    return desk->step;
}

enum transport_status desk_consumer_take(struct desk_consumer *desk, struct connection *connection,
                                         const struct incoming *incoming, int64_t now_ms,
                                         struct error *error)
{
    if (incoming->method == AMQP_CHANNEL_CLOSE_METHOD)
        return take_close(desk, connection, incoming, now_ms, error);
    if (incoming->method == AMQP_BASIC_CANCEL_METHOD) {
        tell_unavailable(desk, "the broker cancelled the consumer of the desk queue");
        desk->step = desk->step == DESK_CONSUMING ? DESK_PAUSED : desk->step;
        desk->due_ms = now_ms + desk->retry_ms;
        return TRANSPORT_OK;
    }
    enum desk_step next = answered(desk);
    if (next == DESK_STARTING)
        return go_on(desk, connection, DESK_STARTING, error);
    desk->step = next;
    if (next == DESK_CONSUMING && !desk->wanted)
        return go_on(desk, connection, DESK_CANCELLING, error);
    return TRANSPORT_OK;
}
