/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/amqp_transport.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/codec/field_table.h"
#include "common/codec/outgoing_headers.h"
#include "common/amqp/acks.h"
#include "common/base/memory.h"
#include "common/host/system_clock.h"
#include "common/amqp/properties.h"
#include "common/amqp/publisher.h"

enum { PUBLISHERS = 2, POLL_SLICE_MS_MAX = 1000, SLICES_OF_HEARTBEAT = 4 };

struct amqp_transport {
    struct transport base;
    struct arena *arena; /* of the options */
    struct login_options login;
    struct topology topology;
    bool declare;
    bool probed; /* the broker's feature flag: once is enough, since flags never go off again */
    size_t next_host;
    struct connection *connection; /* NULL: closed */
    struct publisher publishers[PUBLISHERS];
    struct acks acks;   /* of the consuming channel */
    unsigned consumers; /* started so far */
    char consumer_tag[32];
    bool consuming;
    bool cancelling;        /* the broker has not said yet that the consumer is gone */
    uint16_t next_prefetch; /* of the consumer to start then; 0: none */
};

static struct amqp_transport *of(struct transport *transport)
{
    return (struct amqp_transport *)transport;
}

static enum transport_status need_connection(const struct amqp_transport *self, struct error *error)
{
    if (self->connection != NULL && !self->connection->lost)
        return TRANSPORT_OK;
    error_set(error, "there is no connection to the broker");
    return TRANSPORT_LOST;
}

static struct publisher *publisher_of(struct amqp_transport *self, uint16_t channel)
{
    for (size_t i = 0; i < PUBLISHERS; i++) {
        if (self->publishers[i].channel == channel)
            return &self->publishers[i];
    }
    return NULL;
}

static enum transport_status send_acks(struct amqp_transport *self, struct error *error);

/* --- opening and closing -------------------------------------------------------------------- */

static void close_transport(struct transport *transport)
{
    struct amqp_transport *self = of(transport);
    if (self->connection != NULL && !self->connection->lost)
        (void)send_acks(self, NULL); /* what is lost here is delivered again */
    connection_free(self->connection);
    self->connection = NULL;
    self->consuming = self->cancelling = false;
    self->next_prefetch = 0;
    acks_restart(&self->acks);
}

static enum transport_status declare_or_check_topology(struct amqp_transport *self,
                                                       struct error *error)
{
    enum transport_status status =
        topology_declare_or_check(self->connection, &self->topology, self->declare, error);
    if (status != TRANSPORT_OK || self->probed)
        return status;
    status = topology_probe(self->connection, &self->topology, error);
    self->probed = status == TRANSPORT_OK;
    return status;
}

static enum transport_status open_channels(struct amqp_transport *self, struct error *error)
{
    enum transport_status status =
        connection_open_channel(self->connection, CHANNEL_CONSUME, false, error);
    for (size_t i = 0; i < PUBLISHERS && status == TRANSPORT_OK; i++)
        status = publisher_open(&self->publishers[i], self->connection, error);
    return status;
}

static enum transport_status open_transport(struct transport *transport, struct error *error)
{
    struct amqp_transport *self = of(transport);
    close_transport(transport);
    enum transport_status status =
        connection_open(&self->login, self->next_host++, &self->connection, error);
    if (status != TRANSPORT_OK)
        return status;
    status = declare_or_check_topology(self, error);
    if (status == TRANSPORT_OK)
        status = open_channels(self, error);
    if (status == TRANSPORT_OK)
        return TRANSPORT_OK;
    error_prefix(error, "%.*s:%u", TEXT_ARGS(self->connection->host->name),
                 (unsigned int)self->connection->host->port);
    close_transport(transport);
    return status;
}

/* --- consuming ------------------------------------------------------------------------------ */

/* Of an RPC on the consumer's channel: a channel closed for it has lost all its deliveries. */
static enum transport_status check_consumer(struct amqp_transport *self, const char *what,
                                            struct error *error)
{
    enum transport_status status = connection_check(self->connection, CHANNEL_CONSUME, what, error);
    if (status == TRANSPORT_OK)
        return TRANSPORT_OK;
    self->connection->lost = true;
    return TRANSPORT_LOST;
}

/* Each with a tag of its own: RabbitMQ 3.10 takes one that comes again for the old consumer, misses
   deliveries that this one never had, and its channel dies of it (541). */
