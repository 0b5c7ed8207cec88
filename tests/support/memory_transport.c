/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each call of the port is between begin_call() and end_call(), which count calls and apply
 * the fault lose_at_call. What the broker has to report (confirms, returns, cancels, blocks) waits
 * in a list of events until the next poll. Deliveries are made in the poll itself, from the command
 * queue and then from the desk queue, as far as the prefetch of each allows.
 *
 * Guarantees. Events come in the order of their causes; only the confirms of a slow queue are late.
 * Messages that are published while the broker is blocked are held, and accepted in their order at
 * the first poll or publish after the unblocking. What closes a route (a missing exchange, a deadly
 * address) also takes the confirms of that route that no poll has reported yet. Its later messages
 * are dropped until the poll that reports ROUTE_CLOSED. A poll hands out at most what was there
 * when it began, so a handler that requeues does not keep it forever.
 *
 * Not here: queues and routing (memory_broker.c). An unknown delivery tag loses the connection at
 * once; on RabbitMQ this takes a moment.
 */
#include "tests/support/memory_transport.h"

#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/base/memory.h"
#include "common/codec/body_reader.h"
#include "common/codec/field_table.h"
#include "common/codec/outgoing_headers.h"
#include "tests/support/memory_internal.h"

enum {
    FRAME_BYTES = 131072, /* RabbitMQ's default frame_max */
    FLOW_PENDING = 12     /* RabbitMQ stops reading a connection with so many in a silent queue */
};

static struct memory_transport *to_memory(struct transport *transport)
{
    return (struct memory_transport *)transport;
}

/* --- events and unacknowledged messages ----------------------------------------------------- */

static void report_later(struct memory_transport *self, struct transport_event event,
                         unsigned polls_left)
{
    struct memory_event *entry = MEMORY_NEW(struct memory_event);
    entry->event = event;
    entry->polls_left = polls_left;
    *self->events_end = entry;
    self->events_end = &entry->next;
}

void memory_transport_report(struct memory_transport *self, struct transport_event event)
{
    report_later(self, event, 0);
}

/* Takes the first event. `next` of the result means nothing. */
static bool take_event(struct memory_transport *self, struct memory_event *ret_event)
{
    struct memory_event *entry = self->events;
    if (entry == NULL)
        return false;
    self->events = entry->next;
    if (self->events == NULL)
        self->events_end = &self->events;
    *ret_event = *entry;
    free(entry);
    return true;
}

static size_t count_events(const struct memory_transport *self)
{
    size_t count = 0;
    for (const struct memory_event *at = self->events; at != NULL; at = at->next)
        count++;
    return count;
}

static bool is_of_route(const struct transport_event *event, enum route route)
{
    bool about_message = event->kind == TRANSPORT_CONFIRMED || event->kind == TRANSPORT_NACKED ||
                         event->kind == TRANSPORT_RETURNED;
    return event->route == route && (about_message || event->kind == TRANSPORT_ROUTE_CLOSED);
}

/* Drops what the broker had to report about the messages of a route. */
static void drop_events(struct memory_transport *self, enum route route)
{
    struct memory_event entry;
    for (size_t left = count_events(self); left > 0 && take_event(self, &entry); left--) {
        if (!is_of_route(&entry.event, route))
            report_later(self, entry.event, entry.polls_left);
    }
}

