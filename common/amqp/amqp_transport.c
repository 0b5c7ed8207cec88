/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A transport has one connection for the deliveries and their acks, and one for each route
 * (route.c). So whatever happens to a route, a full queue, a close, the broker's flow control,
 * costs no delivery. The sections:
 *   opening and closing   prepares the topology, then opens the channel of the AMQP consumer
 *   consuming             runs one AMQP consumer at a time, each with a new consumer tag; beside
 *                         it the one of the desk queue (desk_consumer.c)
 *   acknowledging         collects acks, which send_acks() sends
 *   events                dispatch() translates each method that has arrived to a port event
 *   polling               flushes, dispatches what has arrived, flushes again, then waits
 * topology_watch.c checks the topology of an open connection; each poll gives it a turn.
 *
 * Guarantees. Acks are sent before the next wait, and before the consumer is started or cancelled.
 * What a burst of calls sends leaves in full TCP segments (connection_cork); flush() sends the
 * rest. poll_transport() waits in slices of a quarter of the heartbeat, since librabbitmq sends
 * heartbeats only while it reads. Calls that wait for the broker: `open`, `close`, `ready` if it
 * opens a route, the start of a consumer, and the reopening of a channel. A write to a full socket
 * waits as well (login.c).
 *
 * A new prefetch needs a new consumer: basic.qos with global=false, the only kind that quorum
 * queues support, applies to consumers that start later. So a change is a cancel and a consume. A
 * pause is a cancel as well, since RabbitMQ does not implement channel.flow for consumers.
 *
 * Not here: back-off and retries (the worker's lane), how much to consume (the worker's flow), and
 * reading frames (frames.c).
 */
#include "common/amqp/amqp_transport.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/amqp/acks.h"
#include "common/amqp/desk_consumer.h"
#include "common/amqp/properties.h"
#include "common/amqp/route.h"
#include "common/amqp/topology_watch.h"
#include "common/amqp/uri_file.h"
#include "common/base/memory.h"
#include "common/codec/field_table.h"
#include "common/host/system_clock.h"

enum { POLL_SLICE_MS_MAX = 1000, SLICES_OF_HEARTBEAT = 4 };

/* Delivery tags count from 1 on each channel. In the port's tags, this bit marks the tags
   of CHANNEL_DESK. */
#define DESK_TAG (UINT64_C(1) << 63)

struct amqp_transport {
    struct transport base;
    struct arena *arena; /* owned; has the options */
    struct login_options login;
    struct uri_file uri_file;
    struct topology topology;
    struct topology_watch watch;
    struct error tolerated; /* what the observer was told last of a difference */
    bool declare;
    bool flag_checked; /* the broker's feature flag; once is enough: flags cannot be disabled */
    size_t next_host;
    struct connection *connection; /* of the deliveries; NULL: closed */
    struct amqp_route routes[ROUTE_COUNT];
    struct text route_names[ROUTE_COUNT]; /* of their connections */
    struct acks acks;                     /* of CHANNEL_CONSUME */
    struct desk_consumer desk;
    unsigned consumers_started;
    char consumer_tag[32];
    bool consuming;
    bool cancelling;        /* a cancel was sent; its cancel-ok has not arrived */
    uint16_t next_prefetch; /* of the AMQP consumer to start after the cancel-ok; 0: none */
};

static struct amqp_transport *to_amqp(struct transport *transport)
{
    return (struct amqp_transport *)transport;
}

static enum transport_status require_connection(const struct amqp_transport *self,
                                                struct error *error)
{
    if (self->connection != NULL && !self->connection->lost)
        return TRANSPORT_OK;
    error_set(error, "not connected to the broker");
    return TRANSPORT_LOST;
}

static enum transport_status send_acks_on(struct amqp_transport *self, amqp_channel_t channel,
                                          struct acks *acks, struct error *error)
{
    enum transport_status status = TRANSPORT_OK;
    struct ack next;
    while (status == TRANSPORT_OK && acks_next(acks, &next)) {
        connection_cork(self->connection);
        int result = amqp_basic_ack(self->connection->state, channel, next.tag, next.multiple);
        status = connection_check_send(self->connection, result, "cannot acknowledge", error);
    }
    return status;
}

