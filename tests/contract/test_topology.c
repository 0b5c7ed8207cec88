/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests each row of the table in docs/protocol.md, section 1.
 *
 * setup() lets topology_declare() create exchanges and queues with random names. A test then
 * declares the same object once more, with librabbitmq and the arguments of the table. The broker
 * accepts equal arguments, and rejects others with 406. So each test also declares the object with
 * one argument changed, and expects that the broker rejects it.
 *
 * A binding cannot be compared over AMQP. assert_routed() publishes a message instead, which has to
 * arrive in the queue. It may use amqp_consume_message(), because no other channel has frames that
 * this function could drop (common/amqp/frames.c).
 *
 * Not here: errors and checks of the topology (transport_only.c).
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>

#include "common/amqp/topology.h"
#include "tests/support/broker_admin.h"

enum { NAME_MAX_BYTES = 64, ARGUMENTS_MAX = 5, DURABLE = 1, WAIT_S = 10 };

struct fixture {
    amqp_connection_state_t admin;
    amqp_channel_t channel; /* a new one after each rejection, which closes it */
    char commands[NAME_MAX_BYTES];
    char dead[NAME_MAX_BYTES];
    char desk[NAME_MAX_BYTES];
};

static void open_channel(struct fixture *fixture)
{
    (void)amqp_channel_open(fixture->admin, ++fixture->channel);
    assert_int_equal(amqp_get_rpc_reply(fixture->admin).reply_type, AMQP_RESPONSE_NORMAL);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    uint64_t number = 0;
    assert_int_equal(getrandom(&number, sizeof number, 0), (ssize_t)sizeof number);
    (void)snprintf(fixture->commands, sizeof fixture->commands, "allot.topology-%016llx.commands",
                   (unsigned long long)number);
    (void)snprintf(fixture->dead, sizeof fixture->dead, "allot.topology-%016llx.dead",
                   (unsigned long long)number);
    (void)snprintf(fixture->desk, sizeof fixture->desk, "allot.topology-%016llx.dead.desk",
                   (unsigned long long)number);
    fixture->admin = broker_admin_open(broker_admin_uri());
    fixture->channel = 1;
    struct topology topology = {text_of(fixture->commands), text_of(fixture->commands),
                                text_of(fixture->dead), text_of(fixture->dead),
                                text_of(fixture->desk)};
    struct error error = {""}, warning = {""};
    if (topology_declare(text_of(broker_admin_uri()), &(struct amqp_tls){0}, &topology, &warning,
                         &error) != TRANSPORT_OK)
        fail_msg("%s", error.text);
    assert_string_equal(warning.text, "");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    const char *const names[] = {fixture->commands, fixture->dead, fixture->desk};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)amqp_queue_delete(fixture->admin, fixture->channel, amqp_cstring_bytes(names[i]), 0,
                                0);
        (void)amqp_exchange_delete(fixture->admin, fixture->channel, amqp_cstring_bytes(names[i]),
                                   0);
    }
    (void)amqp_connection_close(fixture->admin, AMQP_REPLY_SUCCESS);
    (void)amqp_destroy_connection(fixture->admin);
    free(fixture);
    return 0;
}

/* Returns whether the broker accepted the last declaration; opens a new channel if not. */
static bool was_accepted(struct fixture *fixture)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(fixture->admin);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_SERVER_EXCEPTION);
    const amqp_channel_close_t *closed = reply.reply.decoded;
    assert_int_equal(closed->reply_code, AMQP_PRECONDITION_FAILED);
    open_channel(fixture);
    return false;
}

static bool is_exchange(struct fixture *fixture, const char *name, const char *type, int durable)
{
    (void)amqp_exchange_declare(fixture->admin, fixture->channel, amqp_cstring_bytes(name),
                                amqp_cstring_bytes(type), 0, durable, 0, 0, amqp_empty_table);
    return was_accepted(fixture);
}

static bool is_queue(struct fixture *fixture, const char *name, amqp_table_entry_t *arguments,
                     int count)
{
    (void)amqp_queue_declare(fixture->admin, fixture->channel, amqp_cstring_bytes(name), 0, DURABLE,
                             0, 0, (amqp_table_t){count, arguments});
    return was_accepted(fixture);
}

static amqp_table_entry_t text_argument(const char *key, const char *value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(value);
    return entry;
}

static amqp_table_entry_t number_argument(const char *key, int64_t value)
{
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(key)};
    entry.value.kind = AMQP_FIELD_KIND_I64;
    entry.value.value.i64 = value;
    return entry;
}

