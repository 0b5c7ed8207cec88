/* SPDX-License-Identifier: Apache-2.0 */
/* Tests on RabbitMQ what the client finds out about a queue's delivery limit. */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/amqp/client.h"
#include "tests/support/broker_admin.h"

enum { CHANNEL = 1, LIMIT = 1000000, ARGUMENTS_MAX = 3 };

struct fixture {
    amqp_connection_state_t admin;
    struct client *client;
    char queue[64];
    struct error error;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    const char *uri = broker_admin_uri();
    fixture->admin = broker_admin_open(uri);
    (void)snprintf(fixture->queue, sizeof fixture->queue, "allot.limit-%d", (int)getpid());
    fixture->client = client_open(text_of(uri), &(struct amqp_tls){0}, &fixture->error);
    if (fixture->client == NULL)
        fail_msg("%s", fixture->error.text);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    client_close(fixture->client);
    (void)amqp_queue_delete(fixture->admin, CHANNEL, amqp_cstring_bytes(fixture->queue), 0, 0);
    (void)amqp_connection_close(fixture->admin, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(fixture->admin);
    free(fixture);
    return 0;
}

/* Declares the queue with these values; a `length` of 0 is left out. */
static void declare(struct fixture *fixture, int32_t limit, int32_t length)
{
    amqp_table_entry_t arguments[ARGUMENTS_MAX] = {{.key = amqp_cstring_bytes("x-queue-type")},
                                                   {.key = amqp_cstring_bytes("x-delivery-limit")},
                                                   {.key = amqp_cstring_bytes("x-max-length")}};
    arguments[0].value.kind = AMQP_FIELD_KIND_UTF8;
    arguments[0].value.value.bytes = amqp_cstring_bytes("quorum");
    arguments[1].value.kind = arguments[2].value.kind = AMQP_FIELD_KIND_I32;
    arguments[1].value.value.i32 = limit;
    arguments[2].value.value.i32 = length;
    (void)amqp_queue_declare(fixture->admin, CHANNEL, amqp_cstring_bytes(fixture->queue), 0, 1, 0,
                             0, (amqp_table_t){length > 0 ? 3 : 2, arguments});
    assert_int_equal(amqp_get_rpc_reply(fixture->admin).reply_type, AMQP_RESPONSE_NORMAL);
}

static bool has(struct fixture *fixture, int32_t limit)
{
    bool found = false;
    if (!client_has_delivery_limit(fixture->client, fixture->queue, limit, &found, &fixture->error))
        fail_msg("%s", fixture->error.text);
    return found;
}

static void test_the_limit_of_a_queue_is_found(void **state)
{
    struct fixture *fixture = *state;
    declare(fixture, LIMIT, 0);
    assert_false(has(fixture, LIMIT - 1));
    assert_true(has(fixture, LIMIT)); /* the client goes on after a difference */
    assert_false(has(fixture, -1));
}

static void test_a_queue_with_another_argument_is_not_known(void **state)
{
    struct fixture *fixture = *state;
    declare(fixture, LIMIT, 10);
    assert_false(has(fixture, LIMIT));
}

static void test_a_missing_queue_is_an_error_and_stays_missing(void **state)
{
    struct fixture *fixture = *state;
    bool found = true;
    uint32_t count = 0;
    assert_false(
        client_has_delivery_limit(fixture->client, fixture->queue, LIMIT, &found, &fixture->error));
    assert_non_null(strstr(fixture->error.text, fixture->queue));
    assert_false(client_count(fixture->client, fixture->queue, &count, &fixture->error));
}

static void test_the_broker_says_its_version(void **state)
{
    struct fixture *fixture = *state;
    int major = 0, minor = 0;
    char version[32];
    (void)snprintf(version, sizeof version, "%.*s",
                   TEXT_ARGS(client_broker_version(fixture->client)));
    assert_int_equal(sscanf(version, "%d.%d.", &major, &minor), 2);
    assert_in_range(major, 3, 9);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_limit_of_a_queue_is_found),
        TEST(test_a_queue_with_another_argument_is_not_known),
        TEST(test_a_missing_queue_is_an_error_and_stays_missing),
        TEST(test_the_broker_says_its_version),
    };
    return cmocka_run_group_tests_name("client_limit", tests, NULL, NULL) != 0;
}
