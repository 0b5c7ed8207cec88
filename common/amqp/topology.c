/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. topology_objects.c has the table of docs/protocol.md, section 1.
 *   declare_all   declares each object, then the bindings
 *   compare_all   says for each object whether it is missing or different; check_all makes an error
 *                 of these results
 * The worker can do without the desk queue, and with a dead-letter queue that has another limit of
 * deliveries. So these are findings, and no errors.
 *   topology_check_feature_flag   probes a flag on which at-least-once dead-lettering depends
 * Each begins with an RPC on CHANNEL_TOPOLOGY. The broker closes the channel over an error, so
 * check_rpc() opens it again, and the next object can be looked at.
 *
 * Guarantees. All comparing is the broker's: declaring an object that exists changes nothing, and
 * fails (406) if an argument differs. A check first looks with `passive`, so that it never creates
 * what is missing.
 *
 * Not here: the check of a running worker, which must not wait for the broker (topology_watch.c);
 * bindings and policies, which AMQP does not show (ctl/broker_checks.c). Nothing is deleted, and
 * nothing is redeclared with other arguments.
 */
#include "common/amqp/topology.h"

#include <stdio.h>

#include "allot/limits.h"
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
    if (object->kind == TOPOLOGY_EXCHANGE)
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

/* --- differences that do no harm ------------------------------------------------------------- */

static void warn_of_limit(const struct topology_object *object, struct error *warning)
{
    error_set(warning,
              "queue %.*s has another x-delivery-limit than a new one, and keeps it. RabbitMQ 4 "
              "drops a message after 20 deliveries from a queue without a limit: so set a policy "
              "with delivery-limit 1000000 for it, or delete it when it is empty, and it is "
              "declared again",
              TEXT_ARGS(object->name));
}

/* Declares an object, or accepts a queue with another limit; then there is a warning. */
static enum transport_status declare_or_adopt(struct connection *connection,
                                              struct topology_object *object, const char *what,
                                              int *ret_code, struct error *warning,
                                              struct error *error)
{
    struct error refusal = {""};
    enum transport_status status = declare(connection, object, false, what, ret_code, &refusal);
    if (status == TRANSPORT_REFUSED && topology_adopt_limit(object, refusal.text)) {
        status = declare(connection, object, false, what, ret_code, error);
        if (status == TRANSPORT_OK)
            warn_of_limit(object, warning);
        return status;
    }
    if (status != TRANSPORT_OK)
        error_set(error, "%s", refusal.text);
    return status;
}

static enum transport_status declare_optional(struct connection *connection,
                                              struct topology_object *object, const char *what,
                                              struct error *lacking, struct error *error)
{
    int code = 0;
    struct error refusal = {""};
    enum transport_status status = declare(connection, object, false, what, &code, &refusal);
    /* A user without the permission may use a queue that somebody else has declared. */
    if (status == TRANSPORT_REFUSED && code == AMQP_ACCESS_REFUSED)
        status = declare(connection, object, true, what, &code, &refusal);
    if (status == TRANSPORT_REFUSED)
        *lacking = refusal;
    if (status == TRANSPORT_LOST)
        error_set(error, "%s", refusal.text);
    return status == TRANSPORT_REFUSED ? TRANSPORT_OK : status;
}

/* --- all objects ---------------------------------------------------------------------------- */

static enum transport_status declare_objects(struct connection *connection,
                                             const struct topology *topology,
                                             struct topology_findings *findings,
                                             struct error *error)
{
    struct topology_object objects[TOPOLOGY_OBJECTS];
    enum transport_status status = TRANSPORT_OK;
    topology_list_objects(topology, objects);
    for (size_t i = 0; i < TOPOLOGY_OBJECTS && status == TRANSPORT_OK; i++) {
        int code = 0;
        struct topology_phrase what = topology_describe("cannot declare ", &objects[i]);
        status = objects[i].optional ? declare_optional(connection, &objects[i], what.text,
                                                        &findings->lacking, error)
                                     : declare_or_adopt(connection, &objects[i], what.text, &code,
                                                        &findings->warning, error);
    }
    return status;
}

static enum transport_status bind_all(struct connection *connection,
                                      const struct topology *topology,
                                      struct topology_findings *findings, struct error *error)
{
    struct topology_binding bindings[TOPOLOGY_BINDINGS];
    enum transport_status status = TRANSPORT_OK;
    topology_list_bindings(topology, bindings);
    for (size_t i = 0; i < TOPOLOGY_BINDINGS && status == TRANSPORT_OK; i++) {
        struct error refusal = {""};
        bool lacking = findings->lacking.text[0] != '\0';
        if (bindings[i].optional && lacking)
            continue;
        status = bind(connection, &bindings[i], &refusal);
        if (status != TRANSPORT_OK)
            error_set(error, "%s", refusal.text);
        if (status == TRANSPORT_REFUSED && bindings[i].optional) {
            findings->lacking = refusal;
            status = TRANSPORT_OK;
        }
    }
    return status;
}

