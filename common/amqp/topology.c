/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/topology.h"

#include <stdio.h>

#include "common/amqp/connection.h"
#include "common/amqp/properties.h"
#include "common/amqp/status.h"

enum {
    DELIVERY_LIMIT = 1000000, /* every return counts for the broker, also those of an outage */
    STREAM_FLAG_REQUIRED_FROM = 12, /* RabbitMQ 3.12 does not start without it */
    ARGUMENTS_MAX = 5,
    OBJECTS = 4,
    WHAT_BYTES = 320,
    ALONE_HEARTBEAT_MS = 30000
};

enum object_kind { OBJECT_EXCHANGE, OBJECT_QUEUE };

struct object {
    enum object_kind kind;
    struct text name;
    const char *exchange_type;
    amqp_table_entry_t arguments[ARGUMENTS_MAX];
    int argument_count;
};

struct what {
    char text[WHAT_BYTES];
};

static struct what what_of(const char *verb, const struct object *object)
{
    struct what what;
    (void)snprintf(what.text, sizeof what.text, "%s%s %.*s", verb,
                   object->kind == OBJECT_EXCHANGE ? "exchange" : "queue", TEXT_ARGS(object->name));
    return what;
}

/* --- what there shall be -------------------------------------------------------------------- */

static void add_text(struct object *object, const char *name, struct text value)
{
    amqp_table_entry_t *entry = &object->arguments[object->argument_count++];
    entry->key = amqp_cstring_bytes(name);
    entry->value.kind = AMQP_FIELD_KIND_UTF8;
    entry->value.value.bytes = bytes_of(value);
}

static void add_number(struct object *object, const char *name, int32_t value)
{
    amqp_table_entry_t *entry = &object->arguments[object->argument_count++];
    entry->key = amqp_cstring_bytes(name);
    entry->value.kind = AMQP_FIELD_KIND_I32;
    entry->value.value.i32 = value;
}

static struct object exchange(struct text name, const char *type)
{
    return (struct object){.kind = OBJECT_EXCHANGE, .name = name, .exchange_type = type};
}

static struct object quorum_queue(struct text name)
{
    struct object queue = {.kind = OBJECT_QUEUE, .name = name};
    add_text(&queue, "x-queue-type", text_of("quorum"));
    return queue;
}

static void list_objects(const struct topology *topology, struct object objects[OBJECTS])
{
    struct object commands = quorum_queue(topology->queue);
    add_number(&commands, "x-delivery-limit", DELIVERY_LIMIT);
    add_text(&commands, "x-dead-letter-exchange", topology->dead_letter_exchange);
    add_text(&commands, "x-dead-letter-strategy", text_of("at-least-once"));
    add_text(&commands, "x-overflow", text_of("reject-publish"));
    objects[0] = exchange(topology->exchange, "direct");
    objects[1] = exchange(topology->dead_letter_exchange, "fanout");
    objects[2] = commands;
    objects[3] = quorum_queue(topology->dead_letter_queue);
}

/* --- one object ----------------------------------------------------------------------------- */

/*
 * Of the last RPC. A channel that the broker closed for it is opened again; `ret_code` is then the
 * broker's word for why, else 0.
 */
static enum transport_status judge(struct connection *connection, const char *what, int *ret_code,
                                   struct error *error)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection->state);
    *ret_code =
        reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION ? closing_of(&reply.reply).code : 0;
    enum transport_status status = connection_check(connection, CHANNEL_TOPOLOGY, what, error);
    if (status == TRANSPORT_OK || connection->lost)
        return status;
    struct error reopening;
    if (connection_open_channel(connection, CHANNEL_TOPOLOGY, false, &reopening) == TRANSPORT_OK)
        return status;
    if (error != NULL)
        *error = reopening;
    return TRANSPORT_LOST;
}

/* `passive`: only looks whether it is there. */
static enum transport_status declare(struct connection *connection, struct object *object,
                                     bool passive, int *ret_code, struct error *error)
{
    struct what what = what_of(passive ? "" : "declaring ", object);
    amqp_table_t arguments = {object->argument_count, object->arguments};
    if (object->kind == OBJECT_EXCHANGE)
        (void)amqp_exchange_declare(connection->state, CHANNEL_TOPOLOGY, bytes_of(object->name),
                                    amqp_cstring_bytes(object->exchange_type), passive, 1, 0, 0,
                                    arguments);
    else
        (void)amqp_queue_declare(connection->state, CHANNEL_TOPOLOGY, bytes_of(object->name),
                                 passive, 1, 0, 0, arguments);
    return judge(connection, what.text, ret_code, error);
}

static enum transport_status bind(struct connection *connection, struct text queue,
                                  struct text exchange_name, struct error *error)
{
    struct what what;
    (void)snprintf(what.text, sizeof what.text, "binding queue %.*s to exchange %.*s",
                   TEXT_ARGS(queue), TEXT_ARGS(exchange_name));
    (void)amqp_queue_bind(connection->state, CHANNEL_TOPOLOGY, bytes_of(queue),
                          bytes_of(exchange_name), bytes_of(queue), amqp_empty_table);
    int code = 0;
    return judge(connection, what.text, &code, error);
}

/* --- all of them ---------------------------------------------------------------------------- */