static enum transport_status send_acks(struct amqp_transport *self, struct error *error)
{
    enum transport_status status = send_acks_on(self, CHANNEL_CONSUME, &self->acks, error);
    if (status == TRANSPORT_OK)
        status = send_acks_on(self, CHANNEL_DESK, &self->desk.acks, error);
    return status;
}

/* Sends the acks, and all that the corks have collected. */
static enum transport_status flush(struct amqp_transport *self, struct error *error)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        amqp_route_flush(&self->routes[i]);
    enum transport_status status = send_acks(self, error);
    if (status == TRANSPORT_OK)
        connection_uncork(self->connection);
    return status;
}

/*
 * Called after a read failed. If the content of a delivery was the reason, rejects that delivery:
 * it would fail on the next connection as well, and nobody would be served. Returns whether it was
 * so. All other reasons blame no delivery.
 */
static bool reject_unreadable(struct amqp_transport *self, struct error *error)
{
    const struct unreadable *unreadable = &self->connection->reader.unreadable;
    if (unreadable->tag == 0 || unreadable->method != AMQP_BASIC_DELIVER_METHOD)
        return false;
    connection_reject_unreadable(self->connection, error);
    return true;
}

/* --- opening and closing -------------------------------------------------------------------- */

/*
 * If the deliveries' connection was lost, the routes are dropped: a graceful close waits up to 2 s
 * for each, and the broker may be gone for all. What is confirmed is in its queue; what is not
 * belongs to a delivery that is redelivered.
 */
static void close_routes(struct amqp_transport *self, bool lost)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (lost)
            amqp_route_drop(&self->routes[i]);
        else
            amqp_route_close(&self->routes[i]);
    }
}

static void close_transport(struct transport *transport)
{
    struct amqp_transport *self = to_amqp(transport);
    if (self->connection != NULL && !self->connection->lost)
        (void)send_acks(self, NULL); /* if an ack is lost, the broker redelivers */
    bool lost = self->connection != NULL && self->connection->lost;
    connection_free(self->connection);
    self->connection = NULL;
    close_routes(self, lost);
    self->consuming = self->cancelling = false;
    self->next_prefetch = 0;
    acks_restart(&self->acks);
    desk_consumer_reset(&self->desk);
}

/* Tells the observer of a difference that does no harm, once. */
static void tell_tolerated(struct amqp_transport *self, const struct error *warning)
{
    if (warning->text[0] != '\0' && strcmp(warning->text, self->tolerated.text) != 0)
        amqp_notify(&self->watch.observer, AMQP_TOPOLOGY_TOLERATED, warning->text);
    self->tolerated = *warning;
}

static enum transport_status prepare_topology(struct amqp_transport *self, struct error *error)
{
    struct topology_findings findings;
    enum transport_status status = topology_declare_or_check(self->connection, &self->topology,
                                                             self->declare, &findings, error);
    if (status == TRANSPORT_OK)
        tell_tolerated(self, &findings.warning);
    if (status != TRANSPORT_OK || self->flag_checked)
        return status;
    bool seen = false; /* without the permission to look, a worker trusts the broker */
    status = topology_check_feature_flag(self->connection, &self->topology, &seen, error);
    self->flag_checked = status == TRANSPORT_OK;
    return status;
}

static enum transport_status open_transport(struct transport *transport, struct error *error)
{
    struct amqp_transport *self = to_amqp(transport);
    close_transport(transport);
    uri_file_refresh(&self->uri_file, &self->login);
    enum transport_status status =
        connection_open(&self->login, self->next_host++, &self->connection, error);
    if (status != TRANSPORT_OK)
        return status;
    status = prepare_topology(self, error);
    if (status == TRANSPORT_OK)
        status = connection_open_channel(self->connection, CHANNEL_CONSUME, false, error);
    if (status == TRANSPORT_OK) {
        topology_watch_opened(&self->watch, system_monotonic_ms());
        return TRANSPORT_OK;
    }
    error_prefix(error, "%.*s:%u", TEXT_ARGS(self->connection->host->name),
                 (unsigned int)self->connection->host->port);
    close_transport(transport);
    return status;
}

/* --- consuming ------------------------------------------------------------------------------ */

