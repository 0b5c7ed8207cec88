/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. topology_objects.c has the table of docs/protocol.md, section 1.
 *   declare_all   declares each object, then the two bindings
 *   compare_all   collects one line for each object that is missing or different; check_all makes
 *                 an error of them
 *   topology_check_feature_flag   probes a flag on which at-least-once dead-lettering depends
 * Each begins with an RPC on CHANNEL_TOPOLOGY. The broker closes the channel over an error, so
 * check_rpc() opens it again, and the next object can be looked at.
 *
 * Guarantees. All comparing is the broker's: declaring an object that exists changes nothing, and
 * fails (406) if an argument differs. A check first looks with `passive`, so that it never creates
 * what is missing.
 *
 * Not here: the check of a running worker, which must not wait for the broker (topology_watch.c);
 * bindings cannot be checked and policies cannot be read over AMQP; both would need the
 * management API. Nothing is deleted, and nothing is redeclared with other arguments.
 */
#include "common/amqp/topology.h"

#include <stdio.h>

#include "common/amqp/connection.h"
#include "common/amqp/properties.h"
#include "common/amqp/status.h"
#include "common/amqp/topology_objects.h"

enum {
    STREAM_FLAG_REQUIRED_FROM = 12, /* RabbitMQ 3.12 does not start without stream_queue */
    HEARTBEAT_MS = 30000
};

/* --- one object ----------------------------------------------------------------------------- */

/*
 * Checks the result of the last RPC. If the broker closed the channel, opens it again, and sets
 * `ret_code` to the broker's reply code; otherwise sets it to 0.
 */
static enum transport_status check_rpc(struct connection *connection, const char *what,
                                       int *ret_code, struct error *error)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection->state);
    *ret_code =
        reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION ? closing_of(&reply.reply).code : 0;
    enum transport_status status = connection_check_rpc(connection, CHANNEL_TOPOLOGY, what, error);
    if (status == TRANSPORT_OK || connection->lost)
        return status;
    struct error reopen_error;
    if (connection_open_channel(connection, CHANNEL_TOPOLOGY, false, &reopen_error) == TRANSPORT_OK)
        return status;
    if (error != NULL)
        *error = reopen_error;
    return TRANSPORT_LOST;
}

/* Declares an object. If `passive`, creates nothing, and fails if the object is missing. */
static enum transport_status declare(struct connection *connection, struct topology_object *object,
                                     bool passive, const char *what, int *ret_code,
                                     struct error *error)
{
    amqp_table_t arguments = {object->argument_count, object->arguments};
    if (object->kind == OBJECT_EXCHANGE)
        (void)amqp_exchange_declare(connection->state, CHANNEL_TOPOLOGY, bytes_of(object->name),
                                    amqp_cstring_bytes(object->exchange_type), passive, 1, 0, 0,
                                    arguments);
    else
        (void)amqp_queue_declare(connection->state, CHANNEL_TOPOLOGY, bytes_of(object->name),
                                 passive, 1, 0, 0, arguments);
    return check_rpc(connection, what, ret_code, error);
}

static enum transport_status bind(struct connection *connection,
                                  const struct topology_binding *binding, struct error *error)
{
    struct topology_phrase what = topology_describe_binding(binding);
    (void)amqp_queue_bind(connection->state, CHANNEL_TOPOLOGY, bytes_of(binding->queue),
                          bytes_of(binding->exchange), bytes_of(binding->queue), amqp_empty_table);
    int code = 0;
    return check_rpc(connection, what.text, &code, error);
}

/* --- all objects ---------------------------------------------------------------------------- */

static enum transport_status declare_all(struct connection *connection,
                                         const struct topology *topology, struct error *error)
{
    struct topology_object objects[TOPOLOGY_OBJECTS];
    topology_list_objects(topology, objects);
    for (size_t i = 0; i < TOPOLOGY_OBJECTS; i++) {
        int code = 0;
        struct topology_phrase what = topology_describe("cannot declare ", &objects[i]);
        enum transport_status status =
            declare(connection, &objects[i], false, what.text, &code, error);
        if (status != TRANSPORT_OK)
            return status;
    }
    struct topology_binding bindings[TOPOLOGY_BINDINGS];
    topology_list_bindings(topology, bindings);
    enum transport_status status = TRANSPORT_OK;
    for (size_t i = 0; i < TOPOLOGY_BINDINGS && status == TRANSPORT_OK; i++)
        status = bind(connection, &bindings[i], error);
    return status;
}

/* Sets `ret_difference` to how the broker's object differs from `object`; to an empty text if it
   does not differ. */
static enum transport_status compare(struct connection *connection, struct topology_object *object,
                                     struct arena *arena, struct text *ret_difference,
                                     struct error *error)
{
    struct topology_phrase what = topology_describe("", object);
    struct error cause;
    int code = 0;
    *ret_difference = text_of("");
    enum transport_status status = declare(connection, object, true, what.text, &code, &cause);
    bool exists = status == TRANSPORT_OK;
    /* Only a full declaration compares arguments. A user without the permission to configure the
       object gets 403, which says nothing about the arguments. */
    if (exists)
        status = declare(connection, object, false, what.text, &code, &cause);
    if (status == TRANSPORT_LOST)
        error_set(error, "%s", cause.text);
    if (status != TRANSPORT_REFUSED)
        return status;
    if (!exists || code != AMQP_ACCESS_REFUSED)
        *ret_difference = text_format(arena, "%s", cause.text);
    return TRANSPORT_OK;
}