static enum transport_status declare_all(struct connection *connection,
                                         const struct topology *topology,
                                         struct topology_findings *findings, struct error *error)
{
    enum transport_status status = declare_objects(connection, topology, findings, error);
    return status == TRANSPORT_OK ? bind_all(connection, topology, findings, error) : status;
}

/* Fills `state` and `reason` of a result. */
static enum transport_status compare(struct connection *connection, struct topology_object *object,
                                     struct arena *arena, struct topology_result *result,
                                     struct error *error)
{
    struct error cause = {""}, warning = {""};
    int code = 0;
    const char *what = result->subject.bytes;
    enum transport_status status = declare(connection, object, true, what, &code, &cause);
    bool exists = status == TRANSPORT_OK;
    /* Only a full declaration compares arguments. */
    if (exists)
        status = declare_or_adopt(connection, object, what, &code, &warning, &cause);
    if (status == TRANSPORT_LOST)
        error_set(error, "%s", cause.text);
    if (status == TRANSPORT_REFUSED && !exists)
        result->state = code == AMQP_NOT_FOUND ? TOPOLOGY_MISSING : TOPOLOGY_DIFFERENT;
    else if (status == TRANSPORT_REFUSED)
        result->state = code == AMQP_ACCESS_REFUSED ? TOPOLOGY_UNSEEN : TOPOLOGY_DIFFERENT;
    else if (warning.text[0] != '\0')
        result->state = TOPOLOGY_TOLERATED;
    result->reason = text_format(arena, "%s", cause.text);
    if (result->state == TOPOLOGY_TOLERATED)
        result->reason = text_format(arena, "%s", warning.text);
    if (result->state == TOPOLOGY_UNSEEN)
        result->reason = text_of("it exists, but this user may not compare its arguments");
    return status == TRANSPORT_REFUSED ? TRANSPORT_OK : status;
}

static enum transport_status compare_all(struct connection *connection,
                                         const struct topology *topology, struct arena *arena,
                                         struct topology_report *report, struct error *error)
{
    struct topology_object objects[TOPOLOGY_OBJECTS];
    enum transport_status status = TRANSPORT_OK;
    topology_list_objects(topology, objects);
    for (size_t i = 0; i < TOPOLOGY_OBJECTS && status == TRANSPORT_OK; i++) {
        struct topology_phrase what = topology_describe("", &objects[i]);
        struct topology_result *result = &report->results[report->count++];
        *result = (struct topology_result){.kind = objects[i].kind,
                                           .name = text_copy(arena, objects[i].name),
                                           .subject = text_format(arena, "%s", what.text),
                                           .optional = objects[i].optional,
                                           .reason = text_of("")};
        status = compare(connection, &objects[i], arena, result, error);
    }
    return status;
}

/* --- the worker's check --------------------------------------------------------------------- */

/* One line for each object that is missing or different. */
struct differences {
    struct text required;
    struct text optional;
};

static struct differences differences_of(const struct topology_report *report, struct arena *arena)
{
    struct differences found = {text_of(""), text_of("")};
    for (size_t i = 0; i < report->count; i++) {
        const struct topology_result *result = &report->results[i];
        struct text *lines = result->optional ? &found.optional : &found.required;
        if (result->state == TOPOLOGY_MISSING || result->state == TOPOLOGY_DIFFERENT)
            *lines = text_format(arena, "%.*s%.*s\n", TEXT_ARGS(*lines), TEXT_ARGS(result->reason));
    }
    return found;
}

/* Copies lines, without the end of the last. */
static void set_lines(struct error *error, struct text lines)
{
    error_set(error, "%.*s", lines.length > 0 ? (int)lines.length - 1 : 0, lines.bytes);
}

/* Copies the warning about a difference that is tolerated, if there is one. */
static void set_warning(struct error *warning, const struct topology_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->results[i].state == TOPOLOGY_TOLERATED)
            error_set(warning, "%.*s", TEXT_ARGS(report->results[i].reason));
    }
}

static enum transport_status check_all(struct connection *connection,
                                       const struct topology *topology,
                                       struct topology_findings *findings, struct error *error)
{
    struct arena *arena = arena_new(0);
    struct topology_report report = {0};
    enum transport_status status = compare_all(connection, topology, arena, &report, error);
    if (status == TRANSPORT_OK) {
        struct differences differences = differences_of(&report, arena);
        set_warning(&findings->warning, &report);
        set_lines(&findings->lacking, differences.optional);
        set_lines(error, differences.required);
        if (differences.required.length > 0)
            status = TRANSPORT_REFUSED;
    }
    arena_free(arena);
    return status;
}

enum transport_status topology_declare_or_check(struct connection *connection,
                                                const struct topology *topology,
                                                bool declare_missing,
                                                struct topology_findings *ret_findings,
                                                struct error *error)
{
    *ret_findings = (struct topology_findings){{""}, {""}};
    enum transport_status status =
        connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error);
    if (status != TRANSPORT_OK)
        return status;
    status = declare_missing ? declare_all(connection, topology, ret_findings, error)
                             : check_all(connection, topology, ret_findings, error);
    return status == TRANSPORT_OK ? connection_close_channel(connection, CHANNEL_TOPOLOGY, error)
                                  : status;
}