/* Checks the result of an RPC on the channel of the AMQP consumer. Any failure is LOST: if the
   broker closed the channel, all deliveries are void. */
static enum transport_status check_consumer_rpc(struct amqp_transport *self, const char *what,
                                                struct error *error)
{
    enum transport_status status =
        connection_check_rpc(self->connection, CHANNEL_CONSUME, what, error);
    if (status == TRANSPORT_OK)
        return TRANSPORT_OK;
    self->connection->lost = true;
    return TRANSPORT_LOST;
}

/*
 * Starts the AMQP consumer, with a consumer tag that was not used before. RabbitMQ 3.10.8 mistakes
 * a consumer with a reused tag for the old one, believes that deliveries are missing, and closes
 * the channel with 541 (rabbitmq-server #5927, fixed in later releases).
 */
static enum transport_status start_consumer(struct amqp_transport *self, uint16_t prefetch,
                                            struct error *error)
{
    enum transport_status status = flush(self, error);
    if (status != TRANSPORT_OK)
        return status;
    amqp_connection_state_t state = self->connection->state;
    (void)amqp_basic_qos(state, CHANNEL_CONSUME, 0, prefetch, 0);
    status = check_consumer_rpc(self, "cannot set the prefetch", error);
    if (status != TRANSPORT_OK)
        return status;
    (void)snprintf(self->consumer_tag, sizeof self->consumer_tag, "allot.%u",
                   ++self->consumers_started);
    (void)amqp_basic_consume(state, CHANNEL_CONSUME, bytes_of(self->topology.queue),
                             amqp_cstring_bytes(self->consumer_tag), 0, 0, 0, amqp_empty_table);
    status = check_consumer_rpc(self, "cannot consume", error);
    self->consuming = status == TRANSPORT_OK;
    return status;
}

static enum transport_status consume(struct transport *transport, uint16_t prefetch,
                                     struct error *error)
{
    struct amqp_transport *self = to_amqp(transport);
    enum transport_status status = require_connection(self, error);
    if (status != TRANSPORT_OK)
        return status;
    desk_consumer_start(&self->desk, system_monotonic_ms());
    if (self->consuming)
        return TRANSPORT_OK;
    if (!self->cancelling)
        return start_consumer(self, prefetch, error);
    self->next_prefetch = prefetch;
    return TRANSPORT_OK;
}

/*
 * Sends the cancel without waiting for its cancel-ok, so amqp_basic_cancel() is not used. A whole
 * prefetch of large bodies may arrive before the cancel-ok. The handler has to see each delivery as
 * it arrives, and requeue it; otherwise all of them would fill the memory.
 */
static enum transport_status cancel(struct transport *transport, struct error *error)
{
    struct amqp_transport *self = to_amqp(transport);
    enum transport_status status = require_connection(self, error);
    self->next_prefetch = 0;
    if (status != TRANSPORT_OK)
        return status;
    if (!self->consuming)
        return desk_consumer_stop(&self->desk, self->connection, error);
    /* Acks first: an earlier version had channel errors when acks arrived after the cancel. That
       was not reproduced with RabbitMQ 3.10.8, but the order costs nothing. */
    status = flush(self, error);
    if (status != TRANSPORT_OK)
        return status;
    amqp_basic_cancel_t method = {.consumer_tag = amqp_cstring_bytes(self->consumer_tag)};
    int result = amqp_send_method(self->connection->state, CHANNEL_CONSUME,
                                  AMQP_BASIC_CANCEL_METHOD, &method);
    self->consuming = false;
    self->cancelling = true;
    status = connection_check_send(self->connection, result, "cannot cancel the consumer", error);
    return status == TRANSPORT_OK ? desk_consumer_stop(&self->desk, self->connection, error)
                                  : status;
}

/* Handles a cancel-ok. */
static enum transport_status finish_cancel(struct amqp_transport *self, struct error *error)
{
    uint16_t prefetch = self->next_prefetch;
    self->cancelling = false;
    self->next_prefetch = 0;
    return prefetch > 0 ? start_consumer(self, prefetch, error) : TRANSPORT_OK;
}

/* --- publishing and acknowledging ----------------------------------------------------------- */