static enum transport_status start_consumer(struct amqp_transport *self, uint16_t prefetch,
                                            struct error *error)
{
    enum transport_status status = send_acks(self, error);
    if (status != TRANSPORT_OK)
        return status;
    connection_release(self->connection);
    amqp_connection_state_t state = self->connection->state;
    (void)amqp_basic_qos(state, CHANNEL_CONSUME, 0, prefetch, 0);
    status = check_consumer(self, "setting the prefetch", error);
    if (status != TRANSPORT_OK)
        return status;
    (void)snprintf(self->consumer_tag, sizeof self->consumer_tag, "allot.%u", ++self->consumers);
    (void)amqp_basic_consume(state, CHANNEL_CONSUME, bytes_of(self->topology.queue),
                             amqp_cstring_bytes(self->consumer_tag), 0, 0, 0, amqp_empty_table);
    status = check_consumer(self, "consuming", error);
    self->consuming = status == TRANSPORT_OK;
    return status;
}

static enum transport_status consume(struct transport *transport, uint16_t prefetch,
                                     struct error *error)
{
    struct amqp_transport *self = of(transport);
    enum transport_status status = need_connection(self, error);
    if (status != TRANSPORT_OK || self->consuming)
        return status;
    if (!self->cancelling)
        return start_consumer(self, prefetch, error);
    self->next_prefetch = prefetch;
    return TRANSPORT_OK;
}

/* Nobody waits for the answer: a whole prefetch of large bodies may come before it, and each has to
   be looked at, and let go, as it comes. */
static enum transport_status cancel(struct transport *transport, struct error *error)
{
    struct amqp_transport *self = of(transport);
    enum transport_status status = need_connection(self, error);
    self->next_prefetch = 0;
    if (status != TRANSPORT_OK || !self->consuming)
        return status;
    status = send_acks(self, error); /* the broker stumbles over acks of a consumer that is gone */
    if (status != TRANSPORT_OK)
        return status;
    connection_release(self->connection);
    amqp_basic_cancel_t method = {.consumer_tag = amqp_cstring_bytes(self->consumer_tag)};
    int sent = amqp_send_method(self->connection->state, CHANNEL_CONSUME, AMQP_BASIC_CANCEL_METHOD,
                                &method);
    self->consuming = false;
    self->cancelling = true;
    return connection_sent(self->connection, sent, "cancelling the consumer", error);
}

static enum transport_status cancelled(struct amqp_transport *self, struct error *error)
{
    uint16_t prefetch = self->next_prefetch;
    self->cancelling = false;
    self->next_prefetch = 0;
    return prefetch > 0 ? start_consumer(self, prefetch, error) : TRANSPORT_OK;
}

/* --- sending -------------------------------------------------------------------------------- */

static enum transport_status publish(struct transport *transport, const struct outgoing *outgoing,
                                     struct error *error)
{
    struct amqp_transport *self = of(transport);
    enum transport_status status = need_connection(self, error);
    if (status == TRANSPORT_OK)
        status = connection_read_if_stale(self->connection, error);
    if (status != TRANSPORT_OK)
        return status;
    return publisher_send(&self->publishers[outgoing->kind], self->connection, outgoing, error);
}

static enum transport_status ack(struct transport *transport, uint64_t tag, struct error *error)
{
    struct amqp_transport *self = of(transport);
    enum transport_status status = need_connection(self, error);
    if (status != TRANSPORT_OK)
        return status;
    acks_add(&self->acks, tag); /* goes out with the others of this burst */
    return TRANSPORT_OK;
}

static enum transport_status send_acks(struct amqp_transport *self, struct error *error)
{
    enum transport_status status = TRANSPORT_OK;
    struct ack next;
    while (status == TRANSPORT_OK && acks_next(&self->acks, &next)) {
        connection_hold(self->connection);
        int sent =
            amqp_basic_ack(self->connection->state, CHANNEL_CONSUME, next.tag, next.multiple);
        status = connection_sent(self->connection, sent, "acknowledging", error);
    }
    return status;
}

