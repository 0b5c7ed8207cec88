/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which failures of a read blame the message that was being read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/amqp/status.h"

/* librabbitmq returns BAD_AMQP_DATA for a frame over the limit and, from 0.14 on, for values that
   are nested more than 100 times. */
static void test_bad_content_blames_the_message(void **state)
{
    (void)state;
    assert_true(status_blames_content(AMQP_STATUS_BAD_AMQP_DATA));
    assert_true(status_blames_content(AMQP_STATUS_TABLE_TOO_BIG));
    assert_true(status_blames_content(AMQP_STATUS_UNKNOWN_CLASS));
}

static void test_an_outside_reason_blames_no_message(void **state)
{
    (void)state;
    static const int outside[] = {
        AMQP_STATUS_OK,
        AMQP_STATUS_NO_MEMORY,
        AMQP_STATUS_UNKNOWN_METHOD,
        AMQP_STATUS_CONNECTION_CLOSED,
        AMQP_STATUS_SOCKET_ERROR,
        AMQP_STATUS_INVALID_PARAMETER,
        AMQP_STATUS_WRONG_METHOD,
        AMQP_STATUS_TIMEOUT,
        AMQP_STATUS_TIMER_FAILURE,
        AMQP_STATUS_HEARTBEAT_TIMEOUT,
        AMQP_STATUS_UNEXPECTED_STATE,
        AMQP_STATUS_SOCKET_CLOSED,
        AMQP_STATUS_TCP_ERROR,
        AMQP_STATUS_SSL_ERROR,
    };
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        assert_false(status_blames_content(outside[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_content_blames_the_message),
        cmocka_unit_test(test_an_outside_reason_blames_no_message),
    };
    return cmocka_run_group_tests_name("amqp_status", tests, NULL, NULL) != 0;
}