static enum transport_status declare_all(struct connection *connection,
                                         const struct topology *topology, struct error *error)
{
    struct object objects[OBJECTS];
    list_objects(topology, objects);
    for (size_t i = 0; i < OBJECTS; i++) {
        int code = 0;
        enum transport_status status = declare(connection, &objects[i], false, &code, error);
        if (status != TRANSPORT_OK)
            return status;
    }
    enum transport_status status = bind(connection, topology->queue, topology->exchange, error);
    if (status != TRANSPORT_OK)
        return status;
    return bind(connection, topology->dead_letter_queue, topology->dead_letter_exchange, error);
}

/* Empty where the object is as it shall be. */
static enum transport_status compare(struct connection *connection, struct object *object,
                                     struct arena *arena, struct text *ret_difference,
                                     struct error *error)
{
    int code = 0;
    *ret_difference = text_of("");
    enum transport_status status = declare(connection, object, true, &code, error);
    if (status == TRANSPORT_REFUSED) {
        *ret_difference = text_format(arena, "%s", error->text);
        return TRANSPORT_OK;
    }
    if (status != TRANSPORT_OK)
        return status;
    /* Only a declaration compares arguments; of what is there already it changes nothing. */
    status = declare(connection, object, false, &code, error);
    if (status != TRANSPORT_REFUSED)
        return status;
    if (code != AMQP_ACCESS_REFUSED)
        *ret_difference = text_format(arena, "%s", error->text);
    return TRANSPORT_OK;
}

static enum transport_status compare_all(struct connection *connection,
                                         const struct topology *topology, struct arena *arena,
                                         struct text *ret_differences, struct error *error)
{
    struct object objects[OBJECTS];
    struct text differences = text_of("");
    list_objects(topology, objects);
    for (size_t i = 0; i < OBJECTS; i++) {
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
        error_set(error, "%.*s", (int)differences.length - 1, differences.bytes);
        status = TRANSPORT_REFUSED;
    }
    arena_free(arena);
    return status;
}

static enum transport_status close_channel(struct connection *connection, struct error *error)
{
    amqp_rpc_reply_t reply =
        amqp_channel_close(connection->state, CHANNEL_TOPOLOGY, AMQP_REPLY_SUCCESS);
    enum transport_status status = status_of_reply(reply, "closing a channel", error);
    connection->lost = status != TRANSPORT_OK;
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
    return status == TRANSPORT_OK ? close_channel(connection, error) : status;
}

/*
 * A stream that is not durable is refused in any case, so nothing is ever made: as a wrong argument
 * where the flag is on, as a disabled kind of queue where it is off.
 */
enum transport_status topology_probe(struct connection *connection, const struct topology *topology,
                                     struct error *error)
{
    if (connection->version_minor >= STREAM_FLAG_REQUIRED_FROM)
        return TRANSPORT_OK;
    enum transport_status status =
        connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error);
    if (status != TRANSPORT_OK)
        return status;
    struct what name;
    (void)snprintf(name.text, sizeof name.text, "%.*s.probe", TEXT_ARGS(topology->queue));
    struct object stream = {.kind = OBJECT_QUEUE, .name = text_of(name.text)};
    add_text(&stream, "x-queue-type", text_of("stream"));
    amqp_table_t arguments = {stream.argument_count, stream.arguments};
    (void)amqp_queue_declare(connection->state, CHANNEL_TOPOLOGY, bytes_of(stream.name), 0, 0, 0, 0,
                             arguments);
    int code = 0;
    struct error refusal; /* there is one in any case */
    status = judge(connection, "probing the feature flag stream_queue", &code, &refusal);
    if (status == TRANSPORT_REFUSED && code != AMQP_INTERNAL_ERROR)
        return close_channel(connection, error);
    error_set(error, "%s", refusal.text);
    if (code != AMQP_INTERNAL_ERROR)
        return status;
    error_prefix(error, "the broker's feature flag stream_queue is off, and without it "
                        "dead-lettering is at most once; enable it with rabbitmqctl "
                        "enable_feature_flag stream_queue");
    return TRANSPORT_REFUSED;
}

/* --- on a connection of its own ------------------------------------------------------------- */

static enum transport_status connect_alone(struct text uri, const struct amqp_tls *tls,
                                           struct arena *arena, struct connection **ret_connection,
                                           struct error *error)
{
    struct login_options options;
    if (!login_options_read(uri, tls, arena, &options, error))
        return TRANSPORT_REFUSED;
    options.name = text_of("allot topology");
    options.heartbeat_ms = ALONE_HEARTBEAT_MS;
    return connection_open(&options, 0, ret_connection, error);
}

enum transport_status topology_declare(struct text uri, const struct amqp_tls *tls,
                                       const struct topology *topology, struct error *error)
{
    struct arena *arena = arena_new(0);
    struct connection *connection = NULL;
    enum transport_status status = connect_alone(uri, tls, arena, &connection, error);
    if (status == TRANSPORT_OK)
        status = topology_declare_or_check(connection, topology, true, error);
    if (status == TRANSPORT_OK)
        status = topology_probe(connection, topology, error);
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
    struct error ignored;
    struct error *heard = error != NULL ? error : &ignored;
    enum transport_status status = connect_alone(uri, tls, own, &connection, heard);
    if (status == TRANSPORT_OK)
        status = connection_open_channel(connection, CHANNEL_TOPOLOGY, false, heard);
    if (status == TRANSPORT_OK)
        status = compare_all(connection, topology, arena, ret_differences, heard);
    connection_free(connection);
    arena_free(own);
    return status;
}