static enum transport_status requeue(struct transport *transport, uint64_t tag, struct error *error)
{
    struct amqp_transport *self = of(transport);
    enum transport_status status = need_connection(self, error);
    if (status != TRANSPORT_OK)
        return status;
    connection_hold(self->connection);
    acks_add_nacked(&self->acks, tag);
    int sent = amqp_basic_nack(self->connection->state, CHANNEL_CONSUME, tag, 0, 1);
    return connection_sent(self->connection, sent, "giving back", error);
}

/* --- events --------------------------------------------------------------------------------- */

static void tell(const struct transport_handler *handler, const struct transport_event *event)
{
    handler->handle(handler->context, event);
}

static void tell_delivery(struct incoming *incoming, const struct transport_handler *handler)
{
    struct transport_event event = {.kind = TRANSPORT_DELIVERY, .arena = incoming->arena};
    event.delivery = (struct delivery){.tag = incoming->tag,
                                       .properties = incoming->properties,
                                       .raw_headers = incoming->raw_headers,
                                       .body = incoming->body};
    field_table_read_delivery(&event.delivery);
    /* On the first delivery the header can only be the producer's own invention. */
    if (!incoming->redelivered)
        event.delivery.delivery_count = 0;
    incoming->arena = NULL;
    tell(handler, &event);
}

static void report_resolved(struct amqp_transport *self, const struct incoming *incoming,
                            const struct transport_handler *handler)
{
    struct publisher *publisher = publisher_of(self, incoming->channel);
    bool confirmed = incoming->method == AMQP_BASIC_ACK_METHOD;
    struct transport_event event = {.kind = confirmed ? TRANSPORT_CONFIRMED : TRANSPORT_NACKED};
    while (publisher != NULL && publisher_resolve(publisher, incoming, &event.sequence))
        tell(handler, &event);
}

static void tell_returned(const struct incoming *incoming, const struct transport_handler *handler)
{
    struct transport_event event = {.kind = TRANSPORT_RETURNED,
                                    .sequence = outgoing_headers_sequence(incoming->raw_headers),
                                    .reason = incoming->reason};
    tell(handler, &event);
}

static void tell_reason(enum transport_event_kind kind, const struct incoming *incoming,
                        const struct transport_handler *handler)
{
    struct transport_event event = {.kind = kind, .reason = incoming->reason};
    tell(handler, &event);
}

static enum transport_status take_channel_close(struct amqp_transport *self,
                                                const struct incoming *incoming,
                                                const struct transport_handler *handler,
                                                struct error *error)
{
    struct connection *connection = self->connection;
    struct publisher *publisher = publisher_of(self, incoming->channel);
    if (publisher == NULL) {
        error_set(error, "the broker closed the consumer's channel: %s", incoming->reason);
        connection->lost = true;
        return TRANSPORT_LOST;
    }
    connection_release(connection);
    enum transport_status status = connection_agree_to_close(connection, incoming->channel, error);
    if (status == TRANSPORT_OK)
        status = publisher_open(publisher, connection, error);
    if (status != TRANSPORT_OK) {
        connection->lost = true;
        return TRANSPORT_LOST;
    }
    struct transport_event event = {.kind = TRANSPORT_CONFIRMS_LOST,
                                    .outgoing_kind =
                                        (enum outgoing_kind)(publisher - self->publishers),
                                    .reason = incoming->reason};
    tell(handler, &event);
    return TRANSPORT_OK;
}

static enum transport_status dispatch(struct amqp_transport *self, struct incoming *incoming,
                                      const struct transport_handler *handler, struct error *error)
{
    switch (incoming->method) {
    case AMQP_BASIC_DELIVER_METHOD: tell_delivery(incoming, handler); break;
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD: report_resolved(self, incoming, handler); break;
    case AMQP_BASIC_RETURN_METHOD: tell_returned(incoming, handler); break;
    case AMQP_BASIC_CANCEL_METHOD:
        self->consuming = false;
        tell_reason(TRANSPORT_CANCELLED, incoming, handler);
        break;
    case AMQP_CONNECTION_BLOCKED_METHOD: tell_reason(TRANSPORT_BLOCKED, incoming, handler); break;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        tell_reason(TRANSPORT_UNBLOCKED, incoming, handler);
        break;
    case AMQP_CHANNEL_CLOSE_METHOD: return take_channel_close(self, incoming, handler, error);
    case AMQP_BASIC_CANCEL_OK_METHOD: return cancelled(self, error);
    default: break; /* a late answer that nobody waits for any more */
    }
    return TRANSPORT_OK;
}

