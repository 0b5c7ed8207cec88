/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which failures of a read blame the message that was being read, and which closes of the
   broker are refusals. */
#include "tests/support/cmocka.h"

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

static enum transport_status closed_with(int code)
{
    struct error error = {""};
    struct closing closing = {(uint16_t)code, text_of("reason")};
    return status_of_closing(closing, "opening", &error);
}

/* A connection that is refused is refused again; one that is lost may succeed next time. */
static void test_a_close_over_what_was_asked_is_a_refusal(void **state)
{
    (void)state;
    static const int refusals[] = {AMQP_ACCESS_REFUSED,  AMQP_NOT_FOUND,
                                   AMQP_RESOURCE_LOCKED, AMQP_PRECONDITION_FAILED,
                                   AMQP_NOT_ALLOWED,     AMQP_NOT_IMPLEMENTED};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        assert_int_equal(closed_with(refusals[i]), TRANSPORT_REFUSED);
    static const int losses[] = {AMQP_REPLY_SUCCESS, AMQP_CONNECTION_FORCED, AMQP_RESOURCE_ERROR,
                                 AMQP_INTERNAL_ERROR};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++)
        assert_int_equal(closed_with(losses[i]), TRANSPORT_LOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_content_blames_the_message),
        cmocka_unit_test(test_an_outside_reason_blames_no_message),
        cmocka_unit_test(test_a_close_over_what_was_asked_is_a_refusal),
    };
    return cmocka_run_group_tests_name("amqp_status", tests, NULL, NULL) != 0;
}