static bool ready(struct transport *transport, enum route route)
{
    struct amqp_transport *self = to_amqp(transport);
    if (amqp_route_is_due(&self->routes[route]))
        uri_file_refresh(&self->uri_file, &self->login);
    struct login_options login = self->login;
    login.name = self->route_names[route];
    return require_connection(self, NULL) == TRANSPORT_OK &&
           amqp_route_ready(&self->routes[route], &login);
}

static enum transport_status publish(struct transport *transport, const struct outgoing *outgoing,
                                     struct error *error)
{
    struct amqp_transport *self = to_amqp(transport);
    enum transport_status status = require_connection(self, error);
    if (status == TRANSPORT_OK)
        amqp_route_publish(&self->routes[outgoing->route], outgoing);
    return status;
}

static void restart(struct transport *transport, enum route route)
{
    amqp_route_drop(&to_amqp(transport)->routes[route]);
}

static bool is_of_desk(uint64_t tag)
{
    return (tag & DESK_TAG) != 0;
}

static struct acks *acks_of(struct amqp_transport *self, uint64_t tag)
{
    return is_of_desk(tag) ? &self->desk.acks : &self->acks;
}

static enum transport_status ack(struct transport *transport, uint64_t tag, struct error *error)
{
    struct amqp_transport *self = to_amqp(transport);
    enum transport_status status = require_connection(self, error);
    if (status != TRANSPORT_OK)
        return status;
    acks_add(acks_of(self, tag),
             tag & ~DESK_TAG); /* send_acks() sends all acks of a burst in one frame */
    return TRANSPORT_OK;
}

static enum transport_status requeue(struct transport *transport, uint64_t tag, struct error *error)
{
    struct amqp_transport *self = to_amqp(transport);
    enum transport_status status = require_connection(self, error);
    if (status != TRANSPORT_OK)
        return status;
    connection_cork(self->connection);
    acks_add_nacked(acks_of(self, tag), tag & ~DESK_TAG);
    int result =
        amqp_basic_nack(self->connection->state, is_of_desk(tag) ? CHANNEL_DESK : CHANNEL_CONSUME,
                        tag & ~DESK_TAG, 0, 1);
    return connection_check_send(self->connection, result, "cannot requeue", error);
}

/* --- events --------------------------------------------------------------------------------- */

static void report(const struct transport_handler *handler, const struct transport_event *event)
{
    handler->handle(handler->context, event);
}

static void set_origin(struct delivery *delivery, uint16_t channel, uint64_t tag)
{
    bool desk = channel == CHANNEL_DESK;
    delivery->source = desk ? DELIVERY_DESK : DELIVERY_COMMAND;
    delivery->tag = tag | (desk ? DESK_TAG : 0);
}

/* The handler owns the arena from here on. */
static void report_delivery(struct incoming *incoming, const struct transport_handler *handler)
{
    struct transport_event event = {.kind = TRANSPORT_DELIVERY, .arena = incoming->arena};
    event.delivery = (struct delivery){.redelivered = incoming->redelivered,
                                       .properties = incoming->properties,
                                       .raw_headers = incoming->raw_headers,
                                       .body = incoming->body,
                                       .cut_size = incoming->cut_size,
                                       .body_sha256 = incoming->body_sha256};
    set_origin(&event.delivery, incoming->channel, incoming->tag);
    field_table_read_delivery(&event.delivery);
    incoming->arena = NULL;
    report(handler, &event);
}

/* Reports a failure of the broker, if one has ended the connection; once. */
static void report_broker_failed(struct amqp_transport *self,
                                 const struct transport_handler *handler)
{
    struct transport_event event = {.kind = TRANSPORT_BROKER_FAILED};
    if (self->connection->reader.close_code != AMQP_INTERNAL_ERROR)
        return;
    self->connection->reader.close_code = 0;
    bool desk = desk_consumer_postpone(&self->desk);
    event.delivery.source = desk ? DELIVERY_DESK : DELIVERY_COMMAND;
    report(handler, &event);
}