static void drop_pending(struct memory_transport *self, enum route route)
{
    struct memory_pending **at = &self->pending;
    while (*at != NULL) {
        struct memory_pending *entry = *at;
        if (entry->route != route) {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        free(entry);
    }
    self->pending_count[route] = 0;
}

/* Appends a message to those that its silent queue does not confirm. */
static void add_pending(struct memory_transport *self, const struct outgoing *outgoing,
                        const struct memory_queue *queue)
{
    struct memory_pending *entry = MEMORY_NEW(struct memory_pending);
    *entry = (struct memory_pending){NULL, queue, outgoing->route, outgoing->sequence};
    struct memory_pending **at = &self->pending;
    while (*at != NULL)
        at = &(*at)->next;
    *at = entry;
    self->pending_count[outgoing->route]++;
}

void memory_transport_confirm_pending(struct memory_transport *self,
                                      const struct memory_queue *queue)
{
    struct memory_pending **at = &self->pending;
    while (*at != NULL) {
        struct memory_pending *entry = *at;
        if (entry->queue != queue) {
            at = &entry->next;
            continue;
        }
        memory_transport_report(self, (struct transport_event){.kind = TRANSPORT_CONFIRMED,
                                                               .route = entry->route,
                                                               .sequence = entry->sequence});
        self->pending_count[entry->route]--;
        *at = entry->next;
        free(entry);
    }
}

/* Removes an unacknowledged message from the list and returns it; NULL if the tag is unknown. */
static struct memory_message *take_unacked(struct memory_transport *self, uint64_t tag)
{
    struct memory_unacked **at = &self->unacked;
    while (*at != NULL && (*at)->tag != tag)
        at = &(*at)->next;
    struct memory_unacked *entry = *at;
    if (entry == NULL)
        return NULL;
    struct memory_message *message = entry->message;
    *at = entry->next;
    self->unacked_count--;
    self->unacked_of[message->source] -= entry->consumer == self->consumer;
    free(entry);
    return message;
}

static void add_unacked(struct memory_transport *self, struct memory_message *message)
{
    struct memory_unacked *entry = MEMORY_NEW(struct memory_unacked);
    *entry = (struct memory_unacked){self->unacked, ++self->last_tag, self->consumer, message};
    self->unacked = entry;
    self->unacked_count++;
    self->unacked_of[message->source]++;
}

/* --- connection ----------------------------------------------------------------------------- */

void memory_transport_cut(struct transport *transport)
{
    struct memory_transport *self = to_memory(transport);
    struct memory_event entry;
    while (self->unacked != NULL)
        memory_broker_requeue(self->broker, take_unacked(self, self->unacked->tag));
    while (take_event(self, &entry))
        continue;
    while (self->held != NULL) {
        struct memory_held *held = self->held;
        self->held = held->next;
        memory_message_free(held->message);
        free(held);
    }
    self->connected = false;
    self->consuming = false;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        self->closed[i] = false;
        drop_pending(self, (enum route)i);
    }
}

/* Counts a fault down. Returns true if it is due. */
static bool is_due(uint64_t *countdown)
{
    return *countdown > 0 && --*countdown == 0;
}

struct call {
    bool lost;       /* the connection is lost, so the call has no effect */
    bool lost_after; /* the connection is lost after the effect */
};

static struct call begin_call(struct memory_transport *self, struct error *error)
{
    self->calls++;
    struct call call = {0};
    bool due = is_due(&self->faults.lose_at_call);
    call.lost_after = due && self->faults.lose_after_effect;
    if (due && !call.lost_after)
        memory_transport_cut(&self->base);
    call.lost = !self->connected;
    if (call.lost || call.lost_after)
        error_set(error, "not connected to the broker");
    return call;
}

static enum transport_status end_call(struct memory_transport *self, struct call call)
{
    if (!call.lost_after)
        return TRANSPORT_OK;
    memory_transport_cut(&self->base);
    return TRANSPORT_LOST;
}

static enum transport_status open_transport(struct transport *transport, struct error *error)
{
    struct memory_transport *self = to_memory(transport);
    memory_transport_cut(transport);
    self->connected = !self->broker->down;
    struct call call = begin_call(self, error);
    if (call.lost)
        return TRANSPORT_LOST;
    memory_broker_declare(self->broker, self->broker->names.queue);
    memory_broker_declare(self->broker, self->broker->names.dead_letter_queue);
    memory_broker_declare(self->broker, self->broker->names.desk_queue);
    self->last_tag = 0;
    for (size_t i = 0; i < ROUTE_COUNT && self->broker->blocked != NULL; i++)
        memory_transport_report(self, (struct transport_event){.kind = TRANSPORT_BLOCKED,
                                                               .route = (enum route)i,
                                                               .reason = self->broker->blocked});
    return end_call(self, call);
}