static enum transport_status compare_all(struct connection *connection,
                                         const struct topology *topology, struct arena *arena,
                                         struct text *ret_differences, struct error *error)
{
    struct topology_object objects[TOPOLOGY_OBJECTS];
    struct text differences = text_of("");
    topology_list_objects(topology, objects);
    for (size_t i = 0; i < TOPOLOGY_OBJECTS; i++) {
        struct text difference;
        enum transport_status status = compare(connection, &objects[i], arena, &difference, error);
        if (status != TRANSPORT_OK)
            return status;
        if (difference.length > 0)
            differences =
                text_format(arena, "%.*s%.*s\n", TEXT_ARGS(differences), TEXT_ARGS(difference));
    }
    *ret_differences = differences;
    return TRANSPORT_OK;
}

static enum transport_status check_all(struct connection *connection,
                                       const struct topology *topology, struct error *error)
{
    struct arena *arena = arena_new(0);
    struct text differences;
    enum transport_status status = compare_all(connection, topology, arena, &differences, error);
    if (status == TRANSPORT_OK && differences.length > 0) {
        error_set(error, "%.*s", (int)differences.length - 1, differences.bytes); /* no last \n */
        status = TRANSPORT_REFUSED;
    }
    arena_free(arena);
    return status;
}

enum transport_status topology_declare_or_check(struct connection *connection,
                                                const struct topology *topology,
                                                bool declare_missing, struct error *error)
{
    enum transport_status status =
        connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error);
    if (status != TRANSPORT_OK)
        return status;
    status = declare_missing ? declare_all(connection, topology, error)
                             : check_all(connection, topology, error);
    return status == TRANSPORT_OK ? connection_close_channel(connection, CHANNEL_TOPOLOGY, error)
                                  : status;
}

/*
 * AMQP cannot read feature flags. So this declares a stream that is not durable, which the broker
 * rejects in any case, and nothing is created. With the flag it rejects the argument, without the
 * flag it fails with 541 (INTERNAL_ERROR), because the queue type is disabled.
 */
enum transport_status topology_check_feature_flag(struct connection *connection,
                                                  const struct topology *topology,
                                                  struct error *error)
{
    if (connection->version_minor >= STREAM_FLAG_REQUIRED_FROM)
        return TRANSPORT_OK;
    enum transport_status status =
        connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error);
    if (status != TRANSPORT_OK)
        return status;
    struct topology_phrase name;
    (void)snprintf(name.text, sizeof name.text, "%.*s.probe", TEXT_ARGS(topology->queue));
    struct topology_object stream = {.kind = OBJECT_QUEUE, .name = text_of(name.text)};
    topology_add_text(&stream, "x-queue-type", text_of("stream"));
    amqp_table_t arguments = {stream.argument_count, stream.arguments};
    (void)amqp_queue_declare(connection->state, CHANNEL_TOPOLOGY, bytes_of(stream.name), 0, 0, 0, 0,
                             arguments);
    int code = 0;
    struct error cause;
    status = check_rpc(connection, "probe of the feature flag stream_queue", &code, &cause);
    if (code == AMQP_INTERNAL_ERROR) {
        error_set(error, "the broker's feature flag stream_queue is disabled, so dead-lettering "
                         "would be at most once; enable it with: rabbitmqctl enable_feature_flag "
                         "stream_queue");
        return TRANSPORT_REFUSED;
    }
    if (status == TRANSPORT_REFUSED)
        return connection_close_channel(connection, CHANNEL_TOPOLOGY, error);
    error_set(error, "%s", cause.text);
    return status;
}

/* --- with a connection of its own ----------------------------------------------------------- */

static enum transport_status open_connection(struct text uri, const struct amqp_tls *tls,
                                             struct arena *arena,
                                             struct connection **ret_connection,
                                             struct error *error)
{
    struct login_options options;
    if (!login_options_read(uri, tls, arena, &options, error))
        return TRANSPORT_REFUSED;
    options.name = text_of("allot topology");
    options.heartbeat_ms = HEARTBEAT_MS;
    return connection_open(&options, 0, ret_connection, error);
}

enum transport_status topology_declare(struct text uri, const struct amqp_tls *tls,
                                       const struct topology *topology, struct error *error)
{
    struct arena *arena = arena_new(0);
    struct connection *connection = NULL;
    enum transport_status status = open_connection(uri, tls, arena, &connection, error);
    if (status == TRANSPORT_OK)
        status = topology_declare_or_check(connection, topology, true, error);
    if (status == TRANSPORT_OK)
        status = topology_check_feature_flag(connection, topology, error);
    connection_free(connection);
    arena_free(arena);
    return status;
}

enum transport_status topology_check(struct text uri, const struct amqp_tls *tls,
                                     const struct topology *topology, struct arena *arena,
                                     struct text *ret_differences, struct error *error)
{
    struct arena *own = arena_new(0);
    struct connection *connection = NULL;
    enum transport_status status = open_connection(uri, tls, own, &connection, error);
    if (status == TRANSPORT_OK)
        status = connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error);
    if (status == TRANSPORT_OK)
        status = compare_all(connection, topology, arena, ret_differences, error);
    connection_free(connection);
    arena_free(own);
    return status;
}