static void report_unreadable(const struct amqp_transport *self, const struct error *error,
                              const struct transport_handler *handler)
{
    struct transport_event event = {.kind = TRANSPORT_UNREADABLE,
                                    .reason = error != NULL ? error->text : NULL};
    const struct unreadable *unreadable = &self->connection->reader.unreadable;
    set_origin(&event.delivery, unreadable->channel, unreadable->tag);
    event.delivery.tag = unreadable->tag; /* for the log: it cannot be acknowledged any more */
    report(handler, &event);
}

static enum transport_status dispatch_desk(struct amqp_transport *self, struct incoming *incoming,
                                           const struct transport_handler *handler,
                                           struct error *error)
{
    if (incoming->method != AMQP_BASIC_DELIVER_METHOD)
        return desk_consumer_take(&self->desk, self->connection, incoming, system_monotonic_ms(),
                                  error);
    desk_consumer_delivered(&self->desk);
    report_delivery(incoming, handler);
    return TRANSPORT_OK;
}

static enum transport_status dispatch(struct amqp_transport *self, struct incoming *incoming,
                                      const struct transport_handler *handler, struct error *error)
{
    if (incoming->channel == CHANNEL_DESK)
        return dispatch_desk(self, incoming, handler, error);
    if (incoming->channel == CHANNEL_TOPOLOGY)
        return topology_watch_take(&self->watch, self->connection, incoming, error);
    switch (incoming->method) {
    case AMQP_BASIC_DELIVER_METHOD: report_delivery(incoming, handler); break;
    case AMQP_BASIC_CANCEL_METHOD:
        self->consuming = false;
        report(handler, &(struct transport_event){.kind = TRANSPORT_CANCELLED});
        break;
    case AMQP_CHANNEL_CLOSE_METHOD:
        error_set(error, "the broker closed the consumer's channel: %s", incoming->reason);
        self->connection->lost = true; /* the deliveries of the channel are void */
        return TRANSPORT_LOST;
    case AMQP_BASIC_CANCEL_OK_METHOD: return finish_cancel(self, error);
    default: break; /* no other method matters here */
    }
    return TRANSPORT_OK;
}

/* Reads and dispatches what has arrived. Sets `ret_any` if there was at least one method. */
static enum transport_status dispatch_arrived(struct amqp_transport *self,
                                              const struct transport_handler *handler,
                                              bool *ret_any, struct error *error)
{
    enum transport_status status = connection_read(self->connection, error);
    if (status != TRANSPORT_OK && reject_unreadable(self, error))
        report_unreadable(self, error, handler);
    struct incoming incoming;
    /* Only what is there now: a publish of the handler may add more, and the loop has to end. */
    size_t count = self->connection->reader.arrived.count;
    *ret_any |= count > 0;
    for (size_t i = 0; i < count && status == TRANSPORT_OK; i++) {
        if (!incoming_pop(&self->connection->reader.arrived, &incoming))
            break;
        status = dispatch(self, &incoming, handler, error);
        incoming_clear(&incoming);
        if (status == TRANSPORT_OK)
            status = require_connection(self, error);
    }
    return status;
}

/* --- polling -------------------------------------------------------------------------------- */

static int64_t slice_ms(const struct connection *connection, int64_t remaining_ms)
{
    int64_t slice = POLL_SLICE_MS_MAX;
    if (connection->heartbeat_ms > 0 && connection->heartbeat_ms / SLICES_OF_HEARTBEAT < slice)
        slice = connection->heartbeat_ms / SLICES_OF_HEARTBEAT;
    return remaining_ms < slice ? remaining_ms : slice;
}

/* A dead letter that found no exchange or no queue shows that something is missing. */
static void look_for_missing(struct amqp_transport *self)
{
    struct amqp_route *route = &self->routes[ROUTE_DEAD_LETTERS];
    if (route->lacks_target)
        topology_watch_soon(&self->watch, system_monotonic_ms());
    route->lacks_target = false;
}

static bool dispatch_routes(struct amqp_transport *self, const struct transport_handler *handler)
{
    bool any = false;
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        any |= amqp_route_dispatch(&self->routes[i], handler);
    look_for_missing(self);
    return any;
}

