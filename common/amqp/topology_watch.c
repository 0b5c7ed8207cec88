/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A check is a conversation on CHANNEL_TOPOLOGY. topology_watch_tick() sends its first
 * method; topology_watch_take() gets each answer and sends the next method:
 *
 *   OPENING -> for each object: LOOKING -- it exists --> COMPARING
 *                                       -- it is missing, and may be declared --> DECLARING
 *           -> for each binding, if declaring is allowed: BINDING -> CLOSING
 *
 * If the broker refuses a method, it closes the channel. Then the channel is opened again, and the
 * conversation goes on with `next`.
 *
 * Why not the RPC calls of librabbitmq, as in topology.c. The answer comes behind all deliveries
 * that the broker has sent before, and librabbitmq keeps those in its memory until the answer is
 * there: a whole prefetch of large bodies, past all flow control. And a broker that does not
 * answer, as for a queue without a leader, would stop deliveries and heartbeats for the time-out.
 *
 * What AMQP shows: that an object exists, and whether its type and arguments are as they should be
 * (not to a user who may not configure it). It does not show bindings. But to bind again what is
 * bound changes nothing, so each check binds, where declaring is allowed.
 *
 * Rejected: the management API, which shows bindings. It needs an HTTP client, a URI, a user and a
 * permission more, for a plugin that not every broker has.
 */
#include "common/amqp/topology_watch.h"

#include <stdio.h>
#include <string.h>

#include "common/amqp/connection.h"
#include "common/amqp/properties.h"

enum { PAUSE_MS_MIN = 1000 };

void topology_watch_init(struct topology_watch *watch, const struct topology *topology,
                         bool declare, int64_t interval_ms, struct amqp_observer observer)
{
    *watch = (struct topology_watch){.topology = topology,
                                     .declare = declare,
                                     .interval_ms =
                                         interval_ms > 0 ? interval_ms : TOPOLOGY_WATCH_INTERVAL_MS,
                                     .observer = observer};
}

/* --- what was found ------------------------------------------------------------------------- */

/* Adds an item to a list, which is cut where it is full. */
static void append(struct error *list, const char *item)
{
    size_t length = strlen(list->text);
    (void)snprintf(list->text + length, sizeof list->text - length, "%s%s", length > 0 ? "; " : "",
                   item);
}

static struct topology_object object_of(const struct topology_watch *watch)
{
    struct topology_object objects[TOPOLOGY_OBJECTS];
    if (watch->adopted)
        return watch->object;
    topology_list_objects(watch->topology, objects);
    return objects[watch->index];
}

static struct topology_binding binding_of(const struct topology_watch *watch)
{
    struct topology_binding bindings[TOPOLOGY_BINDINGS];
    topology_list_bindings(watch->topology, bindings);
    return bindings[watch->index];
}

static struct topology_phrase subject_of(const struct topology_watch *watch)
{
    if (watch->step == WATCH_BINDING) {
        struct topology_binding binding = binding_of(watch);
        return topology_describe_binding(&binding);
    }
    struct topology_object object = object_of(watch);
    return topology_describe("", &object);
}

static void add_problem(struct topology_watch *watch, const struct incoming *refusal)
{
    struct error problem;
    struct topology_phrase subject = subject_of(watch);
    error_set(&problem, "%s: %u %s", subject.text, (unsigned int)refusal->code,
              refusal->reason != NULL ? refusal->reason : "");
    append(&watch->problems, problem.text);
}

/* Tells the observer what has changed since the last check. */
static void report(struct topology_watch *watch)
{
    if (watch->declared.text[0] != '\0')
        amqp_notify(&watch->observer, AMQP_TOPOLOGY_DECLARED, watch->declared.text);
    watch->declared.text[0] = '\0'; /* told; a late method of this check must not tell it again */
    if (strcmp(watch->problems.text, watch->reported.text) == 0)
        return;
    watch->reported = watch->problems;
    if (watch->problems.text[0] != '\0')
        amqp_notify(&watch->observer, AMQP_TOPOLOGY_INCOMPLETE, watch->problems.text);
    else
        amqp_notify(&watch->observer, AMQP_TOPOLOGY_COMPLETE, "");
}

