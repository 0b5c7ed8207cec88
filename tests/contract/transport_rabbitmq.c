/* SPDX-License-Identifier: Apache-2.0 */
/* The transport suite's backend on RabbitMQ; exchanges and queues get random names. */
#include "tests/contract/transport_rabbitmq.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/amqp/broker_version.h"
#include "tests/support/broker_admin.h"

enum { FDS = 1024, CONFIRM_TIMEOUT_MS = 10000 };

struct rabbitmq *rabbitmq_of(struct fixture *fixture)
{
    return fixture->data;
}

static const char *name_of(struct fixture *fixture, const char *prefix, const char *suffix)
{
    return text_format(fixture->arena, "%s%s", prefix, suffix).bytes;
}

static void choose_names(struct fixture *fixture)
{
    uint64_t number = 0;
    assert_int_equal(getrandom(&number, sizeof number, 0), (ssize_t)sizeof number);
    const char *prefix =
        text_format(fixture->arena, "allot.test-%016llx", (unsigned long long)number).bytes;
    fixture->names =
        (struct fixture_names){.exchange = name_of(fixture, prefix, ".commands"),
                               .queue = name_of(fixture, prefix, ".commands"),
                               .dead_letter_exchange = name_of(fixture, prefix, ".dead"),
                               .dead_letter_queue = name_of(fixture, prefix, ".dead"),
                               .desk_queue = name_of(fixture, prefix, ".dead.desk"),
                               .reply_queue = name_of(fixture, prefix, ".replies"),
                               .missing = name_of(fixture, prefix, ".missing")};
}

struct amqp_options rabbitmq_options(struct fixture *fixture)
{
    return (struct amqp_options){
        .uri = rabbitmq_of(fixture)->uri,
        .topology = {.exchange = text_of(fixture->names.exchange),
                     .queue = text_of(fixture->names.queue),
                     .dead_letter_exchange = text_of(fixture->names.dead_letter_exchange),
                     .dead_letter_queue = text_of(fixture->names.dead_letter_queue),
                     .desk_queue = text_of(fixture->names.desk_queue)},
        .declare = true,
        .heartbeat_ms = FIXTURE_HEARTBEAT_MS,
        .connection_name = text_of("transport contract")};
}

void rabbitmq_observe(struct fixture *fixture, bool declare, int64_t check_ms,
                      void (*notify)(void *context, enum amqp_notice notice, const char *text))
{
    struct amqp_options options = rabbitmq_options(fixture);
    options.declare = declare;
    options.topology_check_ms = check_ms;
    options.observer.notify = notify;
    fixture->transport->ops->free(fixture->transport);
    fixture->transport = amqp_transport_new(&options, &fixture->error);
    assert_non_null(fixture->transport);
    fixture_open(fixture);
}

static void start(struct fixture *fixture)
{
    const char *uri = getenv("ALLOT_AMQP_URI");
    if (uri == NULL || uri[0] == '\0')
        fail_msg("ALLOT_AMQP_URI is not set: this suite needs a RabbitMQ (script/stack up)");
    struct rabbitmq *self = calloc(1, sizeof *self);
    fixture->data = self;
    self->uri = text_of(uri);
    choose_names(fixture);
    self->admin = broker_admin_open(self->uri.bytes);
    self->client = client_open(self->uri, &(struct amqp_tls){0}, &fixture->error);
    if (self->client == NULL ||
        !client_declare_queue(self->client, fixture->names.reply_queue, &fixture->error))
        fail_msg("client: %s", fixture->error.text);
    struct amqp_options options = rabbitmq_options(fixture);
    fixture->transport = amqp_transport_new(&options, &fixture->error);
    assert_non_null(fixture->transport);
}

static void delete_queue(struct fixture *fixture, const char *queue)
{
    (void)amqp_queue_delete(rabbitmq_of(fixture)->admin, 1, amqp_cstring_bytes(queue), 0, 0);
    assert_int_equal(amqp_get_rpc_reply(rabbitmq_of(fixture)->admin).reply_type,
                     AMQP_RESPONSE_NORMAL);
}

static void finish(struct fixture *fixture)
{
    struct rabbitmq *self = fixture->data;
    client_close(self->client);
    delete_queue(fixture, fixture->names.queue);
    delete_queue(fixture, fixture->names.dead_letter_queue);
    delete_queue(fixture, fixture->names.desk_queue);
    (void)amqp_exchange_delete(self->admin, 1, amqp_cstring_bytes(fixture->names.exchange), 0);
    (void)amqp_exchange_delete(self->admin, 1,
                               amqp_cstring_bytes(fixture->names.dead_letter_exchange), 0);
    (void)amqp_connection_close(self->admin, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(self->admin);
    free(self);
}

static void send_command(struct fixture *fixture, const struct outgoing *command)
{
    struct outgoing message = *command;
    enum client_outcome outcome = CLIENT_NACKED;
    message.exchange = text_of(fixture->names.exchange);
    message.routing_key = text_of(fixture->names.queue);
    message.mandatory = true;
    if (!client_publish(rabbitmq_of(fixture)->client, &message, CONFIRM_TIMEOUT_MS, &outcome,
                        &fixture->error))
        fail_msg("client: %s", fixture->error.text);
    assert_int_equal(outcome, CLIENT_CONFIRMED);
}

static bool take(struct fixture *fixture, const char *queue, struct fixture_message *ret_message)
{
    struct client *client = rabbitmq_of(fixture)->client;
    struct client_message message;
    enum client_answer answer = client_get(client, queue, &message, &fixture->error);
    if (answer == CLIENT_FAILED)
        fail_msg("client: %s", fixture->error.text);
    if (answer == CLIENT_NOTHING)
        return false;
    assert_true(client_ack(client, message.tag, &fixture->error));
    *ret_message = (struct fixture_message){.arena = message.arena,
                                            .properties = message.properties,
                                            .raw_headers = message.raw_headers,
                                            .body = message.body};
    return true;
}

/* Returns the process's newest socket to the broker: the transport connects last. */
static int newest_broker_socket(int admin_fd)
{
    struct sockaddr_storage broker;
    socklen_t broker_length = sizeof broker;
    assert_int_equal(getpeername(admin_fd, (struct sockaddr *)&broker, &broker_length), 0);
    int found = -1;
    for (int fd = 0; fd < FDS; fd++) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && length == broker_length &&
            memcmp(&peer, &broker, length) == 0)
            found = fd;
    }
    return found;
}

static void cut(struct fixture *fixture)
{
    struct rabbitmq *self = rabbitmq_of(fixture);
    int fd = newest_broker_socket(amqp_get_sockfd(self->admin));
    assert_true(fd > amqp_get_sockfd(self->admin));
    assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
}

static bool drops_bad_address(struct fixture *fixture)
{
    struct broker_version version =
        broker_version_read(client_broker_version(rabbitmq_of(fixture)->client));
    assert_int_not_equal(version.major, 0);
    return broker_version_from(version, 4, 3);
}

const struct fixture_backend rabbitmq_backend = {.name = "rabbitmq",
                                                 .start = start,
                                                 .finish = finish,
                                                 .send = send_command,
                                                 .take = take,
                                                 .delete_queue = delete_queue,
                                                 .cut = cut,
                                                 .drops_bad_address = drops_bad_address};