/* Waits until a connection or `wake_fd` is readable. Returns whether `wake_fd` is. */
static bool wait_for_input(struct amqp_transport *self, int64_t timeout_ms, int wake_fd)
{
    struct pollfd fds[ROUTE_COUNT + 2];
    nfds_t count = 0;
    fds[count++] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = connection_descriptor(self->connection), .events = POLLIN};
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct connection *connection = self->routes[i].connection;
        if (connection != NULL)
            fds[count++] =
                (struct pollfd){.fd = connection_descriptor(connection), .events = POLLIN};
    }
    (void)poll(fds, count, (int)timeout_ms);
    return fds[0].revents != 0;
}

static enum transport_status poll_transport(struct transport *transport, int timeout_ms,
                                            int wake_fd, const struct transport_handler *handler,
                                            struct error *error)
{
    struct amqp_transport *self = to_amqp(transport);
    enum transport_status status = require_connection(self, error);
    int64_t deadline_ms = system_monotonic_ms() + timeout_ms;
    while (status == TRANSPORT_OK) {
        bool any = false;
        status = topology_watch_tick(&self->watch, self->connection, system_monotonic_ms(), error);
        if (status == TRANSPORT_OK)
            status =
                desk_consumer_tick(&self->desk, self->connection, system_monotonic_ms(), error);
        if (status == TRANSPORT_OK)
            status = flush(self, error);
        if (status == TRANSPORT_OK)
            any = dispatch_routes(self, handler);
        if (status == TRANSPORT_OK)
            status = dispatch_arrived(self, handler, &any, error);
        if (status == TRANSPORT_OK)
            status = flush(self, error);
        int64_t remaining_ms = deadline_ms - system_monotonic_ms();
        if (status != TRANSPORT_OK || any || remaining_ms <= 0)
            break;
        if (wait_for_input(self, slice_ms(self->connection, remaining_ms), wake_fd))
            break;
    }
    if (status != TRANSPORT_OK && self->connection != NULL)
        report_broker_failed(self, handler);
    return status;
}

/* --- the port ------------------------------------------------------------------------------- */

static void free_transport(struct transport *transport)
{
    if (transport == NULL)
        return;
    struct amqp_transport *self = to_amqp(transport);
    close_transport(transport);
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        amqp_route_clear(&self->routes[i]);
    acks_clear(&self->acks);
    desk_consumer_clear(&self->desk);
    arena_free(self->arena);
    free(self);
}

static const struct transport_ops operations = {
    .open = open_transport,
    .consume = consume,
    .cancel = cancel,
    .poll = poll_transport,
    .ready = ready,
    .publish = publish,
    .restart = restart,
    .ack = ack,
    .requeue = requeue,
    .close = close_transport,
    .free = free_transport,
};

static void copy_options(struct amqp_transport *self, const struct amqp_options *options)
{
    const struct topology *names = &options->topology;
    self->login.name = text_copy(self->arena, options->connection_name);
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        self->route_names[i] = text_format(self->arena, "%.*s %s", TEXT_ARGS(self->login.name),
                                           route_name((enum route)i));
    self->login.heartbeat_ms = options->heartbeat_ms;
    uri_file_init(&self->uri_file, options->uri_file, options->uri, self->arena, options->observer);
    self->declare = options->declare;
    self->topology = (struct topology){
        .exchange = text_copy(self->arena, names->exchange),
        .queue = text_copy(self->arena, names->queue),
        .dead_letter_exchange = text_copy(self->arena, names->dead_letter_exchange),
        .dead_letter_queue = text_copy(self->arena, names->dead_letter_queue),
        .desk_queue = text_copy(self->arena, names->desk_queue)};
    topology_watch_init(&self->watch, &self->topology, options->declare, options->topology_check_ms,
                        options->observer);
    desk_consumer_init(&self->desk, self->topology.desk_queue, self->watch.interval_ms,
                       options->observer);
}

struct transport *amqp_transport_new(const struct amqp_options *options, struct error *error)
{
    struct amqp_transport *self = MEMORY_NEW(struct amqp_transport);
    self->base.ops = &operations;
    self->arena = arena_new(0);
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        amqp_route_init(&self->routes[i], (enum route)i);
    if (!login_options_read(options->uri, &options->tls, self->arena, &self->login, error)) {
        free_transport(&self->base);
        return NULL;
    }
    copy_options(self, options);
    return &self->base;
}