/* --- sending -------------------------------------------------------------------------------- */

static int send_exchange(amqp_connection_state_t state, const struct topology_object *object,
                         bool passive)
{
    amqp_exchange_declare_t method = {.exchange = bytes_of(object->name),
                                      .type = amqp_cstring_bytes(object->exchange_type),
                                      .passive = passive,
                                      .durable = 1};
    return amqp_send_method(state, CHANNEL_TOPOLOGY, AMQP_EXCHANGE_DECLARE_METHOD, &method);
}

static int send_queue(amqp_connection_state_t state, struct topology_object *object, bool passive)
{
    amqp_queue_declare_t method = {.queue = bytes_of(object->name),
                                   .passive = passive,
                                   .durable = 1,
                                   .arguments = {object->argument_count, object->arguments}};
    return amqp_send_method(state, CHANNEL_TOPOLOGY, AMQP_QUEUE_DECLARE_METHOD, &method);
}

static int send_object(const struct topology_watch *watch, amqp_connection_state_t state)
{
    struct topology_object object = object_of(watch);
    bool passive = watch->step == WATCH_LOOKING;
    return object.kind == TOPOLOGY_EXCHANGE ? send_exchange(state, &object, passive)
                                            : send_queue(state, &object, passive);
}

static int send_binding(const struct topology_watch *watch, amqp_connection_state_t state)
{
    struct topology_binding binding = binding_of(watch);
    amqp_queue_bind_t method = {.queue = bytes_of(binding.queue),
                                .exchange = bytes_of(binding.exchange),
                                .routing_key = bytes_of(binding.queue)};
    return amqp_send_method(state, CHANNEL_TOPOLOGY, AMQP_QUEUE_BIND_METHOD, &method);
}

static int send_step(const struct topology_watch *watch, amqp_connection_state_t state)
{
    amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
    amqp_channel_close_t close = {.reply_code = AMQP_REPLY_SUCCESS};
    switch (watch->step) {
    case WATCH_OPENING:
        return amqp_send_method(state, CHANNEL_TOPOLOGY, AMQP_CHANNEL_OPEN_METHOD, &open);
    case WATCH_LOOKING:
    case WATCH_COMPARING:
    case WATCH_DECLARING: return send_object(watch, state);
    case WATCH_BINDING: return send_binding(watch, state);
    case WATCH_CLOSING:
        return amqp_send_method(state, CHANNEL_TOPOLOGY, AMQP_CHANNEL_CLOSE_METHOD, &close);
    case WATCH_IDLE: break;
    }
    return AMQP_STATUS_OK;
}

static enum transport_status go_on(struct topology_watch *watch, struct connection *connection,
                                   enum topology_step step, struct error *error)
{
    watch->step = step;
    int result = send_step(watch, connection->state);
    return connection_check_send(connection, result, "cannot check the topology", error);
}

/* --- answers -------------------------------------------------------------------------------- */

static enum topology_step after_object(struct topology_watch *watch)
{
    watch->adopted = false;
    if (++watch->index < TOPOLOGY_OBJECTS)
        return WATCH_LOOKING;
    watch->index = 0;
    return watch->declare ? WATCH_BINDING : WATCH_CLOSING;
}

static enum topology_step after_binding(struct topology_watch *watch)
{
    return ++watch->index < TOPOLOGY_BINDINGS ? WATCH_BINDING : WATCH_CLOSING;
}

/* Each returns the step that follows the one that was answered. */
static enum topology_step accepted(struct topology_watch *watch)
{
    switch (watch->step) {
    case WATCH_OPENING: return watch->next;
    case WATCH_LOOKING: return WATCH_COMPARING;
    case WATCH_DECLARING: append(&watch->declared, subject_of(watch).text); break;
    case WATCH_COMPARING: break;
    case WATCH_BINDING: return after_binding(watch);
    case WATCH_CLOSING:
    case WATCH_IDLE: return WATCH_IDLE;
    }
    return after_object(watch);
}