static enum transport_status consume(struct transport *transport, uint16_t prefetch,
                                     struct error *error)
{
    struct memory_transport *self = to_memory(transport);
    struct call call = begin_call(self, error);
    if (call.lost)
        return TRANSPORT_LOST;
    if (memory_broker_find(self->broker, self->broker->names.queue) == NULL) {
        error_set(error, "cannot consume: no queue %s", self->broker->names.queue);
        memory_transport_cut(transport);
        return TRANSPORT_LOST;
    }
    self->consuming = true;
    self->prefetch = prefetch;
    self->consumer++;
    memset(self->unacked_of, 0, sizeof self->unacked_of);
    return end_call(self, call);
}

static enum transport_status cancel(struct transport *transport, struct error *error)
{
    struct memory_transport *self = to_memory(transport);
    struct call call = begin_call(self, error);
    if (call.lost)
        return TRANSPORT_LOST;
    self->consuming = false;
    return end_call(self, call);
}

/* --- publishing ----------------------------------------------------------------------------- */

/* The message that closed the route, and all others of the route that no poll has reported, are
   never confirmed. */
static void close_route(struct memory_transport *self, enum route route, enum close_cause cause,
                        const char *reason)
{
    drop_events(self, route);
    drop_pending(self, route);
    self->closed[route] = true;
    memory_transport_report(self, (struct transport_event){.kind = TRANSPORT_ROUTE_CLOSED,
                                                           .route = route,
                                                           .close_cause = cause,
                                                           .reason = reason});
}

/* Returns whether the publish closes its route. */
static bool closes_route(struct memory_transport *self, const struct outgoing *outgoing,
                         const struct memory_message *message)
{
    struct memory_broker *broker = self->broker;
    bool is_reply = message->exchange.length == 0;
    if (is_due(&self->faults.lose_route)) {
        close_route(self, outgoing->route, CLOSE_OUTSIDE, "connection reset");
        return true;
    }
    if (is_reply && broker->forbidden) {
        close_route(self, outgoing->route, CLOSE_FORBIDDEN, "ACCESS_REFUSED");
        return true;
    }
    struct text named = is_reply ? message->routing_key : message->properties.message_id;
    if (broker->deadly != NULL && text_present(named) && text_starts_with(named, broker->deadly)) {
        close_route(self, outgoing->route, CLOSE_MESSAGE, "INTERNAL_ERROR");
        return true;
    }
    return false;
}

static void report_outcome(struct memory_transport *self, const struct outgoing *outgoing,
                           enum transport_event_kind kind, const char *reason, unsigned polls_left)
{
    report_later(self,
                 (struct transport_event){.kind = kind,
                                          .route = outgoing->route,
                                          .sequence = outgoing->sequence,
                                          .reason = reason},
                 polls_left);
}

/* Returns whether the broker does not read the route: it has ended, or a silent queue stops it. */
static bool is_unread(const struct memory_transport *self, enum route route)
{
    return self->closed[route] || self->pending_count[route] >= FLOW_PENDING;
}

static void accept(struct memory_transport *self, const struct outgoing *outgoing,
                   struct memory_message *message)
{
    const struct memory_queue *queue = NULL;
    if (is_unread(self, outgoing->route) || closes_route(self, outgoing, message)) {
        memory_message_free(message);
        return;
    }
    if (is_due(&self->faults.nack_publish)) {
        memory_message_free(message);
        report_outcome(self, outgoing, TRANSPORT_NACKED, NULL, 0);
        return;
    }
    enum memory_routing routing = memory_broker_route(self->broker, message, &queue);
    if (routing == NO_EXCHANGE) {
        close_route(self, outgoing->route, CLOSE_MISSING, "NOT_FOUND - no exchange");
        return;
    }
    if (routing == UNROUTABLE && outgoing->mandatory)
        report_outcome(self, outgoing, TRANSPORT_RETURNED, "NO_ROUTE", 0);
    if (queue != NULL && queue->silent)
        add_pending(self, outgoing, queue);
    else if (!is_due(&self->faults.swallow_confirm))
        report_outcome(self, outgoing, TRANSPORT_CONFIRMED, NULL,
                       queue != NULL ? queue->slow_polls : 0);
}

static struct memory_message *make_message(const struct outgoing *outgoing)
{
    struct arena *arena = arena_new(0);
    struct text headers = outgoing_headers_encode(arena, outgoing, FRAME_BYTES);
    struct memory_message *message = memory_message_new(outgoing, headers);
    arena_free(arena);
    return message;
}