/* Publishes a message to `exchange` with this routing key, and asserts that `queue` gets it. */
static void assert_routed(struct fixture *fixture, const char *exchange, const char *key,
                          const char *queue)
{
    assert_int_equal(amqp_basic_publish(fixture->admin, fixture->channel,
                                        amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), 0, 0,
                                        NULL, amqp_cstring_bytes("body")),
                     AMQP_STATUS_OK);
    (void)amqp_basic_consume(fixture->admin, fixture->channel, amqp_cstring_bytes(queue),
                             amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
    assert_int_equal(amqp_get_rpc_reply(fixture->admin).reply_type, AMQP_RESPONSE_NORMAL);
    struct timeval timeout = {.tv_sec = WAIT_S};
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply = amqp_consume_message(fixture->admin, &envelope, &timeout, 0);
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_NORMAL);
    assert_int_equal(envelope.message.body.len, 4);
    amqp_destroy_envelope(&envelope);
}

static void test_the_exchange_of_commands_is_direct_and_durable(void **state)
{
    struct fixture *fixture = *state;
    assert_true(is_exchange(fixture, fixture->commands, "direct", DURABLE));
    assert_false(is_exchange(fixture, fixture->commands, "fanout", DURABLE));
    assert_false(is_exchange(fixture, fixture->commands, "direct", 0));
}

static void test_the_queue_of_commands_has_the_arguments_of_the_contract(void **state)
{
    struct fixture *fixture = *state;
    amqp_table_entry_t arguments[ARGUMENTS_MAX] = {
        text_argument("x-queue-type", "quorum"),
        number_argument("x-delivery-limit", 1000000),
        text_argument("x-dead-letter-exchange", fixture->dead),
        text_argument("x-dead-letter-strategy", "at-least-once"),
        text_argument("x-overflow", "reject-publish"),
    };
    assert_true(is_queue(fixture, fixture->commands, arguments, ARGUMENTS_MAX));
    for (int left_out = 1; left_out < ARGUMENTS_MAX; left_out++) {
        amqp_table_entry_t others[ARGUMENTS_MAX];
        memcpy(others, arguments, sizeof others);
        others[left_out] = others[ARGUMENTS_MAX - 1];
        assert_false(is_queue(fixture, fixture->commands, others, ARGUMENTS_MAX - 1));
    }
}

static void test_the_queue_of_commands_is_bound_with_its_own_name(void **state)
{
    struct fixture *fixture = *state;
    assert_routed(fixture, fixture->commands, fixture->commands, fixture->commands);
}

static void test_the_exchange_of_dead_letters_is_fanout_and_durable(void **state)
{
    struct fixture *fixture = *state;
    assert_true(is_exchange(fixture, fixture->dead, "fanout", DURABLE));
    assert_false(is_exchange(fixture, fixture->dead, "direct", DURABLE));
    assert_false(is_exchange(fixture, fixture->dead, "fanout", 0));
}

/* A quorum queue with a limit of deliveries, and without a dead-letter exchange. */
static void assert_queue_of_dead_letters(struct fixture *fixture, const char *name)
{
    amqp_table_entry_t arguments[] = {text_argument("x-queue-type", "quorum"),
                                      number_argument("x-delivery-limit", 1000000),
                                      text_argument("x-dead-letter-exchange", fixture->dead)};
    amqp_table_entry_t classic = text_argument("x-queue-type", "classic");
    assert_true(is_queue(fixture, name, arguments, 2));
    assert_false(is_queue(fixture, name, arguments, 1));
    assert_false(is_queue(fixture, name, arguments, 3));
    assert_false(is_queue(fixture, name, &classic, 1));
    assert_routed(fixture, fixture->dead, "any key", name);
}

static void test_the_queue_of_dead_letters_is_a_quorum_queue_and_bound(void **state)
{
    struct fixture *fixture = *state;
    assert_queue_of_dead_letters(fixture, fixture->dead);
}

static void test_the_desk_queue_is_a_quorum_queue_and_bound(void **state)
{
    struct fixture *fixture = *state;
    assert_queue_of_dead_letters(fixture, fixture->desk);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_exchange_of_commands_is_direct_and_durable),
        TEST(test_the_queue_of_commands_has_the_arguments_of_the_contract),
        TEST(test_the_queue_of_commands_is_bound_with_its_own_name),
        TEST(test_the_exchange_of_dead_letters_is_fanout_and_durable),
        TEST(test_the_queue_of_dead_letters_is_a_quorum_queue_and_bound),
        TEST(test_the_desk_queue_is_a_quorum_queue_and_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
