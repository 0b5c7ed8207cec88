/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. One message can cost a publisher its whole connection: RabbitMQ closes it over an
 * internal error (541), and the flow control of one slow queue stops the reading of all that it
 * sends. So each route has a connection of its own, and the deliveries have another.
 *
 * A close is classified by its reply code (cause_of). A missing permission or exchange is named as
 * such; 320 and everything that is no close of the broker is OUTSIDE; all other codes are about a
 * message that the broker has not confirmed. The broker closes a channel over most errors. Then the
 * channel is opened again on the same connection.
 *
 * An end is noted (`ended`), and reported by the next poll: so a publish never calls the handler.
 * A publish that fails leaves the lost connection to the next poll as well. It may have confirms
 * that arrived before, and the broker's close, which says who is to blame (connection_check_send).
 * The opening waits for the broker: the login has its time limits (login.c). A pause between two
 * openings, of OPEN_PAUSE_FIRST_MS to OPEN_PAUSE_MAX_MS, limits the time that they take from the
 * thread. A first opening, and one after a good connection, have none. After a close over a message
 * the pause is at most MESSAGE_PAUSE_MAX_MS: the broker answers, and others wait for their turn.
 *
 * Not here: which message goes on which route, and when (worker/service/settler.c).
 */
#include "common/amqp/route.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"
#include "common/codec/outgoing_headers.h"
#include "common/host/system_clock.h"

enum { OPEN_PAUSE_FIRST_MS = 20, OPEN_PAUSE_MAX_MS = 2000, MESSAGE_PAUSE_MAX_MS = 100 };

void amqp_route_init(struct amqp_route *route, enum route id)
{
    *route = (struct amqp_route){.id = id};
    publisher_init(&route->publisher, CHANNEL_PUBLISH);
}

static void free_connection(struct amqp_route *route)
{
    connection_free(route->connection);
    route->connection = NULL;
    route->blocked = false;
}

void amqp_route_close(struct amqp_route *route)
{
    free_connection(route);
    free(route->reason);
    route->reason = NULL;
    route->ended = false;
}

void amqp_route_drop(struct amqp_route *route)
{
    if (route->connection != NULL)
        route->connection->lost = true;
    amqp_route_close(route);
}

void amqp_route_clear(struct amqp_route *route)
{
    amqp_route_close(route);
    publisher_clear(&route->publisher);
}

/* --- the end of a connection ---------------------------------------------------------------- */

static enum close_cause cause_of(uint16_t code)
{
    switch (code) {
    case 0: /* no close of the broker: the socket failed */
    case AMQP_CONNECTION_FORCED: return CLOSE_OUTSIDE;
    case AMQP_ACCESS_REFUSED: return CLOSE_FORBIDDEN;
    case AMQP_NOT_FOUND: return CLOSE_MISSING;
    default: return CLOSE_MESSAGE;
    }
}

