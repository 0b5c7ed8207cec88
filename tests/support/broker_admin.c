/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "tests/support/broker_admin.h"

#include <stdlib.h>
#include <string.h>

enum { CHANNEL = 1, FRAME_BYTES = 131072 };

const char *broker_admin_uri(void)
{
    const char *uri = getenv("ALLOT_AMQP_URI");
    if (uri == NULL || uri[0] == '\0')
        fail_msg("ALLOT_AMQP_URI is not set: this suite needs a RabbitMQ (script/stack up)");
    return uri;
}

amqp_connection_state_t broker_admin_open(const char *uri)
{
    char *copy = strdup(uri); /* amqp_parse_url() changes it */
    struct amqp_connection_info info;
    assert_int_equal(amqp_parse_url(copy, &info), AMQP_STATUS_OK);
    amqp_connection_state_t admin = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(admin);
    assert_int_equal(amqp_socket_open(socket, info.host, info.port), AMQP_STATUS_OK);
    assert_int_equal(amqp_login(admin, info.vhost, 0, FRAME_BYTES, 0, AMQP_SASL_METHOD_PLAIN,
                                info.user, info.password)
                         .reply_type,
                     AMQP_RESPONSE_NORMAL);
    free(copy);
    (void)amqp_channel_open(admin, CHANNEL);
    assert_int_equal(amqp_get_rpc_reply(admin).reply_type, AMQP_RESPONSE_NORMAL);
    return admin;
}