/*
 * AMQP cannot read feature flags. So this declares a stream that is not durable, which the broker
 * rejects in any case, and nothing is created. With the flag it rejects the argument, without the
 * flag it fails with 541 (INTERNAL_ERROR), because the queue type is disabled.
 */
enum transport_status topology_check_feature_flag(struct connection *connection,
                                                  const struct topology *topology, bool *ret_seen,
                                                  struct error *error)
{
    *ret_seen = true;
    if (broker_version_from(connection->version, 3, STREAM_FLAG_REQUIRED_FROM))
        return TRANSPORT_OK;
    enum transport_status status =
        connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error);
    if (status != TRANSPORT_OK)
        return status;
    struct topology_phrase name;
    (void)snprintf(name.text, sizeof name.text, "%.*s.probe", TEXT_ARGS(topology->queue));
    struct topology_object stream = {.kind = TOPOLOGY_QUEUE, .name = text_of(name.text)};
    topology_add_text(&stream, "x-queue-type", text_of("stream"));
    amqp_table_t arguments = {stream.argument_count, stream.arguments};
    (void)amqp_queue_declare(connection->state, CHANNEL_TOPOLOGY, bytes_of(stream.name), 0, 0, 0, 0,
                             arguments);
    int code = 0;
    struct error cause;
    status = check_rpc(connection, "probe of the feature flag stream_queue", &code, &cause);
    *ret_seen = code != AMQP_ACCESS_REFUSED;
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

struct text topology_desk_queue(struct arena *arena, struct text dead_letter_queue)
{
    return text_format(arena, "%.*s" DESK_QUEUE_SUFFIX, TEXT_ARGS(dead_letter_queue));
}

enum transport_status topology_declare(struct text uri, const struct amqp_tls *tls,
                                       const struct topology *topology, struct error *ret_warning,
                                       struct error *error)
{
    struct arena *arena = arena_new(0);
    struct connection *connection = NULL;
    struct topology_findings findings = {{""}, {""}};
    enum transport_status status = open_connection(uri, tls, arena, &connection, error);
    if (status == TRANSPORT_OK)
        status = topology_declare_or_check(connection, topology, true, &findings, error);
    if (status == TRANSPORT_OK && findings.lacking.text[0] != '\0') {
        error_set(error, "%s", findings.lacking.text);
        status = TRANSPORT_REFUSED;
    }
    bool seen = false;
    if (status == TRANSPORT_OK)
        status = topology_check_feature_flag(connection, topology, &seen, error);
    *ret_warning = findings.warning;
    connection_free(connection);
    arena_free(arena);
    return status;
}

static enum transport_status compare_flag(struct connection *connection,
                                          const struct topology *topology, struct arena *arena,
                                          struct topology_report *report, struct error *error)
{
    struct error cause = {""};
    bool seen = false;
    struct topology_result *result = &report->results[report->count++];
    enum transport_status status = topology_check_feature_flag(connection, topology, &seen, &cause);
    *result = (struct topology_result){.kind = TOPOLOGY_FLAG,
                                       .name = text_of("stream_queue"),
                                       .subject = text_of("feature flag stream_queue"),
                                       .reason = text_format(arena, "%s", cause.text)};
    if (status == TRANSPORT_OK && !seen) {
        result->state = TOPOLOGY_UNSEEN;
        result->reason = text_of("the probe needs the permission to configure queues");
    }
    if (status == TRANSPORT_REFUSED)
        result->state = TOPOLOGY_DIFFERENT;
    if (status == TRANSPORT_LOST)
        error_set(error, "%s", cause.text);
    return status == TRANSPORT_LOST ? status : TRANSPORT_OK;
}

enum transport_status topology_check(struct text uri, const struct amqp_tls *tls,
                                     const struct topology *topology, struct arena *arena,
                                     struct topology_report *ret_report, struct error *error)
{
    struct arena *own = arena_new(0);
    struct connection *connection = NULL;
    *ret_report = (struct topology_report){.broker_version = TEXT_NONE};
    enum transport_status status = open_connection(uri, tls, own, &connection, error);
    if (status == TRANSPORT_OK) {
        ret_report->broker_version = text_copy(arena, login_broker_version(connection->state));
        status = connection_open_channel(connection, CHANNEL_TOPOLOGY, false, error);
    }
    if (status == TRANSPORT_OK)
        status = compare_all(connection, topology, arena, ret_report, error);
    if (status == TRANSPORT_OK)
        status = connection_close_channel(connection, CHANNEL_TOPOLOGY, error);
    if (status == TRANSPORT_OK)
        status = compare_flag(connection, topology, arena, ret_report, error);
    connection_free(connection);
    arena_free(own);
    return status;
}