/* Accepts a queue with another limit. The observer was told of such a queue when the connection was
   opened. */
static bool adopt_limit(struct topology_watch *watch, const struct incoming *refusal)
{
    struct topology_object object = object_of(watch);
    if (!topology_adopt_limit(&object, refusal->reason != NULL ? refusal->reason : ""))
        return false;
    watch->object = object;
    watch->adopted = true;
    return true;
}

static enum topology_step refused(struct topology_watch *watch, const struct incoming *refusal)
{
    switch (watch->step) {
    case WATCH_LOOKING:
        if (refusal->code == AMQP_NOT_FOUND && watch->declare)
            return WATCH_DECLARING;
        break;
    case WATCH_COMPARING:
        /* A user who may not configure the object is not told whether it differs. */
        if (refusal->code == AMQP_ACCESS_REFUSED)
            return after_object(watch);
        if (adopt_limit(watch, refusal))
            return WATCH_COMPARING;
        break;
    case WATCH_DECLARING: break;
    case WATCH_BINDING: add_problem(watch, refusal); return after_binding(watch);
    case WATCH_OPENING:
    case WATCH_CLOSING:
    case WATCH_IDLE: return WATCH_CLOSING;
    }
    add_problem(watch, refusal);
    return after_object(watch);
}

static void finish(struct topology_watch *watch)
{
    watch->step = WATCH_IDLE;
    report(watch);
}

static enum transport_status take_close(struct topology_watch *watch, struct connection *connection,
                                        const struct incoming *incoming, struct error *error)
{
    enum transport_status status = connection_send_close_ok(connection, CHANNEL_TOPOLOGY, error);
    if (status != TRANSPORT_OK)
        return status;
    watch->next = refused(watch, incoming);
    if (watch->next != WATCH_CLOSING)
        return go_on(watch, connection, WATCH_OPENING, error);
    finish(watch); /* the broker has closed the channel already */
    return TRANSPORT_OK;
}

enum transport_status topology_watch_take(struct topology_watch *watch,
                                          struct connection *connection,
                                          const struct incoming *incoming, struct error *error)
{
    if (incoming->method == AMQP_CHANNEL_CLOSE_METHOD)
        return take_close(watch, connection, incoming, error);
    enum topology_step next = accepted(watch);
    if (next != WATCH_IDLE)
        return go_on(watch, connection, next, error);
    finish(watch);
    return TRANSPORT_OK;
}

/* --- when ----------------------------------------------------------------------------------- */

void topology_watch_opened(struct topology_watch *watch, int64_t now_ms)
{
    watch->problems = watch->declared = (struct error){""};
    watch->started_ms = now_ms - PAUSE_MS_MIN;
    watch->due_ms = now_ms + watch->interval_ms;
    finish(watch);
}

void topology_watch_soon(struct topology_watch *watch, int64_t now_ms)
{
    int64_t earliest_ms = watch->started_ms + PAUSE_MS_MIN;
    int64_t begin_ms = now_ms > earliest_ms ? now_ms : earliest_ms;
    if (begin_ms < watch->due_ms)
        watch->due_ms = begin_ms;
}

enum transport_status topology_watch_tick(struct topology_watch *watch,
                                          struct connection *connection, int64_t now_ms,
                                          struct error *error)
{
    if (watch->step != WATCH_IDLE || now_ms < watch->due_ms)
        return TRANSPORT_OK;
    watch->problems = watch->declared = (struct error){""};
    watch->index = 0;
    watch->adopted = false;
    watch->next = WATCH_LOOKING;
    watch->started_ms = now_ms;
    watch->due_ms = now_ms + watch->interval_ms;
    return go_on(watch, connection, WATCH_OPENING, error);
}