/* What has come, handed out; `ret_some`: there was something. */
static enum transport_status hand_out(struct amqp_transport *self,
                                      const struct transport_handler *handler, bool *ret_some,
                                      struct error *error)
{
    enum transport_status status = connection_read(self->connection, error);
    struct incoming incoming;
    /* Only what is there now: a handler that publishes must not keep us here for ever. */
    size_t count = self->connection->reader.arrived.count;
    *ret_some = count > 0;
    for (size_t i = 0; i < count && status == TRANSPORT_OK; i++) {
        if (!incoming_pop(&self->connection->reader.arrived, &incoming))
            break;
        status = dispatch(self, &incoming, handler, error);
        incoming_clear(&incoming);
        if (status == TRANSPORT_OK)
            status = need_connection(self, error);
    }
    return status;
}

static int64_t slice_ms(const struct connection *connection, int64_t remaining_ms)
{
    int64_t slice = POLL_SLICE_MS_MAX;
    if (connection->heartbeat_ms > 0 && connection->heartbeat_ms / SLICES_OF_HEARTBEAT < slice)
        slice = connection->heartbeat_ms / SLICES_OF_HEARTBEAT;
    return remaining_ms < slice ? remaining_ms : slice;
}

static enum transport_status poll_transport(struct transport *transport, int timeout_ms,
                                            int wake_fd, const struct transport_handler *handler,
                                            struct error *error)
{
    struct amqp_transport *self = of(transport);
    enum transport_status status = need_connection(self, error);
    int64_t deadline_ms = system_monotonic_ms() + timeout_ms;
    while (status == TRANSPORT_OK) {
        bool some = false;
        status = send_acks(self, error);
        if (status != TRANSPORT_OK)
            break;
        connection_release(self->connection);
        status = hand_out(self, handler, &some, error);
        if (status == TRANSPORT_OK)
            status = send_acks(self, error);
        if (status != TRANSPORT_OK)
            break;
        connection_release(self->connection);
        int64_t remaining_ms = deadline_ms - system_monotonic_ms();
        if (some || remaining_ms <= 0)
            break;
        if (connection_wait(self->connection, slice_ms(self->connection, remaining_ms), wake_fd))
            break;
    }
    return status;
}

/* --- making --------------------------------------------------------------------------------- */

static void free_transport(struct transport *transport)
{
    if (transport == NULL)
        return;
    struct amqp_transport *self = of(transport);
    close_transport(transport);
    for (size_t i = 0; i < PUBLISHERS; i++)
        publisher_clear(&self->publishers[i]);
    acks_clear(&self->acks);
    arena_free(self->arena);
    free(self);
}

static const struct transport_ops operations = {
    .open = open_transport,
    .consume = consume,
    .cancel = cancel,
    .poll = poll_transport,
    .publish = publish,
    .ack = ack,
    .requeue = requeue,
    .close = close_transport,
    .free = free_transport,
};

static void copy_options(struct amqp_transport *self, const struct amqp_options *options)
{
    const struct topology *names = &options->topology;
    self->login.name = text_copy(self->arena, options->connection_name);
    self->login.heartbeat_ms = options->heartbeat_ms;
    self->declare = options->declare;
    self->topology = (struct topology){
        .exchange = text_copy(self->arena, names->exchange),
        .queue = text_copy(self->arena, names->queue),
        .dead_letter_exchange = text_copy(self->arena, names->dead_letter_exchange),
        .dead_letter_queue = text_copy(self->arena, names->dead_letter_queue)};
}

struct transport *amqp_transport_new(const struct amqp_options *options, struct error *error)
{
    struct amqp_transport *self = memory_array(1, sizeof *self);
    self->base.ops = &operations;
    self->arena = arena_new(0);
    if (!login_options_read(options->uri, &options->tls, self->arena, &self->login, error)) {
        free_transport(&self->base);
        return NULL;
    }
    copy_options(self, options);
    publisher_init(&self->publishers[OUTGOING_REPLY], CHANNEL_REPLIES);
    publisher_init(&self->publishers[OUTGOING_DEAD_LETTER], CHANNEL_DEAD_LETTERS);
    return &self->base;
}
