/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_amqp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/bench_base.h"

enum { FRAME_MAX = 131072 };

amqp_connection_state_t bench_amqp_open(const char *uri)
{
    struct amqp_connection_info info;
    char *copy = strdup(uri); /* amqp_parse_url() writes into it, and `info` points into it */
    if (copy == NULL || amqp_parse_url(copy, &info) != AMQP_STATUS_OK)
        bench_die("invalid broker URI: expected amqp://USER:PASSWORD@HOST:PORT/VHOST");
    amqp_connection_state_t state = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(state);
    if (socket == NULL || amqp_socket_open(socket, info.host, info.port) != AMQP_STATUS_OK)
        bench_die("cannot connect to the broker at %s:%d", info.host, info.port);
    amqp_rpc_reply_t reply = amqp_login(state, info.vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN,
                                        info.user, info.password);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("cannot log in to the broker as user '%s'", info.user);
    free(copy);
    return state;
}

void bench_amqp_close(amqp_connection_state_t state)
{
    (void)amqp_connection_close(state, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(state);
}

void bench_amqp_check(amqp_connection_state_t state, const char *what)
{
    if (amqp_get_rpc_reply(state).reply_type != AMQP_RESPONSE_NORMAL)
        bench_die("the broker rejected %s", what);
}

void bench_amqp_cork(amqp_connection_state_t state, bool corked)
{
    int on = corked ? 1 : 0;
    (void)setsockopt(amqp_get_sockfd(state), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}