/* Appends a message to those that wait for the unblocking. */
static void hold(struct memory_transport *self, const struct outgoing *outgoing,
                 struct memory_message *message)
{
    struct memory_held *entry = MEMORY_NEW(struct memory_held);
    *entry = (struct memory_held){NULL, message, outgoing->route, outgoing->sequence,
                                  outgoing->mandatory};
    struct memory_held **at = &self->held;
    while (*at != NULL)
        at = &(*at)->next;
    *at = entry;
}

static void accept_held(struct memory_transport *self)
{
    while (self->held != NULL && self->broker->blocked == NULL) {
        struct memory_held held = *self->held;
        free(self->held);
        self->held = held.next;
        struct outgoing outgoing = {
            .route = held.route, .sequence = held.sequence, .mandatory = held.mandatory};
        accept(self, &outgoing, held.message);
    }
}

static bool ready(struct transport *transport, enum route route)
{
    const struct memory_transport *self = to_memory(transport);
    return self->connected && !self->closed[route];
}

/* Drops the messages of the route that wait for the unblocking. */
static void drop_held(struct memory_transport *self, enum route route)
{
    struct memory_held **at = &self->held;
    while (*at != NULL) {
        struct memory_held *entry = *at;
        if (entry->route != route) {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        memory_message_free(entry->message);
        free(entry);
    }
}

static void restart(struct transport *transport, enum route route)
{
    struct memory_transport *self = to_memory(transport);
    drop_events(self, route);
    drop_pending(self, route);
    drop_held(self, route);
    self->closed[route] = false;
}

static enum transport_status publish(struct transport *transport, const struct outgoing *outgoing,
                                     struct error *error)
{
    struct memory_transport *self = to_memory(transport);
    struct call call = begin_call(self, error);
    if (call.lost)
        return TRANSPORT_LOST;
    struct memory_message *message = make_message(outgoing);
    accept_held(self);
    if (self->broker->blocked != NULL)
        hold(self, outgoing, message);
    else
        accept(self, outgoing, message);
    return end_call(self, call);
}

/* --- acknowledging and requeueing ----------------------------------------------------------- */

/* Acknowledges a delivery, or requeues it. An unknown tag loses the connection. */
static enum transport_status end_delivery(struct transport *transport, uint64_t tag, bool requeue,
                                          struct error *error)
{
    struct memory_transport *self = to_memory(transport);
    struct call call = begin_call(self, error);
    if (call.lost)
        return TRANSPORT_LOST;
    struct memory_message *message = take_unacked(self, tag);
    if (message == NULL)
        memory_transport_cut(transport);
    else if (requeue)
        memory_broker_requeue(self->broker, message);
    else
        memory_message_free(message);
    return end_call(self, call);
}

static enum transport_status ack(struct transport *transport, uint64_t tag, struct error *error)
{
    return end_delivery(transport, tag, false, error);
}

static enum transport_status requeue(struct transport *transport, uint64_t tag, struct error *error)
{
    return end_delivery(transport, tag, true, error);
}

/* --- polling -------------------------------------------------------------------------------- */

static struct whole_or_cut body_of(const struct memory_message *message, struct arena *arena)
{
    struct body_reader reader;
    body_reader_begin(&reader, arena, message->body.length, BODY_BYTES_MAX);
    if (message->body.length > 0)
        body_reader_add(&reader, message->body.bytes, message->body.length);
    return body_reader_finish(&reader, arena);
}

static struct transport_event delivery_of(const struct memory_message *message, uint64_t tag)
{
    struct arena *arena = arena_new(message->body.length + message->raw_headers.length + 1024);
    const struct outgoing_header count = {
        .name = "x-delivery-count", .kind = OUTGOING_INTEGER, .integer = message->delivery_count};
    struct text headers = message->delivery_count > 0
                              ? field_table_merge(arena, message->raw_headers, &count, 1)
                              : text_copy(arena, message->raw_headers);
    struct whole_or_cut body = body_of(message, arena);
    struct transport_event event = {.kind = TRANSPORT_DELIVERY, .arena = arena};
    event.delivery =
        (struct delivery){.source = message->source,
                          .tag = tag,
                          .redelivered = message->delivery_count > 0,
                          .properties = memory_properties_copy(arena, &message->properties),
                          .raw_headers = headers,
                          .body = body.body,
                          .cut_size = body.cut_size,
                          .body_sha256 = body.sha256};
    field_table_read_delivery(&event.delivery);
    return event;
}

static struct memory_queue *queue_of(const struct memory_transport *self,
                                     enum delivery_source source)
{
    const struct memory_names *names = &self->broker->names;
    return memory_broker_find(self->broker,
                              source == DELIVERY_DESK ? names->desk_queue : names->queue);
}

static size_t count_ready(const struct memory_transport *self, enum delivery_source source)
{
    const struct memory_queue *queue = queue_of(self, source);
    return queue != NULL ? memory_broker_count(self->broker, queue->name) : 0;
}

static bool deliver(struct memory_transport *self, enum delivery_source source,
                    const struct transport_handler *handler)
{
    struct memory_queue *queue = queue_of(self, source);
    size_t prefetch = source == DELIVERY_DESK ? DESK_PREFETCH : self->prefetch;
    bool full = prefetch > 0 && self->unacked_of[source] >= prefetch;
    if (!self->consuming || full || queue == NULL || queue->first == NULL)
        return false;
    struct memory_message *message = queue->first;
    queue->first = message->next;
    message->next = NULL;
    add_unacked(self, message);
    struct transport_event event = delivery_of(message, self->last_tag);
    if (is_due(&self->faults.duplicate_delivery))
        memory_broker_requeue(self->broker, memory_message_copy(message));
    handler->handle(handler->context, &event);
    return true;
}

static void report_events(struct memory_transport *self, const struct transport_handler *handler)
{
    struct memory_event entry;
    for (size_t left = count_events(self); left > 0 && take_event(self, &entry); left--) {
        if (entry.polls_left > 0) {
            report_later(self, entry.event, entry.polls_left - 1);
            continue;
        }
        if (entry.event.kind == TRANSPORT_ROUTE_CLOSED)
            self->closed[entry.event.route] = false;
        handler->handle(handler->context, &entry.event);
    }
}

static enum transport_status poll_transport(struct transport *transport, int timeout_ms,
                                            int wake_fd, const struct transport_handler *handler,
                                            struct error *error)
{
    (void)timeout_ms;
    (void)wake_fd;
    struct memory_transport *self = to_memory(transport);
    struct call call = begin_call(self, error);
    if (call.lost)
        return TRANSPORT_LOST;
    accept_held(self);
    /* Only what is there now: a requeue of the handler adds more, and the loop has to end. */
    size_t commands = count_ready(self, DELIVERY_COMMAND);
    size_t desk = count_ready(self, DELIVERY_DESK);
    report_events(self, handler);
    while (commands > 0 && self->connected && deliver(self, DELIVERY_COMMAND, handler))
        commands--;
    while (desk > 0 && self->connected && deliver(self, DELIVERY_DESK, handler))
        desk--;
    if (!self->connected) {
        error_set(error, "not connected to the broker");
        return TRANSPORT_LOST;
    }
    return end_call(self, call);
}

/* --- the port ------------------------------------------------------------------------------- */

static void free_transport(struct transport *transport)
{
    if (transport == NULL)
        return;
    struct memory_transport *self = to_memory(transport);
    memory_transport_cut(transport);
    struct memory_transport **at = &self->broker->transports;
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
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
    .close = memory_transport_cut,
    .free = free_transport,
};

struct transport *memory_transport_new(struct memory_broker *broker)
{
    struct memory_transport *self = MEMORY_NEW(struct memory_transport);
    self->base.ops = &operations;
    self->broker = broker;
    self->events_end = &self->events;
    self->next = broker->transports;
    broker->transports = self;
    return &self->base;
}

struct memory_faults *memory_transport_faults(struct transport *transport)
{
    return &to_memory(transport)->faults;
}

uint64_t memory_transport_calls(const struct transport *transport)
{
    return ((const struct memory_transport *)transport)->calls;
}