static void note_end(struct amqp_route *route, enum close_cause cause, const char *reason)
{
    free(route->reason);
    route->ended = true;
    route->cause = cause;
    route->reason = memory_string(reason, strlen(reason));
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t longer_pause(int64_t pause_ms)
{
    return pause_ms > 0 ? smaller(2 * pause_ms, OPEN_PAUSE_MAX_MS) : OPEN_PAUSE_FIRST_MS;
}

/* Drops a connection that failed, and sets the pause before the next one. */
static void lose(struct amqp_route *route, const struct error *error)
{
    uint16_t code = route->connection->reader.close_code;
    route->connection->lost = true;
    free_connection(route);
    note_end(route, cause_of(code), error->text);
    int64_t max_ms = route->cause == CLOSE_MESSAGE ? MESSAGE_PAUSE_MAX_MS : OPEN_PAUSE_MAX_MS;
    route->open_at_ms = system_monotonic_ms() + smaller(route->pause_ms, max_ms);
    route->pause_ms = longer_pause(route->pause_ms);
}

/* --- opening -------------------------------------------------------------------------------- */

static enum transport_status connect_route(struct amqp_route *route, struct error *error)
{
    enum transport_status status =
        connection_open(&route->login, route->next_host++, &route->connection, error);
    if (status == TRANSPORT_OK)
        status = publisher_open(&route->publisher, route->connection, error);
    return status;
}

static void open_route(struct amqp_route *route)
{
    struct error error = {""};
    if (connect_route(route, &error) == TRANSPORT_OK)
        return;
    if (route->connection != NULL) {
        lose(route, &error);
        return;
    }
    note_end(route, CLOSE_OUTSIDE, error.text);
    route->pause_ms = longer_pause(route->pause_ms);
    route->open_at_ms = system_monotonic_ms() + route->pause_ms;
}

bool amqp_route_is_due(const struct amqp_route *route)
{
    return route->connection == NULL && !route->ended && system_monotonic_ms() >= route->open_at_ms;
}

bool amqp_route_ready(struct amqp_route *route, const struct login_options *login)
{
    if (amqp_route_is_due(route)) {
        route->login = *login;
        open_route(route);
    }
    return route->connection != NULL && !route->connection->lost && !route->blocked &&
           connection_is_writable(route->connection);
}

/* --- publishing ----------------------------------------------------------------------------- */

void amqp_route_publish(struct amqp_route *route, const struct outgoing *outgoing)
{
    struct error error = {""};
    if (route->connection == NULL) {
        if (!route->ended)
            note_end(route, CLOSE_OUTSIDE, "not connected to the broker");
        return;
    }
    if (connection_read_if_stale(route->connection, &error) == TRANSPORT_OK)
        (void)publisher_send(&route->publisher, route->connection, outgoing, &error);
}

void amqp_route_flush(struct amqp_route *route)
{
    if (route->connection != NULL)
        connection_uncork(route->connection);
}

/* --- events --------------------------------------------------------------------------------- */

static void report(const struct transport_handler *handler, const struct transport_event *event)
{
    handler->handle(handler->context, event);
}

/* A confirm shows that the broker serves this connection: the next pause is a short one again. */
static void report_resolved(struct amqp_route *route, const struct incoming *incoming,
                            const struct transport_handler *handler)
{
    bool confirmed = incoming->method == AMQP_BASIC_ACK_METHOD;
    struct transport_event event = {.kind = confirmed ? TRANSPORT_CONFIRMED : TRANSPORT_NACKED};
    if (confirmed)
        route->pause_ms = 0;
    while (publisher_resolve(&route->publisher, incoming, &event.sequence))
        report(handler, &event);
}

static void report_returned(struct amqp_route *route, const struct incoming *incoming,
                            const struct transport_handler *handler)
{
    route->lacks_target = true;
    struct transport_event event = {.kind = TRANSPORT_RETURNED,
                                    .sequence = outgoing_headers_sequence(incoming->raw_headers),
                                    .reason = incoming->reason};
    report(handler, &event);
}

static void report_blocked(struct amqp_route *route, const struct incoming *incoming, bool blocked,
                           const struct transport_handler *handler)
{
    struct transport_event event = {.kind = blocked ? TRANSPORT_BLOCKED : TRANSPORT_UNBLOCKED,
                                    .route = route->id,
                                    .reason = incoming->reason};
    route->blocked = blocked;
    report(handler, &event);
}

/* Opens the channel again. */
static void handle_channel_close(struct amqp_route *route, const struct incoming *incoming)
{
    struct error error = {""};
    connection_uncork(route->connection);
    enum transport_status status =
        connection_send_close_ok(route->connection, incoming->channel, &error);
    if (status == TRANSPORT_OK)
        status = publisher_open(&route->publisher, route->connection, &error);
    if (status != TRANSPORT_OK)
        lose(route, &error);
    note_end(route, cause_of(incoming->code), incoming->reason);
    route->lacks_target |= route->cause == CLOSE_MISSING;
}

static void dispatch(struct amqp_route *route, const struct incoming *incoming,
                     const struct transport_handler *handler)
{
    switch (incoming->method) {
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD: report_resolved(route, incoming, handler); break;
    case AMQP_BASIC_RETURN_METHOD: report_returned(route, incoming, handler); break;
    case AMQP_CONNECTION_BLOCKED_METHOD: report_blocked(route, incoming, true, handler); break;
    case AMQP_CONNECTION_UNBLOCKED_METHOD: report_blocked(route, incoming, false, handler); break;
    case AMQP_CHANNEL_CLOSE_METHOD: handle_channel_close(route, incoming); break;
    default: break; /* no other method matters here */
    }
}

/* Reports the end of the route. A route that was blocked is not blocked any more. */
static void report_end(struct amqp_route *route, const struct transport_handler *handler)
{
    struct transport_event event = {.kind = TRANSPORT_ROUTE_CLOSED,
                                    .route = route->id,
                                    .close_cause = route->cause,
                                    .reason = route->reason};
    char *reason = route->reason;
    route->ended = false;
    route->reason = NULL;
    report(handler, &event);
    free(reason);
}

/* Dispatches what has arrived, until the route ends: what came after the end of a channel belongs
   to the next one. */
static bool dispatch_arrived(struct amqp_route *route, const struct transport_handler *handler)
{
    struct incoming incoming;
    bool any = false;
    while (route->connection != NULL && !route->ended &&
           incoming_pop(&route->connection->reader.arrived, &incoming)) {
        dispatch(route, &incoming, handler);
        incoming_clear(&incoming);
        any = true;
    }
    return any;
}

bool amqp_route_dispatch(struct amqp_route *route, const struct transport_handler *handler)
{
    struct error error = {""};
    bool any = false;
    if (route->connection != NULL && !route->ended) {
        enum transport_status status = connection_read(route->connection, &error);
        any = dispatch_arrived(route, handler); /* also what came before the failure */
        if (status != TRANSPORT_OK && route->connection != NULL)
            lose(route, &error);
    }
    if (!route->ended)
        return any;
    report_end(route, handler);
    return true;
}
