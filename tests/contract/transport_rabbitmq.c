/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/transport_rabbitmq.h"

#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

enum { FDS = 1024, CONFIRM_TIMEOUT_MS = 10000 };

struct rabbitmq *rabbitmq_of(struct lab *lab)
{
    return lab->data;
}

static const char *name_of(struct lab *lab, const char *prefix, const char *suffix)
{
    return text_format(lab->arena, "%s%s", prefix, suffix).bytes;
}

static void choose_names(struct lab *lab)
{
    uint64_t number = 0;
    assert_int_equal(getrandom(&number, sizeof number, 0), (ssize_t)sizeof number);
    const char *prefix =
        text_format(lab->arena, "allot.test-%016llx", (unsigned long long)number).bytes;
    lab->names = (struct lab_names){.exchange = name_of(lab, prefix, ".commands"),
                                    .queue = name_of(lab, prefix, ".commands"),
                                    .dead_exchange = name_of(lab, prefix, ".dead"),
                                    .dead_queue = name_of(lab, prefix, ".dead"),
                                    .reply_queue = name_of(lab, prefix, ".replies"),
                                    .missing = name_of(lab, prefix, ".missing")};
}

static amqp_connection_state_t open_admin(struct text uri)
{
    char *copy = strdup(uri.bytes);
    struct amqp_connection_info info;
    assert_int_equal(amqp_parse_url(copy, &info), AMQP_STATUS_OK);
    amqp_connection_state_t admin = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(admin);
    assert_int_equal(amqp_socket_open(socket, info.host, info.port), AMQP_STATUS_OK);
    assert_int_equal(amqp_login(admin, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user,
                                info.password)
                         .reply_type,
                     AMQP_RESPONSE_NORMAL);
    (void)amqp_channel_open(admin, 1);
    assert_int_equal(amqp_get_rpc_reply(admin).reply_type, AMQP_RESPONSE_NORMAL);
    free(copy);
    return admin;
}

struct amqp_options rabbitmq_options(struct lab *lab)
{
    return (struct amqp_options){.uri = rabbitmq_of(lab)->uri,
                                 .topology = {.exchange = text_of(lab->names.exchange),
                                              .queue = text_of(lab->names.queue),
                                              .dead_exchange = text_of(lab->names.dead_exchange),
                                              .dead_queue = text_of(lab->names.dead_queue)},
                                 .declare = true,
                                 .heartbeat_ms = LAB_HEARTBEAT_MS,
                                 .connection_name = text_of("transport contract")};
}

static void start(struct lab *lab)
{
    const char *uri = getenv("ALLOT_AMQP_URI");
    if (uri == NULL || uri[0] == '\0')
        fail_msg("ALLOT_AMQP_URI is not set: this suite needs a RabbitMQ (script/stack up)");
    struct rabbitmq *self = calloc(1, sizeof *self);
    lab->data = self;
    self->uri = text_of(uri);
    choose_names(lab);
    self->admin = open_admin(self->uri);
    self->client = client_open(self->uri, &(struct amqp_tls){0}, &lab->error);
    if (self->client == NULL ||
        !client_declare_queue(self->client, lab->names.reply_queue, &lab->error))
        fail_msg("client: %s", lab->error.text);
    struct amqp_options options = rabbitmq_options(lab);
    lab->transport = amqp_transport_new(&options, &lab->error);
    assert_non_null(lab->transport);
}

static void delete_queue(struct lab *lab, const char *queue)
{
    (void)amqp_queue_delete(rabbitmq_of(lab)->admin, 1, amqp_cstring_bytes(queue), 0, 0);
    assert_int_equal(amqp_get_rpc_reply(rabbitmq_of(lab)->admin).reply_type, AMQP_RESPONSE_NORMAL);
}

static void finish(struct lab *lab)
{
    struct rabbitmq *self = lab->data;
    client_close(self->client);
    delete_queue(lab, lab->names.queue);
    delete_queue(lab, lab->names.dead_queue);
    (void)amqp_exchange_delete(self->admin, 1, amqp_cstring_bytes(lab->names.exchange), 0);
    (void)amqp_exchange_delete(self->admin, 1, amqp_cstring_bytes(lab->names.dead_exchange), 0);
    (void)amqp_connection_close(self->admin, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(self->admin);
    free(self);
}

static void send_command(struct lab *lab, const struct outgoing *command)
{
    struct outgoing message = *command;
    enum client_outcome outcome = CLIENT_NACKED;
    message.exchange = text_of(lab->names.exchange);
    message.routing_key = text_of(lab->names.queue);
    message.mandatory = true;
    if (!client_publish(rabbitmq_of(lab)->client, &message, CONFIRM_TIMEOUT_MS, &outcome,
                        &lab->error))
        fail_msg("client: %s", lab->error.text);
    assert_int_equal(outcome, CLIENT_TAKEN);
}

static bool take(struct lab *lab, const char *queue, struct lab_message *ret_message)
{
    struct client *client = rabbitmq_of(lab)->client;
    struct client_message message;
    enum client_answer answer = client_get(client, queue, &message, &lab->error);
    if (answer == CLIENT_FAILED)
        fail_msg("client: %s", lab->error.text);
    if (answer == CLIENT_NOTHING)
        return false;
    assert_true(client_ack(client, message.tag, &lab->error));
    *ret_message = (struct lab_message){.arena = message.arena,
                                        .properties = message.properties,
                                        .raw_headers = message.raw_headers,
                                        .body = message.body};
    return true;
}

/* The newest connection to the broker is the transport's: the others came before it. */
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

static void cut(struct lab *lab)
{
    struct rabbitmq *self = rabbitmq_of(lab);
    int fd = newest_broker_socket(amqp_get_sockfd(self->admin));
    assert_true(fd > amqp_get_sockfd(self->admin));
    assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
}

const struct lab_backend rabbitmq_backend = {.name = "rabbitmq",
                                             .start = start,
                                             .finish = finish,
                                             .send = send_command,
                                             .take = take,
                                             .delete_queue = delete_queue,
                                             .cut = cut};
